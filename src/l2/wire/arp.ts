/**
 * ARP for IPv4 over Ethernet: 28 bytes behind the Ethernet header.
 *
 *   0      2      4   5   6    8             14            18            24           28
 *   ┌──────┬──────┬───┬───┬────┬─────────────┬─────────────┬─────────────┬─────────────┐
 *   │ htype│ ptype│ 6 │ 4 │ op │ sender MAC  │ sender IP   │ target MAC  │ target IP   │
 *   └──────┴──────┴───┴───┴────┴─────────────┴─────────────┴─────────────┴─────────────┘
 *
 * Source: RFC 826; opcodes RFC 5494. Left out: other hardware and protocol types, refused by name.
 */
import {
  type Decoded,
  decoded,
  readU16,
  readU32,
  readU48,
  refused,
  writeU16,
  writeU32,
  writeU48,
} from './bytes.js';
import { ETH_HEADER_BYTES, ETHERTYPE_ARP, ETHERTYPE_IPV4, newFrameBytes, writeEthernet } from './ethernet.js';

const HTYPE = 0;
const PTYPE = 2;
const HLEN = 4;
const PLEN = 5;
const OPER = 6;
const SENDER_MAC = 8;
const SENDER_IP = 14;
const TARGET_MAC = 18;
const TARGET_IP = 24;
export const ARP_BYTES = 28;

const HTYPE_ETHERNET = 1;

export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;

export interface ArpPacket {
  readonly operation: number;
  readonly senderMac: number;
  readonly senderIp: number;
  readonly targetMac: number;
  readonly targetIp: number;
}

export type ArpCode = 'truncated' | 'hardware-type' | 'protocol-type' | 'address-length';

/** Reads the packet at `at`. Any opcode is legal here; who asks decides. */
export function decodeArp(b: Uint8Array, at: number, end: number): Decoded<ArpPacket, ArpCode> {
  if (end - at < ARP_BYTES) return refused('truncated', end);
  if (readU16(b, at + HTYPE) !== HTYPE_ETHERNET) return refused('hardware-type', at + HTYPE);
  if (readU16(b, at + PTYPE) !== ETHERTYPE_IPV4) return refused('protocol-type', at + PTYPE);
  if (b[at + HLEN] !== 6) return refused('address-length', at + HLEN);
  if (b[at + PLEN] !== 4) return refused('address-length', at + PLEN);
  return decoded({
    operation: readU16(b, at + OPER),
    senderMac: readU48(b, at + SENDER_MAC),
    senderIp: readU32(b, at + SENDER_IP),
    targetMac: readU48(b, at + TARGET_MAC),
    targetIp: readU32(b, at + TARGET_IP),
  });
}

/** Writes 28 bytes at `at`. */
export function writeArp(b: Uint8Array, at: number, packet: ArpPacket): void {
  writeU16(b, at + HTYPE, HTYPE_ETHERNET);
  writeU16(b, at + PTYPE, ETHERTYPE_IPV4);
  b[at + HLEN] = 6;
  b[at + PLEN] = 4;
  writeU16(b, at + OPER, packet.operation);
  writeU48(b, at + SENDER_MAC, packet.senderMac);
  writeU32(b, at + SENDER_IP, packet.senderIp);
  writeU48(b, at + TARGET_MAC, packet.targetMac);
  writeU32(b, at + TARGET_IP, packet.targetIp);
}

/** A fresh, padded frame that carries `packet`. @param etherType RARP shares the layout under its own type */
export function arpFrame(
  dst: number,
  src: number,
  packet: ArpPacket,
  etherType: number = ETHERTYPE_ARP,
): Uint8Array {
  const b = newFrameBytes(ETH_HEADER_BYTES + ARP_BYTES);
  writeEthernet(b, 0, dst, src, etherType);
  writeArp(b, ETH_HEADER_BYTES, packet);
  return b;
}
