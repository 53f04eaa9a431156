/**
 * Classic pcap through the package `pcap-parser`, guarded. The package takes bytes as they come and tells of each
 * packet; around it this file
 *
 *   shows it the magic it knows in place of the nanosecond one, and reads the stamps by the true one
 *   refuses a length beyond the snap length when the packet's header is there, before its bytes are waited for
 *   keeps count of what was taken, so that a tail that is cut off does not pass for the end
 */
import { EventEmitter } from 'node:events';
import pcapParser, { type Packet, type PacketHeader } from 'pcap-parser';
import {
  type CaptureDamage,
  type CaptureEpoch,
  CLASSIC_HEADER_BYTES,
  CLASSIC_PACKET_HEADER_BYTES,
  type ClassicHeader,
  type ReadPacket,
} from '../index.js';

/** What the package takes for a capture of either byte order. */
const KNOWN_MAGIC = { little: [0xd4, 0xc3, 0xb2, 0xa1], big: [0xa1, 0xb2, 0xc3, 0xd4] } as const;
const CAPTURED_AT = 8;

/** Thrown through the package to stop it; never seen outside. */
const STOP = Symbol('stop');

/** A stream as the package wants it, whose data are handed over by calls. */
class Feed extends EventEmitter {
  pause(): void {}
  resume(): void {}
}

export class ClassicReader {
  epoch: CaptureEpoch | null = null;
  damage: CaptureDamage | null = null;
  readonly #header: ClassicHeader;
  readonly #feed = new Feed();
  readonly #nsPerUnit: number;
  /** Where the next packet begins. */
  #offset = CLASSIC_HEADER_BYTES;
  #out: ReadPacket[] = [];

  /** @param bytes the file's first 24 @param header what `readClassicHeader` made of them */
  constructor(bytes: Uint8Array, header: ClassicHeader) {
    this.#header = header;
    this.#nsPerUnit = header.resolution === 'ns' ? 1 : 1000;
    const parser = pcapParser.parse(this.#feed);
    parser.on('packetHeader', (packet: PacketHeader) => this.#judge(packet));
    parser.on('packet', (packet: Packet) => this.#take(packet));
    const shown = Buffer.from(bytes);
    shown.set(header.littleEndian ? KNOWN_MAGIC.little : KNOWN_MAGIC.big);
    this.#feed.emit('data', shown);
  }

  /** Appends the packets that `bytes` complete. The bytes are copied. */
  feed(bytes: Uint8Array, out: ReadPacket[]): void {
    if (this.damage !== null || bytes.length === 0) return;
    this.#out = out;
    try {
      this.#feed.emit('data', Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
    } catch (e) {
      if (e !== STOP) throw e;
    }
  }

  /** @param fileBytes how many the file had */
  end(fileBytes: number): void {
    const rest = fileBytes - this.#offset;
    if (this.damage !== null || rest === 0) return;
    const text = `the file ends ${rest} bytes into a packet`;
    this.damage = { code: 'CAPTURE_TRUNCATED', text, offset: this.#offset };
  }

  #judge({ capturedLength }: PacketHeader): void {
    const { mostBytes } = this.#header;
    if (capturedLength <= mostBytes) return;
    this.damage = {
      code: 'CAPTURE_LENGTH',
      text: `a packet of ${capturedLength} bytes; the snap length allows ${mostBytes}`,
      offset: this.#offset + CAPTURED_AT,
    };
    throw STOP;
  }

  #take({ header, data }: Packet): void {
    const seconds = header.timestampSeconds;
    const nanoseconds = header.timestampMicroseconds * this.#nsPerUnit;
    this.epoch ??= { seconds, nanoseconds };
    this.#out.push({
      interfaceId: 0,
      atNs: (seconds - this.epoch.seconds) * 1e9 + (nanoseconds - this.epoch.nanoseconds),
      bytes: data,
      originalBytes: header.originalLength,
      direction: null,
      packetId: null,
      verdict: null,
      comment: null,
      offset: this.#offset,
    });
    this.#offset += CLASSIC_PACKET_HEADER_BYTES + header.capturedLength;
  }
}
