/**
 * The fields of a frame that a filter asks for, read once into one object and without allocating:
 *
 *   Ethernet ─ [802.1Q / 802.1ad tags] ─ ARP, IPv4 or IPv6 [extension headers] ─ TCP or UDP ports
 *
 * A field that the packet does not have, or that is cut off, is -1. Sources: IEEE 802.1Q-2022, 9; RFC 826;
 * RFC 791, 3.1; RFC 8200, 3 and 4. Left out on purpose: anything inside a tunnel.
 */
import { LINK_ETHERNET, LINK_RAW_IP } from './captured-packet.js';

const MACS_BYTES = 12;
const TAG_BYTES = 4;
const TPID_8021Q = 0x8100;
const TPID_8021AD = 0x88a8;
export const TYPE_IPV4 = 0x0800;
export const TYPE_ARP = 0x0806;
export const TYPE_RARP = 0x8035;
export const TYPE_IPV6 = 0x86dd;

const IPV4_BYTES = 20;
const IPV4_FRAGMENT = 6;
const IPV4_PROTOCOL = 9;
const IPV4_SOURCE = 12;
const IPV4_DESTINATION = 16;
const IPV6_BYTES = 40;
const IPV6_NEXT = 6;
const IPV6_SOURCE = 8;
const IPV6_DESTINATION = 24;
const ARP_BYTES = 28;
const ARP_SENDER_IP = 14;
const ARP_TARGET_IP = 24;

export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;
const EXTENSION_HOP_BY_HOP = 0;
const EXTENSION_ROUTING = 43;
const EXTENSION_FRAGMENT = 44;
const EXTENSION_OPTIONS = 60;
/** A chain of extension headers longer than this is no honest one. */
const MAX_EXTENSIONS = 8;

export class PacketFields {
  /** The bytes that were read last, and where fields lie in them; addresses of `addressBytes` each. */
  data: Uint8Array = new Uint8Array(0);
  /** Of the destination MAC, the source's six bytes behind it. */
  macsAt = -1;
  vlan = -1;
  etherType = -1;
  /** Of IP, or of ARP's sender and target; -1 for none. */
  sourceAt = -1;
  destinationAt = -1;
  addressBytes = 0;
  /** IPv4 protocol or last IPv6 next header. */
  protocol = -1;
  sourcePort = -1;
  destinationPort = -1;

  /** Reads the packet at `start..end`. @param linkType LINKTYPE_… */
  read(data: Uint8Array, start: number, end: number, linkType: number): void {
    this.data = data;
    this.macsAt = -1;
    this.vlan = -1;
    this.etherType = -1;
    this.sourceAt = -1;
    this.destinationAt = -1;
    this.addressBytes = 0;
    this.protocol = -1;
    this.sourcePort = -1;
    this.destinationPort = -1;
    if (linkType === LINK_RAW_IP && start < end) {
      const version = data[start]! >>> 4;
      if (version === 4) this.#ipv4(start, end);
      else if (version === 6) this.#ipv6(start, end);
    }
    if (linkType !== LINK_ETHERNET || end - start < MACS_BYTES + 2) return;
    this.macsAt = start;
    let at = start + MACS_BYTES;
    let type = this.#u16(at, end);
    while (type === TPID_8021Q || type === TPID_8021AD) {
      const tci = this.#u16(at + 2, end);
      if (this.vlan < 0 && tci >= 0) this.vlan = tci & 0x0fff;
      at += TAG_BYTES;
      type = this.#u16(at, end);
    }
    this.etherType = type;
    if (type === TYPE_IPV4) this.#ipv4(at + 2, end);
    else if (type === TYPE_IPV6) this.#ipv6(at + 2, end);
    else if ((type === TYPE_ARP || type === TYPE_RARP) && at + 2 + ARP_BYTES <= end) {
      this.sourceAt = at + 2 + ARP_SENDER_IP;
      this.destinationAt = at + 2 + ARP_TARGET_IP;
      this.addressBytes = 4;
    }
  }

  #ipv4(at: number, end: number): void {
    if (at + IPV4_BYTES > end) return;
    const { data } = this;
    this.etherType = TYPE_IPV4;
    this.sourceAt = at + IPV4_SOURCE;
    this.destinationAt = at + IPV4_DESTINATION;
    this.addressBytes = 4;
    this.protocol = data[at + IPV4_PROTOCOL]!;
    const isFirst = (this.#u16(at + IPV4_FRAGMENT, end) & 0x1fff) === 0;
    if (isFirst) this.#ports(at + (data[at]! & 0x0f) * 4, end);
  }

  #ipv6(at: number, end: number): void {
    if (at + IPV6_BYTES > end) return;
    const { data } = this;
    this.etherType = TYPE_IPV6;
    this.sourceAt = at + IPV6_SOURCE;
    this.destinationAt = at + IPV6_DESTINATION;
    this.addressBytes = 16;
    let protocol = data[at + IPV6_NEXT]!;
    let next = at + IPV6_BYTES;
    let isFirst = true;
    for (let n = 0; n < MAX_EXTENSIONS && next + 8 <= end; n++) {
      if (protocol === EXTENSION_FRAGMENT) {
        isFirst = isFirst && (this.#u16(next + 2, end) & 0xfff8) === 0;
        protocol = data[next]!;
        next += 8;
      } else if (
        protocol === EXTENSION_HOP_BY_HOP ||
        protocol === EXTENSION_ROUTING ||
        protocol === EXTENSION_OPTIONS
      ) {
        protocol = data[next]!;
        next += (data[next + 1]! + 1) * 8;
      } else break;
    }
    this.protocol = protocol;
    if (isFirst) this.#ports(next, end);
  }

  #ports(at: number, end: number): void {
    if (this.protocol !== PROTOCOL_TCP && this.protocol !== PROTOCOL_UDP) return;
    this.sourcePort = this.#u16(at, end);
    this.destinationPort = this.#u16(at + 2, end);
  }

  #u16(at: number, end: number): number {
    return at + 2 <= end ? (this.data[at]! << 8) | this.data[at + 1]! : -1;
  }
}
