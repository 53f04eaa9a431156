/**
 * ICMP: echo, which clients and probes live on, and destination unreachable, which says who was not there.
 *
 *   0      1      2          4            6            8
 *   ┌──────┬──────┬──────────┬────────────┬────────────┬───────────────────────────┐
 *   │ type │ code │ checksum │ identifier │ sequence   │ payload                   │  echo (0, 8)
 *   │ 3    │ code │ checksum │ unused     │ MTU (code 4)│ IPv4 header + 8 bytes     │  unreachable
 *   └──────┴──────┴──────────┴────────────┴────────────┴───────────────────────────┘
 *
 * Source: RFC 792; next-hop MTU RFC 1191, section 4. Left out: every other type is `other`, with its numbers.
 */
import { type Decoded, decoded, readU16, readU32, refused, writeU16 } from './bytes.js';
import { checksum } from './checksum.js';
import { IPV4_DST, IPV4_PROTOCOL, IPV4_SRC, ipv4HeaderBytes } from './ipv4.js';

const TYPE = 0;
const CODE = 1;
export const ICMP_CHECKSUM = 2;
const ID = 4;
const SEQ = 6;
const NEXT_HOP_MTU = 6;
export const ICMP_HEADER_BYTES = 8;

export const ICMP_ECHO_REPLY = 0;
export const ICMP_UNREACHABLE = 3;
export const ICMP_ECHO_REQUEST = 8;

export interface EchoMessage {
  readonly kind: 'echo-request' | 'echo-reply';
  readonly id: number;
  readonly seq: number;
  /** The payload is `b[payloadAt..payloadEnd)`. */
  readonly payloadAt: number;
  readonly payloadEnd: number;
}

/** The datagram that could not be delivered, as far as the message quotes it. */
export interface QuotedDatagram {
  readonly protocol: number;
  readonly src: number;
  readonly dst: number;
  /** First two words of the transport header: the ports, for TCP and UDP; `null` when cut off. */
  readonly srcPort: number | null;
  readonly dstPort: number | null;
}

export type IcmpMessage =
  | EchoMessage
  | {
      readonly kind: 'unreachable';
      /** 0 net, 1 host, 2 protocol, 3 port, 4 fragmentation needed, 13 prohibited, … */
      readonly code: number;
      /** Bytes; 0 unless `code` is 4. */
      readonly nextHopMtu: number;
      /** `null` when what is quoted is no IPv4 header. */
      readonly original: QuotedDatagram | null;
    }
  | { readonly kind: 'other'; readonly type: number; readonly code: number };

export type IcmpCode = 'truncated' | 'checksum';

/** Reads and checks the message `b[at..end)`; `end` is the datagram's end, not the frame's. */
export function decodeIcmp(b: Uint8Array, at: number, end: number): Decoded<IcmpMessage, IcmpCode> {
  if (end - at < ICMP_HEADER_BYTES) return refused('truncated', end);
  if (checksum(b, at, end) !== 0) return refused('checksum', at + ICMP_CHECKSUM);
  const type = b[at + TYPE]!;
  const code = b[at + CODE]!;
  if ((type === ICMP_ECHO_REQUEST || type === ICMP_ECHO_REPLY) && code === 0) {
    return decoded({
      kind: type === ICMP_ECHO_REQUEST ? 'echo-request' : 'echo-reply',
      id: readU16(b, at + ID),
      seq: readU16(b, at + SEQ),
      payloadAt: at + ICMP_HEADER_BYTES,
      payloadEnd: end,
    });
  }
  if (type !== ICMP_UNREACHABLE) return decoded({ kind: 'other', type, code });
  const nextHopMtu = code === 4 ? readU16(b, at + NEXT_HOP_MTU) : 0;
  return decoded({ kind: 'unreachable', code, nextHopMtu, original: quoted(b, at + ICMP_HEADER_BYTES, end) });
}

/** The quoted header without its checks: its total length names bytes that were never quoted. */
function quoted(b: Uint8Array, at: number, end: number): QuotedDatagram | null {
  const headerBytes = ipv4HeaderBytes(b, at, end);
  if (headerBytes < 0) return null;
  const portsAt = at + headerBytes;
  const hasPorts = portsAt + 4 <= end;
  return {
    protocol: b[at + IPV4_PROTOCOL]!,
    src: readU32(b, at + IPV4_SRC),
    dst: readU32(b, at + IPV4_DST),
    srcPort: hasPorts ? readU16(b, portsAt) : null,
    dstPort: hasPorts ? readU16(b, portsAt + 2) : null,
  };
}

/** Writes the header of an echo and the checksum over it and the payload, which already lies behind it up to `end`. */
export function writeEcho(
  b: Uint8Array,
  at: number,
  end: number,
  kind: EchoMessage['kind'],
  id: number,
  seq: number,
): void {
  b[at + TYPE] = kind === 'echo-request' ? ICMP_ECHO_REQUEST : ICMP_ECHO_REPLY;
  b[at + CODE] = 0;
  writeU16(b, at + ICMP_CHECKSUM, 0);
  writeU16(b, at + ID, id);
  writeU16(b, at + SEQ, seq);
  writeU16(b, at + ICMP_CHECKSUM, checksum(b, at, end));
}
