/**
 * As much of IPv6 as segmentation, neighbour announcements and traces need: the fixed header and the walk
 * along the extension headers to the transport.
 *
 *   0          4            6      7     8             24            40
 *   ┌──────────┬────────────┬──────┬─────┬─────────────┬─────────────┬──────────────────────┐
 *   │6|class|fl│ payload len│ next │ hop │ source      │ destination │ extensions, transport│
 *   └──────────┴────────────┴──────┴─────┴─────────────┴─────────────┴──────────────────────┘
 *
 * Source: RFC 8200. Left out: jumbograms (payload length 0), fragments and IPsec, at which the walk ends as
 * at a transport, and routing headers with segments left, whose pseudo-header names an address that is not in the fixed header.
 */
import { type Decoded, decoded, readU16, refused, writeU16 } from './bytes.js';

export const IPV6_PAYLOAD_LENGTH = 4;
const NEXT_HEADER = 6;
const HOP_LIMIT = 7;
export const IPV6_SRC = 8;
export const IPV6_DST = 24;
export const IPV6_HEADER_BYTES = 40;
export const PROTOCOL_ICMPV6 = 58;

const HOP_BY_HOP = 0;
const ROUTING = 43;
const DESTINATION_OPTIONS = 60;
const ROUTING_SEGMENTS_LEFT = 3;
/** Section 4.1 lets each kind occur once, destination options twice; more is hostile. */
const MAX_EXTENSIONS = 8;

export interface Ipv6Header {
  readonly hopLimit: number;
  /** Protocol of the first header that is no extension the walk knows. */
  readonly protocol: number;
  /** Offsets in the buffer of the 16-byte addresses. */
  readonly srcAt: number;
  readonly dstAt: number;
  /** The transport is `b[payloadAt..payloadEnd)`. */
  readonly payloadAt: number;
  readonly payloadEnd: number;
}

export type Ipv6Code = 'truncated' | 'version' | 'payload-length' | 'extension';

/** Reads the header at `at` and walks to the transport. */
export function decodeIpv6(b: Uint8Array, at: number, end: number): Decoded<Ipv6Header, Ipv6Code> {
  if (end - at < IPV6_HEADER_BYTES) return refused('truncated', end);
  if (b[at]! >>> 4 !== 6) return refused('version', at);
  const payloadEnd = at + IPV6_HEADER_BYTES + readU16(b, at + IPV6_PAYLOAD_LENGTH);
  if (payloadEnd > end) return refused('payload-length', at + IPV6_PAYLOAD_LENGTH);
  const transport = walk(b, at, payloadEnd);
  if (transport < 0) return refused('extension', at + NEXT_HEADER);
  return decoded({
    hopLimit: b[at + HOP_LIMIT]!,
    protocol: transport % 256,
    srcAt: at + IPV6_SRC,
    dstAt: at + IPV6_DST,
    payloadAt: Math.floor(transport / 256),
    payloadEnd,
  });
}

/**
 * Offset of the `protocol` header of the packet at `at`, past its extensions; -1 when the chain is broken,
 * runs past `end` or ends in another protocol. Allocates nothing.
 */
export function ipv6TransportAt(b: Uint8Array, at: number, end: number, protocol: number): number {
  if (end - at < IPV6_HEADER_BYTES || b[at]! >>> 4 !== 6) return -1;
  const transport = walk(b, at, end);
  return transport >= 0 && transport % 256 === protocol ? Math.floor(transport / 256) : -1;
}

/** Writes a fixed header (no traffic class, no flow label) around addresses given as 16 bytes each. */
export function writeIpv6(
  b: Uint8Array,
  at: number,
  src: Uint8Array,
  dst: Uint8Array,
  protocol: number,
  hopLimit: number,
  payloadBytes: number,
): void {
  b[at] = 0x60;
  b.fill(0, at + 1, at + IPV6_PAYLOAD_LENGTH);
  writeU16(b, at + IPV6_PAYLOAD_LENGTH, payloadBytes);
  b[at + NEXT_HEADER] = protocol;
  b[at + HOP_LIMIT] = hopLimit;
  b.set(src, at + IPV6_SRC);
  b.set(dst, at + IPV6_DST);
}

/** RFC 5952's eight groups with the longest run of zeros shortened. @param at offset of 16 bytes */
export function formatIpv6(b: Uint8Array, at: number): string {
  const groups = Array.from({ length: 8 }, (_, i) => readU16(b, at + 2 * i));
  let bestAt = 0;
  let bestLength = 1; // a single zero group is not shortened (RFC 5952, section 4.2.2)
  for (let i = 0; i < 8; i++) {
    let n = 0;
    while (i + n < 8 && groups[i + n] === 0) n++;
    if (n > bestLength) [bestAt, bestLength] = [i, n];
  }
  const hex = groups.map((g) => g.toString(16));
  if (bestLength === 1) return hex.join(':');
  return `${hex.slice(0, bestAt).join(':')}::${hex.slice(bestAt + bestLength).join(':')}`;
}

/**
 * Walks the extension headers. Answers offset and protocol of the transport in one number,
 * `offset * 256 + protocol`, so that the hot path allocates nothing; -1 when the chain is broken.
 */
function walk(b: Uint8Array, at: number, end: number): number {
  let protocol = b[at + NEXT_HEADER]!;
  let headerAt = at + IPV6_HEADER_BYTES;
  for (let n = 0; n <= MAX_EXTENSIONS; n++) {
    if (protocol !== HOP_BY_HOP && protocol !== ROUTING && protocol !== DESTINATION_OPTIONS) {
      return headerAt <= end ? headerAt * 256 + protocol : -1;
    }
    if (headerAt + 8 > end) return -1;
    if (protocol === ROUTING && b[headerAt + ROUTING_SEGMENTS_LEFT] !== 0) return -1;
    protocol = b[headerAt]!;
    headerAt += (b[headerAt + 1]! + 1) * 8;
  }
  return -1;
}
