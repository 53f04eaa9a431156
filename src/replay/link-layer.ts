/**
 * Makes Ethernet frames of what was captured without them: bare IP (a tun device), loopback, `tcpdump -i any`.
 *
 *   RAW 12, 14, 101   │ IPv4 or IPv6 …
 *   IPV4 228, IPV6 229
 *   NULL 0, LOOP 108  │ family u32 │ IPv4 or IPv6 …
 *   LINUX_SLL 113     │ type u16 │ hardware u16 │ length u16 │ address 8 │ EtherType u16 │ …
 *   LINUX_SLL2 276    │ EtherType u16 │ · │ index u32 │ hardware u16 │ type u8 │ length u8 │ address 8 │ …
 *
 * Such frames need MAC addresses: each IP address gets one, 02:00 and its last four bytes, so that the same address
 * has the same MAC throughout; where a host talks to itself, each of its ports does. Source: tcpdump.org/linktypes.html. Left out: 802.11, PPP and all that carries no IP.
 */
import { LINK_ETHERNET, LINK_RAW_IP } from '../capture/index.js';
import {
  ARP_BYTES,
  BROADCAST_MAC,
  ETH_HEADER_BYTES,
  ETH_TYPE,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  IPV4_DST,
  IPV4_HEADER_BYTES,
  IPV4_PROTOCOL,
  IPV4_SRC,
  IPV6_DST,
  IPV6_HEADER_BYTES,
  IPV6_SRC,
  ipv4HeaderBytes,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  writeEthernet,
} from '../l2/index.js';
import { ARP_SENDER_IP, ARP_TARGET_IP, isGroupIpAt } from './endpoints.js';

const LINK_NULL = 0;
const LINK_RAW_BSD = 12;
const LINK_RAW_OPENBSD = 14;
const LINK_LOOP = 108;
const LINK_SLL = 113;
const LINK_IPV4 = 228;
const LINK_IPV6 = 229;
const LINK_SLL2 = 276;

const FAMILY_BYTES = 4;
const SLL_BYTES = 16;
const SLL_ETHERTYPE = 14;
const SLL2_BYTES = 20;
/** 02:00: locally administered, nobody's. */
const INVENTED = 0x0200 * 0x1_0000_0000;
const INVENTED_OF_PORT = 0x0201 * 0x1_0000_0000;
const IPV6_NEXT_HEADER = 6;
/** 33:33 and the last four bytes: IPv6 multicast. RFC 2464, 7 */
const MULTICAST_V6 = 0x3333 * 0x1_0000_0000;

/** The packet as an Ethernet frame of its own bytes (one with addresses: the bytes themselves); null when it is none. */
export function toEthernet(linkType: number, packet: Uint8Array): Uint8Array | null {
  if (linkType === LINK_ETHERNET) return isAddressed(packet) ? packet : withAddresses(packet);
  const header = headerBytesOf(linkType);
  if (header < 0 || packet.length <= header) return null;
  const etherType = etherTypeOf(linkType, packet, header);
  const places = ADDRESSES_AT[etherType];
  if (places === undefined || packet.length - header < ADDRESSED_BYTES[etherType]!) return null;
  const frame = new Uint8Array(ETH_HEADER_BYTES + packet.length - header);
  frame.set(packet.subarray(header), ETH_HEADER_BYTES);
  address(frame, etherType, places);
  return frame;
}

/** Loopback's frames have zeros for both addresses: a bridge would find everybody at one port. */
function isAddressed(frame: Uint8Array): boolean {
  for (let i = 0; i < ETH_TYPE; i++) if (frame[i] !== 0) return true;
  return false;
}

function withAddresses(frame: Uint8Array): Uint8Array {
  if (frame.length < ETH_HEADER_BYTES) return frame;
  const etherType = (frame[ETH_TYPE]! << 8) | frame[ETH_TYPE + 1]!;
  const places = ADDRESSES_AT[etherType];
  if (places === undefined || frame.length - ETH_HEADER_BYTES < ADDRESSED_BYTES[etherType]!) return frame;
  const own = new Uint8Array(frame);
  address(own, etherType, places);
  return own;
}

