/**
 * Which bytes of a packet a checksum of its own covers: there a single wrong bit is always found by the
 * receiver, for the Internet checksum catches every one (RFC 1071, section 1).
 *
 *   IPv4, TCP | ICMP | UDP      header ······· end of datagram
 *   IPv4, anything else         header           (a fragment, UDP without a checksum, another protocol)
 *   IPv6, TCP | UDP | ICMPv6             transport ··· end       (IPv6 itself has no checksum)
 *   all else                    none             (ARP, a cut-off header: only the FCS would tell)
 */
import type { Frame } from '../core/index.js';
import { readU16 } from './wire/bytes.js';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, ethernetPayloadAt } from './wire/ethernet.js';
import {
  decodeIpv4,
  IPV4_PROTOCOL,
  IPV4_TOTAL_LENGTH,
  ipv4HeaderBytes,
  isIpv4FragmentAt,
  PROTOCOL_ICMP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
} from './wire/ipv4.js';
import { IPV6_HEADER_BYTES, IPV6_PAYLOAD_LENGTH, ipv6TransportAt, PROTOCOL_ICMPV6 } from './wire/ipv6.js';
import { UDP_CHECKSUM, UDP_HEADER_BYTES } from './wire/udp.js';

/** Bytes `at..at + bytes` of the frame, counted from its start. */
export interface ChecksummedSpan {
  readonly at: number;
  readonly bytes: number;
}

/** The bytes of an ordinary frame with complete checksums that one of them covers; null when there are none. */
export function checksummedSpan(frame: Frame): ChecksummedSpan | null {
  const { data, start } = frame;
  const end = start + frame.length;
  const at = ethernetPayloadAt(data, start, end);
  if (at < 0) return null;
  const span =
    etherTypeBefore(data, at) === ETHERTYPE_IPV6 ? ipv6Span(data, at, end) : ipv4Span(data, at, end);
  return span === null ? null : { at: span.at - start, bytes: span.bytes };
}

/** Whether the frame is UDP over IPv4 with a checksum field of zero: one that says there is no checksum (RFC 768). */
export function isUdpChecksumZero(frame: Frame): boolean {
  const { data, start } = frame;
  const end = start + frame.length;
  const at = ethernetPayloadAt(data, start, end);
  if (at < 0 || etherTypeBefore(data, at) !== ETHERTYPE_IPV4) return false;
  const headerBytes = ipv4HeaderBytes(data, at, end);
  if (headerBytes < 0 || data[at + IPV4_PROTOCOL] !== PROTOCOL_UDP || isIpv4FragmentAt(data, at))
    return false;
  const udpAt = at + headerBytes;
  return udpAt + UDP_HEADER_BYTES <= end && readU16(data, udpAt + UDP_CHECKSUM) === 0;
}

/** The EtherType whose payload begins at `at`, tags passed over. */
function etherTypeBefore(b: Uint8Array, at: number): number {
  return readU16(b, at - 2);
}

function ipv4Span(b: Uint8Array, at: number, end: number): ChecksummedSpan | null {
  if (etherTypeBefore(b, at) !== ETHERTYPE_IPV4 || !decodeIpv4(b, at, end).ok) return null;
  const headerBytes = ipv4HeaderBytes(b, at, end);
  const total = readU16(b, at + IPV4_TOTAL_LENGTH);
  const header = { at, bytes: headerBytes };
  if (isIpv4FragmentAt(b, at)) return header;
  switch (b[at + IPV4_PROTOCOL]) {
    case PROTOCOL_TCP:
    case PROTOCOL_ICMP:
      return { at, bytes: total };
    case PROTOCOL_UDP: {
      const field = at + headerBytes + UDP_CHECKSUM;
      return field + 2 <= at + total && readU16(b, field) !== 0 ? { at, bytes: total } : header;
    }
    default:
      return header;
  }
}

function ipv6Span(b: Uint8Array, at: number, end: number): ChecksummedSpan | null {
  const datagramEnd = at + IPV6_HEADER_BYTES + readU16(b, at + IPV6_PAYLOAD_LENGTH);
  if (at + IPV6_HEADER_BYTES > end || datagramEnd > end) return null;
  for (const protocol of [PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_ICMPV6]) {
    const transportAt = ipv6TransportAt(b, at, end, protocol);
    if (transportAt >= 0) return { at: transportAt, bytes: datagramEnd - transportAt };
  }
  return null;
}
