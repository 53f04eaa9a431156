/**
 * The one message of IPv6 neighbour discovery this project originates: the unsolicited advertisement that
 * tells every neighbour to replace the MAC it holds for an address.
 *
 *   0     1     2          4             8                24        26         32
 *   ┌─────┬─────┬──────────┬─────────────┬────────────────┬─────────┬──────────┐
 *   │ 136 │  0  │ checksum │ R S O flags │ target address │  2 │  1 │ MAC      │  to ff02::1, hop limit 255
 *   └─────┴─────┴──────────┴─────────────┴────────────────┴─────────┴──────────┘
 *
 * Source: RFC 4861, sections 4.4 (layout) and 7.2.6 (unsolicited); multicast MAC RFC 2464, section 7.
 */
import { writeU16, writeU48 } from './bytes.js';
import { checksum, pseudoHeaderSumV6 } from './checksum.js';
import { ETH_HEADER_BYTES, ETHERTYPE_IPV6, newFrameBytes, writeEthernet } from './ethernet.js';
import { IPV6_HEADER_BYTES, IPV6_SRC, PROTOCOL_ICMPV6, writeIpv6 } from './ipv6.js';

const TYPE = 0;
const CHECKSUM = 2;
const FLAGS = 4;
const TARGET = 8;
const OPTION = 24;
const OPTION_MAC = 26;
const ADVERTISEMENT_BYTES = 32;

const NEIGHBOUR_ADVERTISEMENT = 136;
const FLAG_OVERRIDE = 0x20;
const OPTION_TARGET_MAC = 2;
const HOP_LIMIT = 255; // a receiver drops anything less: it came through a router
const ALL_NODES_MAC = 0x3333_0000_0001;
const ALL_NODES = Uint8Array.of(0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);

/** "`ip` is at `mac`, whatever you knew before." @param ip 16 bytes */
export function unsolicitedAdvertisement(mac: number, ip: Uint8Array): Uint8Array {
  const networkAt = ETH_HEADER_BYTES;
  const at = networkAt + IPV6_HEADER_BYTES;
  const end = at + ADVERTISEMENT_BYTES;
  const b = newFrameBytes(end);
  writeEthernet(b, 0, ALL_NODES_MAC, mac, ETHERTYPE_IPV6);
  writeIpv6(b, networkAt, ip, ALL_NODES, PROTOCOL_ICMPV6, HOP_LIMIT, ADVERTISEMENT_BYTES);
  b[at + TYPE] = NEIGHBOUR_ADVERTISEMENT;
  b[at + FLAGS] = FLAG_OVERRIDE;
  b.set(ip, at + TARGET);
  b[at + OPTION] = OPTION_TARGET_MAC;
  b[at + OPTION + 1] = 1; // in units of eight bytes
  writeU48(b, at + OPTION_MAC, mac);
  const pseudo = pseudoHeaderSumV6(b, networkAt + IPV6_SRC, PROTOCOL_ICMPV6, ADVERTISEMENT_BYTES);
  writeU16(b, at + CHECKSUM, checksum(b, at, end, pseudo));
  return b;
}
