/**
 * UDP over IPv4.
 *
 *   0             2             4        6          8
 *   ┌─────────────┬─────────────┬────────┬──────────┬─────────┐
 *   │ source port │ dest. port  │ length │ checksum │ payload │
 *   └─────────────┴─────────────┴────────┴──────────┴─────────┘
 *
 * A checksum field of 0 means "none was computed"; a computed 0 is sent as 0xffff. Source: RFC 768.
 */
import { type Decoded, decoded, readU16, refused, writeU16 } from './bytes.js';
import { checksum, pseudoHeaderSumV4 } from './checksum.js';
import { PROTOCOL_UDP } from './ipv4.js';

const SRC_PORT = 0;
const DST_PORT = 2;
export const UDP_LENGTH = 4;
export const UDP_CHECKSUM = 6;
export const UDP_HEADER_BYTES = 8;

export interface UdpHeader {
  readonly srcPort: number;
  readonly dstPort: number;
  /** The payload is `b[payloadAt..payloadEnd)`. */
  readonly payloadAt: number;
  readonly payloadEnd: number;
}

export type UdpCode = 'truncated' | 'length' | 'checksum';

/**
 * Reads and checks the datagram that fills the IP payload `b[at..end)`.
 * @param srcIp, dstIp addresses of the pseudo-header
 */
export function decodeUdp(
  b: Uint8Array,
  at: number,
  end: number,
  srcIp: number,
  dstIp: number,
): Decoded<UdpHeader, UdpCode> {
  if (end - at < UDP_HEADER_BYTES) return refused('truncated', end);
  const length = readU16(b, at + UDP_LENGTH);
  if (length < UDP_HEADER_BYTES || length > end - at) return refused('length', at + UDP_LENGTH);
  const payloadEnd = at + length;
  if (readU16(b, at + UDP_CHECKSUM) !== 0) {
    const pseudo = pseudoHeaderSumV4(srcIp, dstIp, PROTOCOL_UDP, length);
    if (checksum(b, at, payloadEnd, pseudo) !== 0) return refused('checksum', at + UDP_CHECKSUM);
  }
  return decoded({
    srcPort: readU16(b, at + SRC_PORT),
    dstPort: readU16(b, at + DST_PORT),
    payloadAt: at + UDP_HEADER_BYTES,
    payloadEnd,
  });
}

/** Writes the header and the checksum over it and the payload, which already lies behind it up to `end`. */
export function writeUdp(
  b: Uint8Array,
  at: number,
  end: number,
  srcIp: number,
  dstIp: number,
  srcPort: number,
  dstPort: number,
): void {
  const length = end - at;
  writeU16(b, at + SRC_PORT, srcPort);
  writeU16(b, at + DST_PORT, dstPort);
  writeU16(b, at + UDP_LENGTH, length);
  writeU16(b, at + UDP_CHECKSUM, 0);
  const pseudo = pseudoHeaderSumV4(srcIp, dstIp, PROTOCOL_UDP, length);
  writeU16(b, at + UDP_CHECKSUM, checksum(b, at, end, pseudo) || 0xffff);
}
