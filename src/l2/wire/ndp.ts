/**
 * IPv6 neighbour discovery as a bridge and an announcer need it: "who has this address?" and "it is at this
 * MAC", asked for or not. ICMPv6 behind an IPv6 header with hop limit 255:
 *
 *   0     1     2          4             8                24        26         32
 *   ┌─────┬─────┬──────────┬─────────────┬────────────────┬─────────┬──────────┐
 *   │ 135 │  0  │ checksum │ reserved    │ target address │  1 │  1 │ MAC      │  solicitation, to ff02::1:ffXX:XXXX
 *   │ 136 │  0  │ checksum │ R S O flags │ target address │  2 │  1 │ MAC      │  advertisement, to the asker or ff02::1
 *   └─────┴─────┴──────────┴─────────────┴────────────────┴─────────┴──────────┘
 *
 * Source: RFC 4861, sections 4.3, 4.4 (layout), 7.1 (what a receiver must check), 7.2.6 (unsolicited);
 * multicast MAC RFC 2464, section 7; link-local address from a MAC RFC 4291, appendix A.
 * Left out: router discovery and redirects; messages behind extension headers, which no stack sends.
 */
import { type Decoded, decoded, readU16, readU48, refused, writeU16, writeU48 } from './bytes.js';
import { checksum, pseudoHeaderSumV6 } from './checksum.js';
import { ETH_HEADER_BYTES, ETHERTYPE_IPV6, newFrameBytes, writeEthernet } from './ethernet.js';
import { IPV6_DST, IPV6_HEADER_BYTES, IPV6_SRC, PROTOCOL_ICMPV6, writeIpv6 } from './ipv6.js';

const IPV6_NEXT_HEADER = 6;
const IPV6_HOP_LIMIT = 7;
const TYPE = 0;
const CODE = 1;
const CHECKSUM = 2;
const FLAGS = 4;
const TARGET = 8;
const OPTIONS = 24;
const OPTION_MAC = 2;
const OPTION_UNIT_BYTES = 8;
const MESSAGE_BYTES = OPTIONS + OPTION_UNIT_BYTES;

