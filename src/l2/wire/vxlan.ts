/**
 * The VXLAN header: an Ethernet frame of one virtual network inside a UDP datagram.
 *
 *   outer Ethernet │ outer IP │ outer UDP │ VXLAN │ inner Ethernet frame, no FCS
 *                               port 4789
 *
 *   0       1               4               7      8
 *   ┌───────┬───────────────┬───────────────┬──────┬──────────────┐
 *   │ flags │ reserved      │ VNI, 24 bits  │ rsvd │ inner frame  │
 *   └───────┴───────────────┴───────────────┴──────┴──────────────┘
 *   flags: R R R R I R R R: I says that the VNI is valid; R and the reserved bytes are sent as 0 and not read
 *
 * The outer source port carries the entropy: routers spread load by the outer five-tuple, of which all
 * else is the same for every flow between two tunnel endpoints.
 * Source: RFC 7348, section 5; port range RFC 6335, section 6. Left out: the extensions that give the
 * reserved bits a meaning (group policy, generic protocol), which RFC 7348 tells a receiver to ignore.
 */
import { type Decoded, decoded, readU16, readU32, refused, writeU32 } from './bytes.js';
import {
  ETH_DST,
  ETH_HEADER_BYTES,
  ETH_SRC,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ethernetPayloadAt,
} from './ethernet.js';
import { IPV4_DST, IPV4_PROTOCOL, IPV4_SRC, ipv4HeaderBytes, isIpv4FragmentAt } from './ipv4.js';
import { IPV6_HEADER_BYTES, IPV6_SRC, ipv6TransportAt } from './ipv6.js';

export const VXLAN_FLAGS = 0;
/** The VNI is the upper 24 bits of the big-endian word here. */
export const VXLAN_VNI = 4;
export const VXLAN_HEADER_BYTES = 8;

/** The I flag. */
export const VXLAN_FLAG_VNI = 0x08;
/** The UDP port that IANA gave VXLAN. */
export const VXLAN_UDP_PORT = 4789;
export const MAX_VNI = 0xff_ffff;
/** Bytes that the tunnel adds to an inner frame over IPv4 without options: what an underlay's MTU must have spare. */
export const VXLAN_OVERHEAD_IPV4_BYTES = 20 + 8 + VXLAN_HEADER_BYTES;

/** Dynamic ports, RFC 6335: 49152..65535. */
const FIRST_DYNAMIC_PORT = 49152;
const DYNAMIC_PORT_MASK = 0x3fff;

export interface VxlanHeader {
  /** 0..2^24 - 1. */
  readonly vni: number;
  /** The inner frame is `b[payloadAt..end)`. */
  readonly payloadAt: number;
}

/** `flags`: the I flag is clear, so the datagram names no network and must be dropped. */
export type VxlanCode = 'truncated' | 'flags';

/** Reads the header at `at`. The inner frame may be of any length, 0 included. */
export function decodeVxlan(b: Uint8Array, at: number, end: number): Decoded<VxlanHeader, VxlanCode> {
  if (end - at < VXLAN_HEADER_BYTES) return refused('truncated', end);
  if ((b[at + VXLAN_FLAGS]! & VXLAN_FLAG_VNI) === 0) return refused('flags', at + VXLAN_FLAGS);
  return decoded({ vni: readU32(b, at + VXLAN_VNI) >>> 8, payloadAt: at + VXLAN_HEADER_BYTES });
}

/** The VNI of the header at `at`; -1 when it is truncated or names none. Allocates nothing: for a receiver's loop. */
export function vxlanVniAt(b: Uint8Array, at: number, end: number): number {
  if (end - at < VXLAN_HEADER_BYTES || (b[at + VXLAN_FLAGS]! & VXLAN_FLAG_VNI) === 0) return -1;
  return readU32(b, at + VXLAN_VNI) >>> 8;
}

/** Writes 8 bytes at `at`. @param vni 0..2^24 - 1 */
export function writeVxlan(b: Uint8Array, at: number, vni: number): void {
  writeU32(b, at + VXLAN_FLAGS, VXLAN_FLAG_VNI << 24);
  writeU32(b, at + VXLAN_VNI, vni << 8);
}

/**
 * The outer UDP source port for the inner frame `b[at..end)`: 49152..65535, the same for all packets of one flow
 * and spread over the range between flows. Allocates nothing.
 */
export function vxlanSourcePort(b: Uint8Array, at: number, end: number): number {
  const hash = flowHash(b, at, end);
  return FIRST_DYNAMIC_PORT + ((hash ^ (hash >>> 14)) & DYNAMIC_PORT_MASK);
}

/**
 * A 32-bit hash of what names the flow of a frame: MACs; for IP both addresses, the protocol and, where there
 * are any, the ports. Fragments hash without ports, since only the first one has them and all must go one way.
 */
export function flowHash(b: Uint8Array, at: number, end: number): number {
  if (end - at < ETH_HEADER_BYTES) return 0;
  let h = mix(0x2545f491, readU32(b, at + ETH_DST));
  h = mix(h, (readU16(b, at + ETH_DST + 4) << 16) | readU16(b, at + ETH_SRC));
  h = mix(h, readU32(b, at + ETH_SRC + 2));
  const network = ethernetPayloadAt(b, at, end);
  if (network >= 0) {
    const etherType = readU16(b, network - 2);
    if (etherType === ETHERTYPE_IPV4) h = mixIpv4(h, b, network, end);
    else if (etherType === ETHERTYPE_IPV6) h = mixIpv6(h, b, network, end);
  }
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return (h ^ (h >>> 13)) >>> 0;
}

function mixIpv4(hash: number, b: Uint8Array, at: number, end: number): number {
  const headerBytes = ipv4HeaderBytes(b, at, end);
  if (headerBytes < 0) return hash;
  const protocol = b[at + IPV4_PROTOCOL]!;
  const h = mix(mix(mix(hash, readU32(b, at + IPV4_SRC)), readU32(b, at + IPV4_DST)), protocol);
  return isIpv4FragmentAt(b, at) ? h : mixPorts(h, b, at + headerBytes, end, protocol);
}

function mixIpv6(hash: number, b: Uint8Array, at: number, end: number): number {
  if (end - at < IPV6_HEADER_BYTES) return hash;
  let h = hash;
  for (let word = at + IPV6_SRC; word < at + IPV6_HEADER_BYTES; word += 4) h = mix(h, readU32(b, word));
  for (const protocol of PROTOCOLS_WITH_PORTS) {
    const transport = ipv6TransportAt(b, at, end, protocol);
    if (transport >= 0) return mixPorts(mix(h, protocol), b, transport, end, protocol);
  }
  return h;
}

function mixPorts(hash: number, b: Uint8Array, at: number, end: number, protocol: number): number {
  const hasPorts = PROTOCOLS_WITH_PORTS.includes(protocol) && at + 4 <= end;
  return hasPorts ? mix(hash, readU32(b, at)) : hash;
}

/** TCP, UDP, SCTP: source and destination port are the first four bytes. */
const PROTOCOLS_WITH_PORTS: readonly number[] = [6, 17, 132];

function mix(hash: number, word: number): number {
  const h = Math.imul(hash ^ word, 0x9e3779b1);
  return h ^ (h >>> 15);
}
