/**
 * What a frame is, in parts that a path may rewrite and parts that it may not: how two captures of one traffic are matched.
 *
 *   mac        Ethernet addresses, those within ARP             a router's, a replay's
 *   vlan       tags                                             a trunk's
 *   ip         IP addresses, those within ARP                   a NAT's
 *   ttl        TTL, hop limit                                   a router's
 *   checks     checksums of IPv4 and of the transport           whatever mends them, offload leaves them open
 *   head       EtherType, protocol, identification, ports, sequence numbers, lengths
 *   payload    all else
 *
 * Each part is a 32-bit hash. Padding behind an IP packet counts for nothing.
 */
import {
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ETHERTYPE_RARP,
  ethernetPayloadAt,
  ICMP_CHECKSUM,
  IPV4_CHECKSUM,
  IPV4_PROTOCOL,
  IPV4_SRC,
  IPV4_TOTAL_LENGTH,
  IPV4_TTL,
  IPV6_HEADER_BYTES,
  IPV6_PAYLOAD_LENGTH,
  IPV6_SRC,
  ipv4HeaderBytes,
  PROTOCOL_ICMP,
  PROTOCOL_ICMPV6,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  TCP_CHECKSUM,
  tcpHeaderBytes,
  UDP_CHECKSUM,
  UDP_HEADER_BYTES,
} from '../l2/index.js';

export const PRINT_PARTS = ['mac', 'vlan', 'ip', 'ttl', 'checks', 'head', 'payload'] as const;
export type PrintPart = (typeof PRINT_PARTS)[number];

const MAC = 0;
const VLAN = 1;
const IP = 2;
const TTL = 3;
const CHECKS = 4;
const HEAD = 5;
const PAYLOAD = 6;
const ARP_HARDWARE_BYTES = 8;
const MACS_BYTES = 12;
const HOP_LIMIT = 7;
const NEXT_HEADER = 6;

/** Fills `out`, one hash for each part of `PRINT_PARTS`. */
export function frameParts(b: Uint8Array, out: Uint32Array): void {
  out.fill(0x811c9dc5);
  const at = ethernetPayloadAt(b, 0, b.length);
  if (at < 0) {
    mix(out, PAYLOAD, b, 0, b.length);
    return;
  }
  mix(out, MAC, b, 0, MACS_BYTES);
  mix(out, VLAN, b, MACS_BYTES, at - 2);
  mix(out, HEAD, b, at - 2, at);
  const etherType = (b[at - 2]! << 8) | b[at - 1]!;
  if (etherType === ETHERTYPE_IPV4) ipv4(b, at, out);
  else if (etherType === ETHERTYPE_IPV6) ipv6(b, at, out);
  else if ((etherType === ETHERTYPE_ARP || etherType === ETHERTYPE_RARP) && b.length - at >= 28)
    arp(b, at, out);
  else mix(out, PAYLOAD, b, at, b.length);
}

function arp(b: Uint8Array, at: number, out: Uint32Array): void {
  mix(out, HEAD, b, at, at + ARP_HARDWARE_BYTES);
  for (const from of [at + 8, at + 18]) {
    mix(out, MAC, b, from, from + 6);
    mix(out, IP, b, from + 6, from + 10);
  }
}

function ipv4(b: Uint8Array, at: number, out: Uint32Array): void {
  const header = ipv4HeaderBytes(b, at, b.length);
  if (header < 0) {
    mix(out, PAYLOAD, b, at, b.length);
    return;
  }
  const end = Math.min(
    b.length,
    at + ((b[at + IPV4_TOTAL_LENGTH]! << 8) | b[at + IPV4_TOTAL_LENGTH + 1]! || b.length),
  );
  mix(out, HEAD, b, at, at + IPV4_TTL);
  mix(out, TTL, b, at + IPV4_TTL, at + IPV4_TTL + 1);
  mix(out, HEAD, b, at + IPV4_PROTOCOL, at + IPV4_CHECKSUM);
  mix(out, CHECKS, b, at + IPV4_CHECKSUM, at + IPV4_SRC);
  mix(out, IP, b, at + IPV4_SRC, at + IPV4_SRC + 8);
  mix(out, HEAD, b, at + IPV4_SRC + 8, at + header);
  const later = (((b[at + 6]! << 8) | b[at + 7]!) & 0x1fff) !== 0;
  transport(b, at + header, end, later ? -1 : b[at + IPV4_PROTOCOL]!, out);
}

function ipv6(b: Uint8Array, at: number, out: Uint32Array): void {
  if (b.length - at < IPV6_HEADER_BYTES) {
    mix(out, PAYLOAD, b, at, b.length);
    return;
  }
  const end = Math.min(b.length, at + IPV6_HEADER_BYTES + ((b[at + IPV6_PAYLOAD_LENGTH]! << 8) | b[at + 5]!));
  mix(out, HEAD, b, at, at + HOP_LIMIT);
  mix(out, TTL, b, at + HOP_LIMIT, at + HOP_LIMIT + 1);
  mix(out, IP, b, at + IPV6_SRC, at + IPV6_HEADER_BYTES);
  transport(b, at + IPV6_HEADER_BYTES, end, b[at + NEXT_HEADER]!, out);
}

/** @param protocol -1 where there is no transport header */
function transport(b: Uint8Array, at: number, end: number, protocol: number, out: Uint32Array): void {
  let check = -1;
  let header = 0;
  if (protocol === PROTOCOL_TCP) {
    header = tcpHeaderBytes(b, at, end);
    check = TCP_CHECKSUM;
  } else if (protocol === PROTOCOL_UDP) {
    header = UDP_HEADER_BYTES;
    check = UDP_CHECKSUM;
  } else if (protocol === PROTOCOL_ICMP || protocol === PROTOCOL_ICMPV6) {
    header = 8;
    check = ICMP_CHECKSUM;
  }
  if (check < 0 || header < 0 || at + header > end) {
    mix(out, PAYLOAD, b, at, end);
    return;
  }
  mix(out, HEAD, b, at, at + check);
  mix(out, CHECKS, b, at + check, at + check + 2);
  mix(out, HEAD, b, at + check + 2, at + header);
  mix(out, PAYLOAD, b, at + header, end);
}

/** FNV-1a, 32 bits. */
function mix(out: Uint32Array, part: number, b: Uint8Array, from: number, to: number): void {
  let h = out[part]!;
  for (let i = from; i < to; i++) h = Math.imul(h ^ b[i]!, 0x01000193);
  out[part] = h;
}