function address(frame: Uint8Array, etherType: number, [srcAt, dstAt, family]: Places): void {
  const at = ETH_HEADER_BYTES;
  const self = etherType !== ETHERTYPE_ARP && isSame(frame, at + srcAt, at + dstAt, family);
  const ports = self ? portsAt(frame, at, family) : -1;
  const src = ports < 0 ? macFor(frame, at + srcAt, family) : macOfPort(frame, at + srcAt, family, ports);
  const dst = ports < 0 ? macFor(frame, at + dstAt, family) : macOfPort(frame, at + dstAt, family, ports + 2);
  writeEthernet(frame, 0, dst, src, etherType);
}

/** A host that talks to itself, as on loopback: its ports are who talks. */
function isSame(b: Uint8Array, x: number, y: number, family: 4 | 6): boolean {
  for (let i = 0; i < (family === 4 ? 4 : 16); i++) if (b[x + i] !== b[y + i]) return false;
  return true;
}

/** Where the ports of TCP or UDP stand; -1 where there are none. */
function portsAt(b: Uint8Array, at: number, family: 4 | 6): number {
  const protocol = b[at + (family === 4 ? IPV4_PROTOCOL : IPV6_NEXT_HEADER)];
  if (protocol !== PROTOCOL_TCP && protocol !== PROTOCOL_UDP) return -1;
  const header = family === 4 ? ipv4HeaderBytes(b, at, b.length) : IPV6_HEADER_BYTES;
  return header < 0 || at + header + 4 > b.length ? -1 : at + header;
}

/** 02:01, the last two bytes of the address, the port. */
function macOfPort(b: Uint8Array, ipAt: number, family: 4 | 6, portAt: number): number {
  const last = ipAt + (family === 4 ? 2 : 14);
  const low = ((b[last]! << 24) | (b[last + 1]! << 16) | (b[portAt]! << 8) | b[portAt + 1]!) >>> 0;
  return INVENTED_OF_PORT + low;
}

type Places = readonly [srcAt: number, dstAt: number, family: 4 | 6];
const ADDRESSED_BYTES: Readonly<Record<number, number>> = {
  [ETHERTYPE_IPV4]: IPV4_HEADER_BYTES,
  [ETHERTYPE_IPV6]: IPV6_HEADER_BYTES,
  [ETHERTYPE_ARP]: ARP_BYTES,
};
const ADDRESSES_AT: Readonly<Record<number, Places>> = {
  [ETHERTYPE_IPV4]: [IPV4_SRC, IPV4_DST, 4],
  [ETHERTYPE_IPV6]: [IPV6_SRC, IPV6_DST, 6],
  [ETHERTYPE_ARP]: [ARP_SENDER_IP, ARP_TARGET_IP, 4],
};

/** Bytes before the packet; -1 for a link type that is not understood. */
function headerBytesOf(linkType: number): number {
  switch (linkType) {
    case LINK_ETHERNET:
    case LINK_RAW_IP:
    case LINK_RAW_BSD:
    case LINK_RAW_OPENBSD:
    case LINK_IPV4:
    case LINK_IPV6:
      return 0;
    case LINK_NULL:
    case LINK_LOOP:
      return FAMILY_BYTES;
    case LINK_SLL:
      return SLL_BYTES;
    case LINK_SLL2:
      return SLL2_BYTES;
    default:
      return -1;
  }
}

function etherTypeOf(linkType: number, packet: Uint8Array, header: number): number {
  if (linkType === LINK_SLL) return (packet[SLL_ETHERTYPE]! << 8) | packet[SLL_ETHERTYPE + 1]!;
  if (linkType === LINK_SLL2) return (packet[0]! << 8) | packet[1]!;
  return packet[header]! >>> 4 === 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4;
}

function macFor(b: Uint8Array, at: number, family: 4 | 6): number {
  const last = family === 4 ? at : at + 12;
  const tail = ((b[last]! << 24) | (b[last + 1]! << 16) | (b[last + 2]! << 8) | b[last + 3]!) >>> 0;
  if (!isGroupIpAt(b, at, family)) return INVENTED + tail;
  if (family === 6) return MULTICAST_V6 + tail;
  return b[at]! < 240 && b[at]! !== 0 ? 0x0100_5e00_0000 + (tail % 0x80_0000) : BROADCAST_MAC;
}
