/**
 * Recognises what first-hop redundancy protocols send, and the protocols that build a bridge's tree.
 *
 *   who          hello                                             virtual MAC
 *   VRRP         IP protocol 112 to 224.0.0.18, ff02::12           00-00-5E-00-01-XX (IPv4), -02-XX (IPv6)
 *   HSRP 1       UDP 1985 to 224.0.0.2                             00-00-0C-07-AC-XX
 *   HSRP 2       UDP 1985 to 224.0.0.102, UDP 2029 to ff02::66     00-00-0C-9F-FX-XX, 00-05-73-A0-0X-XX (IPv6)
 *   GLBP         UDP 3222 to 224.0.0.102, ff02::66                 00-07-B4-0G-GG-FF (group of 10 bits, forwarder)
 *
 * Source: RFC 9568, sections 5.1 and 7.3 (VRRP); RFC 2281 (HSRP 1); Cisco's published addresses for HSRP 2
 * and GLBP; IEEE 802.1Q-2022, Table 8-1 (reserved addresses). Left out: hellos to a unicast peer, which
 * somebody has set up on purpose.
 */
import { decodeArp } from './arp.js';
import { readU16, readU32 } from './bytes.js';
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from './ethernet.js';
import { IPV4_DST, IPV4_PROTOCOL, ipv4HeaderBytes, isIpv4FragmentAt, PROTOCOL_UDP } from './ipv4.js';
import { IPV6_DST, ipv6TransportAt } from './ipv6.js';
import { advertisedMacAt } from './ndp.js';

const PROTOCOL_VRRP = 112;
const UDP_DST_PORT = 2;
const UDP_HSRP = 1985;
const UDP_HSRP_IPV6 = 2029;
const UDP_GLBP = 3222;

const VRRP_GROUP = 0xe000_0012;
const ALL_ROUTERS_GROUP = 0xe000_0002;
const HSRP2_GROUP = 0xe000_0066;
/** First and last word of ff02::12 and ff02::66. */
const LINK_LOCAL_GROUP = 0xff02_0000;
const VRRP_GROUP_IPV6 = 0x12;
const HSRP_GROUP_IPV6 = 0x66;

/** True for an address that a first-hop protocol shares among routers. Allocates nothing. */
export function isVirtualRouterMacAt(b: Uint8Array, at: number): boolean {
  if (b[at] !== 0) return false;
  const rest = b[at + 3]!;
  switch ((b[at + 1]! << 8) | b[at + 2]!) {
    case 0x005e:
      return rest === 0x00 && (b[at + 4] === 0x01 || b[at + 4] === 0x02);
    case 0x000c:
      return (rest === 0x07 && b[at + 4] === 0xac) || (rest === 0x9f && b[at + 4]! >>> 4 === 0xf);
    case 0x0573:
      return rest === 0xa0 && b[at + 4]! >>> 4 === 0;
    case 0x07b4:
      return rest <= 0x03;
    default:
      return false;
  }
}

/** True when the packet behind the Ethernet header is a hello of HSRP, VRRP or GLBP. @param at where the packet begins */
export function isFirstHopHelloAt(b: Uint8Array, at: number, end: number, etherType: number): boolean {
  if (etherType === ETHERTYPE_IPV4) return isHelloV4(b, at, end);
  return etherType === ETHERTYPE_IPV6 && isHelloV6(b, at, end);
}

/** True when an ARP packet or neighbour advertisement says that some address is at a virtual MAC. */
export function claimsVirtualMacAt(b: Uint8Array, at: number, end: number, etherType: number): boolean {
  if (etherType === ETHERTYPE_ARP) {
    return decodeArp(b, at, end).ok && isVirtualRouterMacAt(b, at + ARP_SENDER_MAC);
  }
  if (etherType !== ETHERTYPE_IPV6) return false;
  const macAt = advertisedMacAt(b, at, end);
  return macAt >= 0 && isVirtualRouterMacAt(b, macAt);
}

/** Offset of the sender's MAC in an ARP packet. */
const ARP_SENDER_MAC = 8;

function isHelloV4(b: Uint8Array, at: number, end: number): boolean {
  const headerBytes = ipv4HeaderBytes(b, at, end);
  if (headerBytes < 0) return false;
  const group = readU32(b, at + IPV4_DST);
  const protocol = b[at + IPV4_PROTOCOL];
  if (protocol === PROTOCOL_VRRP) return group === VRRP_GROUP;
  const udpAt = at + headerBytes;
  if (protocol !== PROTOCOL_UDP || isIpv4FragmentAt(b, at) || udpAt + 4 > end) return false;
  const port = readU16(b, udpAt + UDP_DST_PORT);
  if (port === UDP_HSRP) return group === ALL_ROUTERS_GROUP || group === HSRP2_GROUP;
  return port === UDP_GLBP && group === HSRP2_GROUP;
}

function isHelloV6(b: Uint8Array, at: number, end: number): boolean {
  if (end - at < IPV6_DST + 16 || readU32(b, at + IPV6_DST) !== LINK_LOCAL_GROUP) return false;
  if (readU32(b, at + IPV6_DST + 4) !== 0 || readU32(b, at + IPV6_DST + 8) !== 0) return false;
  const group = readU32(b, at + IPV6_DST + 12);
  if (group === VRRP_GROUP_IPV6) return ipv6TransportAt(b, at, end, PROTOCOL_VRRP) >= 0;
  if (group !== HSRP_GROUP_IPV6) return false;
  const udpAt = ipv6TransportAt(b, at, end, PROTOCOL_UDP);
  if (udpAt < 0 || udpAt + 4 > end) return false;
  const port = readU16(b, udpAt + UDP_DST_PORT);
  return port === UDP_HSRP_IPV6 || port === UDP_GLBP;
}

/** What `reservedGroupAt` found. */
export const GROUP_ORDINARY = 0;
/** 01-80-C2-00-00-00..0F but PAUSE: no bridge forwards it. */
export const GROUP_LINK_LOCAL = 1;
/** 01-80-C2-00-00-01, 802.3x PAUSE: stops the sender of the very link, and must never travel. */
export const GROUP_PAUSE = 2;
/** 01-00-0C-CC-CC-CD: Cisco's per-VLAN spanning tree, a BPDU that plain bridges flood. */
export const GROUP_PVST = 3;

/** Which protocol between bridges the group address at `at` belongs to. Allocates nothing. */
export function reservedGroupAt(b: Uint8Array, at: number): number {
  if (b[at] !== 0x01) return GROUP_ORDINARY;
  if (b[at + 1] === 0x80) {
    const isReserved = b[at + 2] === 0xc2 && b[at + 3] === 0 && b[at + 4] === 0 && b[at + 5]! <= 0x0f;
    if (!isReserved) return GROUP_ORDINARY;
    return b[at + 5] === 0x01 ? GROUP_PAUSE : GROUP_LINK_LOCAL;
  }
  const isPvst = b[at + 1] === 0 && b[at + 2] === 0x0c && readU16(b, at + 3) === 0xcccc && b[at + 5] === 0xcd;
  return isPvst ? GROUP_PVST : GROUP_ORDINARY;
}
