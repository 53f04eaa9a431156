/** What a connection is given, and the check of it. */
import { NS_PER_S } from '../../core/index.js';
import { requireRange } from '../errors.js';
import type { CongestionControl } from './congestion/congestion-control.js';

export interface ConnectionOptions {
  /** The initiator's choice, a random 32-bit number. */
  readonly connectionId: number;
  readonly initiator: boolean;
  readonly congestion: CongestionControl;
  /** UDP payload of the interface's MTU, 512..9,200: its MTU less 28. The path's is found by probing. */
  readonly maxDatagramBytes: number;
  /** What a datagram has on the wire besides: IPv4, UDP, Ethernet with preamble, FCS and gap by default. */
  readonly wireOverheadBytes?: number;
  /** Bytes kept free at the end of each datagram, 0..64, for an authentication tag. */
  readonly reservedBytes?: number;
  /** Upper limit of the rate, bits of wire bytes a second; default none. */
  readonly rateLimitBps?: number;
  /** Packets under way at most, 64..1,048,576; default 65,536. Each takes 180 bytes. */
  readonly packetsMax?: number;
  /** Control bytes kept each way, 64 KiB..64 MiB; default 2 MiB. */
  readonly controlBufferBytes?: number;
  /** Quiet for so long: ask whether the peer is there. Default 1 s. */
  readonly keepaliveNs?: number;
  /** Asked for so long without a word: broken. Default 10 s. */
  readonly silenceNs?: number;
}

/** IPv4 20, UDP 8, Ethernet 14 with FCS 4, preamble 8 and gap 12. */
const WIRE_OVERHEAD_BYTES = 66;

/** Options with their defaults. @throws ConfigError VMOTION_CONFIG_RANGE */
export function checkConnection(o: ConnectionOptions): Required<ConnectionOptions> {
  return {
    connectionId: requireRange('connectionId', o.connectionId, 0, 0xffffffff),
    initiator: o.initiator,
    congestion: o.congestion,
    maxDatagramBytes: o.maxDatagramBytes, // PathMtu checks it
    wireOverheadBytes: requireRange('wireOverheadBytes', o.wireOverheadBytes ?? WIRE_OVERHEAD_BYTES, 0, 200),
    reservedBytes: requireRange('reservedBytes', o.reservedBytes ?? 0, 0, 64),
    rateLimitBps: requireRange('rateLimitBps', o.rateLimitBps ?? Infinity, 1000, Infinity, false),
    packetsMax: requireRange('packetsMax', o.packetsMax ?? 65_536, 64, 2 ** 20),
    controlBufferBytes: requireRange('controlBufferBytes', o.controlBufferBytes ?? 2 ** 21, 2 ** 16, 2 ** 26),
    keepaliveNs: requireRange('keepaliveNs', o.keepaliveNs ?? NS_PER_S, 1, Infinity, false),
    silenceNs: requireRange('silenceNs', o.silenceNs ?? 10 * NS_PER_S, 1, Infinity, false),
  };
}