const SOLICITATION = 135;
const ADVERTISEMENT = 136;
const FLAG_ROUTER = 0x80;
const FLAG_SOLICITED = 0x40;
const FLAG_OVERRIDE = 0x20;
const OPTION_SOURCE_MAC = 1;
const OPTION_TARGET_MAC = 2;
const HOP_LIMIT = 255; // a receiver drops anything less: it came through a router
const ADDRESS_BYTES = 16;
const ALL_NODES_MAC = 0x3333_0000_0001;
const ALL_NODES = Uint8Array.of(0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
const SOLICITED_NODE = Uint8Array.of(0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0);

export interface NeighbourSolicitation {
  readonly kind: 'solicitation';
  /** Offsets in the buffer of 16 bytes each. */
  readonly srcAt: number;
  readonly targetAt: number;
  /** True when it comes from `::`: duplicate address detection, RFC 4862, section 5.4. */
  readonly isProbe: boolean;
  /** From the source link-layer option; `null` without. */
  readonly mac: number | null;
}

export interface NeighbourAdvertisement {
  readonly kind: 'advertisement';
  readonly targetAt: number;
  readonly isRouter: boolean;
  readonly isSolicited: boolean;
  /** False from an anycast address or a proxy: what is known already stays. */
  readonly overrides: boolean;
  /** From the target link-layer option; `null` without. */
  readonly mac: number | null;
}

/** `not-neighbour`: some other packet. The rest are neighbour messages that a receiver must drop. */
export type NeighbourCode = 'truncated' | 'not-neighbour' | 'hop-limit' | 'malformed' | 'checksum' | 'option';

/** True when the IPv6 packet at `at` may be a neighbour message: the cheap look before `decodeNeighbour`. Allocates nothing. */
export function isNeighbourAt(b: Uint8Array, at: number, end: number): boolean {
  if (end - at < IPV6_HEADER_BYTES + OPTIONS || b[at + IPV6_NEXT_HEADER] !== PROTOCOL_ICMPV6) return false;
  const type = b[at + IPV6_HEADER_BYTES + TYPE];
  return type === SOLICITATION || type === ADVERTISEMENT;
}

/**
 * Reads and checks the message in the IPv6 packet at `at` as a receiver must (RFC 4861, 7.1).
 * @param skipChecksum true for a frame whose checksum a kernel has verified or has still to fill in
 */
export function decodeNeighbour(
  b: Uint8Array,
  at: number,
  end: number,
  skipChecksum = false,
): Decoded<NeighbourSolicitation | NeighbourAdvertisement, NeighbourCode> {
  if (end - at < IPV6_HEADER_BYTES + OPTIONS) return refused('truncated', end);
  if (!isNeighbourAt(b, at, end) || b[at]! >>> 4 !== 6) return refused('not-neighbour', at);
  const messageAt = at + IPV6_HEADER_BYTES;
  const length = readU16(b, at + 4);
  const messageEnd = messageAt + length;
  if (messageEnd > end || length < OPTIONS) return refused('truncated', end);
  if (b[at + IPV6_HOP_LIMIT] !== HOP_LIMIT) return refused('hop-limit', at + IPV6_HOP_LIMIT);
  if (b[messageAt + CODE] !== 0) return refused('malformed', messageAt + CODE);
  if (b[messageAt + TARGET] === 0xff) return refused('malformed', messageAt + TARGET);
  const pseudo = pseudoHeaderSumV6(b, at + IPV6_SRC, PROTOCOL_ICMPV6, length);
  if (!skipChecksum && checksum(b, messageAt, messageEnd, pseudo) !== 0) {
    return refused('checksum', messageAt + CHECKSUM);
  }
  const isSolicitation = b[messageAt + TYPE] === SOLICITATION;
  const wanted = isSolicitation ? OPTION_SOURCE_MAC : OPTION_TARGET_MAC;
  const macAt = macOptionAt(b, messageAt + OPTIONS, messageEnd, wanted);
  if (macAt === OPTION_MALFORMED) return refused('option', messageAt + OPTIONS);
  const mac = macAt < 0 ? null : readU48(b, macAt);
  const targetAt = messageAt + TARGET;
  if (isSolicitation) {
    const isProbe = isUnspecified(b, at + IPV6_SRC);
    if (isProbe && mac !== null) return refused('option', messageAt + OPTIONS);
    return decoded({ kind: 'solicitation', srcAt: at + IPV6_SRC, targetAt, isProbe, mac });
  }
  const flags = b[messageAt + FLAGS]!;
  const isSolicited = (flags & FLAG_SOLICITED) !== 0;
  if (isSolicited && b[at + IPV6_DST] === 0xff) return refused('malformed', messageAt + FLAGS);
  return decoded({
    kind: 'advertisement',
    targetAt,
    isRouter: (flags & FLAG_ROUTER) !== 0,
    isSolicited,
    overrides: (flags & FLAG_OVERRIDE) !== 0,
    mac,
  });
}

/**
 * Offset of the MAC that an advertisement in the IPv6 packet at `at` claims, -1 when there is none. It asks for
 * less than `decodeNeighbour`, so that a filter lets no sloppy claim by. Allocates nothing.
 */
export function advertisedMacAt(b: Uint8Array, at: number, end: number): number {
  if (!isNeighbourAt(b, at, end) || b[at + IPV6_HEADER_BYTES + TYPE] !== ADVERTISEMENT) return -1;
  const macAt = macOptionAt(b, at + IPV6_HEADER_BYTES + OPTIONS, end, OPTION_TARGET_MAC);
  return macAt < 0 ? -1 : macAt;
}

/** "`ip` is at `mac`, whatever you knew before", to everybody. @param ip 16 bytes */
export function unsolicitedAdvertisement(mac: number, ip: Uint8Array): Uint8Array {
  return neighbourFrame(ALL_NODES_MAC, mac, ip, ALL_NODES, ADVERTISEMENT, FLAG_OVERRIDE, ip);
}

/** The answer to one who asked. @param ip 16 bytes, the address asked for @param isRouter what its owner says of itself */
export function solicitedAdvertisement(
  mac: number,
  ip: Uint8Array,
  isRouter: boolean,
  askerMac: number,
  askerIp: Uint8Array,
): Uint8Array {
  const flags = FLAG_SOLICITED | FLAG_OVERRIDE | (isRouter ? FLAG_ROUTER : 0);
  return neighbourFrame(askerMac, mac, ip, askerIp, ADVERTISEMENT, flags, ip);
}

/** "Who has `target`?", to its solicited-node group (RFC 4291, 2.7.1). @param ip, target 16 bytes each */
export function neighbourSolicitation(mac: number, ip: Uint8Array, target: Uint8Array): Uint8Array {
  const group = SOLICITED_NODE.slice();
  group.set(target.subarray(13), 13);
  const groupMac = 0x3333_ff00_0000 + ((target[13]! << 16) | readU16(target, 14));
  return neighbourFrame(groupMac, mac, ip, group, SOLICITATION, 0, target);
}

/** The link-local address that a host forms from its MAC unless told otherwise: fe80::/64 and the modified EUI-64. */
export function linkLocalFromMac(mac: number): Uint8Array {
  const ip = new Uint8Array(ADDRESS_BYTES);
  writeU48(ip, 10, mac);
  ip.set([0xfe, 0x80], 0);
  ip.set([ip[10]! ^ 0x02, ip[11]!, ip[12]!, 0xff, 0xfe], 8); // bit 1 of the first byte is inverted
  return ip;
}

function neighbourFrame(
  dstMac: number,
  srcMac: number,
  src: Uint8Array,
  dst: Uint8Array,
  type: number,
  flags: number,
  target: Uint8Array,
): Uint8Array {
  const networkAt = ETH_HEADER_BYTES;
  const at = networkAt + IPV6_HEADER_BYTES;
  const end = at + MESSAGE_BYTES;
  const b = newFrameBytes(end);
  writeEthernet(b, 0, dstMac, srcMac, ETHERTYPE_IPV6);
  writeIpv6(b, networkAt, src, dst, PROTOCOL_ICMPV6, HOP_LIMIT, MESSAGE_BYTES);
  b[at + TYPE] = type;
  b[at + FLAGS] = flags;
  b.set(target, at + TARGET);
  b[at + OPTIONS] = type === SOLICITATION ? OPTION_SOURCE_MAC : OPTION_TARGET_MAC;
  b[at + OPTIONS + 1] = 1; // in units of eight bytes
  writeU48(b, at + OPTIONS + OPTION_MAC, srcMac);
  const pseudo = pseudoHeaderSumV6(b, networkAt + IPV6_SRC, PROTOCOL_ICMPV6, MESSAGE_BYTES);
  writeU16(b, at + CHECKSUM, checksum(b, at, end, pseudo));
  return b;
}

const OPTION_ABSENT = -1;
const OPTION_MALFORMED = -2;

/** Offset of the MAC in the option of this type. An option of length 0 would never end: the message is dropped. */
function macOptionAt(b: Uint8Array, from: number, end: number, wanted: number): number {
  let at = from;
  while (at + 2 <= end) {
    const bytes = b[at + 1]! * OPTION_UNIT_BYTES;
    if (bytes === 0 || at + bytes > end) return OPTION_MALFORMED;
    if (b[at] === wanted) return at + OPTION_MAC;
    at += bytes;
  }
  return OPTION_ABSENT;
}

function isUnspecified(b: Uint8Array, at: number): boolean {
  for (let i = 0; i < ADDRESS_BYTES; i++) if (b[at + i] !== 0) return false;
  return true;
}
