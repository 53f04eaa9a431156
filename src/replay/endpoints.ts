/**
 * Who a frame says it is from and for, on both layers: what sides are told by and what is rewritten.
 *
 *   Ethernet ─ (tags) ─ ARP │ IPv4 │ IPv6 │ anything
 *
 * One object is filled again for every frame; it reads and judges nothing.
 */
import {
  ARP_BYTES,
  decodeTcp,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ETHERTYPE_RARP,
  ethernetPayloadAt,
  IPV4_DST,
  IPV4_PROTOCOL,
  IPV4_SRC,
  IPV6_DST,
  IPV6_HEADER_BYTES,
  IPV6_SRC,
  ipv4HeaderBytes,
  PROTOCOL_TCP,
  TCP_ACK,
  TCP_SYN,
} from '../l2/index.js';

/** From the beginning of an ARP packet: sender MAC and IP, target MAC and IP. RFC 826 */
export const ARP_SENDER_MAC = 8;
export const ARP_SENDER_IP = 14;
export const ARP_TARGET_MAC = 18;
export const ARP_TARGET_IP = 24;

export class Endpoints {
  srcMac = 0;
  dstMac = 0;
  etherType = 0;
  /** Offset of what the EtherType names; -1 in a frame too short to have it. */
  payloadAt = -1;
  /** 4 and 6 for the addresses of IPv4 and ARP, and of IPv6; 0 where there are none. */
  family: 0 | 4 | 6 = 0;
  /** Offsets of the addresses, `family` says how long they are. */
  srcIpAt = 0;
  dstIpAt = 0;
  /** A TCP SYN without ACK: its sender began the conversation. */
  opens = false;

  read(b: Uint8Array): this {
    this.family = 0;
    this.opens = false;
    this.payloadAt = ethernetPayloadAt(b, 0, b.length);
    if (this.payloadAt < 0) return this;
    this.dstMac = macAt(b, 0);
    this.srcMac = macAt(b, 6);
    const at = this.payloadAt;
    this.etherType = (b[at - 2]! << 8) | b[at - 1]!;
    switch (this.etherType) {
      case ETHERTYPE_IPV4:
        this.#ipv4(b, at);
        break;
      case ETHERTYPE_IPV6:
        if (b.length - at < IPV6_HEADER_BYTES || b[at]! >>> 4 !== 6) break;
        this.#addresses(6, at + IPV6_SRC, at + IPV6_DST);
        this.opens = b[at + 6] === PROTOCOL_TCP && opensTcp(b, at + IPV6_HEADER_BYTES);
        break;
      case ETHERTYPE_ARP:
      case ETHERTYPE_RARP:
        if (b.length - at < ARP_BYTES) break;
        this.#addresses(4, at + ARP_SENDER_IP, at + ARP_TARGET_IP);
    }
    return this;
  }

  #ipv4(b: Uint8Array, at: number): void {
    const headerBytes = ipv4HeaderBytes(b, at, b.length);
    if (headerBytes < 0) return;
    this.#addresses(4, at + IPV4_SRC, at + IPV4_DST);
    this.opens = b[at + IPV4_PROTOCOL] === PROTOCOL_TCP && opensTcp(b, at + headerBytes);
  }

  #addresses(family: 4 | 6, srcAt: number, dstAt: number): void {
    this.family = family;
    this.srcIpAt = srcAt;
    this.dstIpAt = dstAt;
  }
}

/** A frame's address as a key: the same text for the same address, of either family. */
export function ipKeyAt(b: Uint8Array, at: number, family: 4 | 6): string {
  let key = family === 4 ? '4:' : '6:';
  for (let i = at; i < at + (family === 4 ? 4 : 16); i++) key += b[i]!.toString(16).padStart(2, '0');
  return key;
}

/** Group addresses: 224.0.0.0/4 and the broadcasts, ff00::/8; and the address that stands for none. */
export function isGroupIpAt(b: Uint8Array, at: number, family: 4 | 6): boolean {
  const first = b[at]!;
  if (family === 6) return first === 0xff || isZero(b, at, 16);
  return first >= 224 || isZero(b, at, 4);
}

function isZero(b: Uint8Array, at: number, length: number): boolean {
  for (let i = at; i < at + length; i++) if (b[i] !== 0) return false;
  return true;
}

function macAt(b: Uint8Array, at: number): number {
  const high = (b[at]! << 8) | b[at + 1]!;
  const low = ((b[at + 2]! << 24) | (b[at + 3]! << 16) | (b[at + 4]! << 8) | b[at + 5]!) >>> 0;
  return high * 0x1_0000_0000 + low;
}

function opensTcp(b: Uint8Array, at: number): boolean {
  const tcp = decodeTcp(b, at, b.length);
  return tcp.ok && (tcp.value.flags & (TCP_SYN | TCP_ACK)) === TCP_SYN;
}
