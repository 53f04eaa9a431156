/** The part of `pcap-parser` 0.2.1 that is used; the package has no types. */
declare module 'pcap-parser' {
  import type { EventEmitter } from 'node:events';

  export interface PacketHeader {
    readonly timestampSeconds: number;
    /** What the file has there: nanoseconds in a file of that resolution. */
    readonly timestampMicroseconds: number;
    readonly capturedLength: number;
    readonly originalLength: number;
  }

  export interface Packet {
    readonly header: PacketHeader;
    readonly data: Buffer;
  }

  /** Emits `packetHeader` before a packet's bytes are waited for, and `packet`; synchronously, as `data` comes. */
  export type Parser = EventEmitter;

  const pcapParser: { parse(source: EventEmitter): Parser };
  export default pcapParser;
}
