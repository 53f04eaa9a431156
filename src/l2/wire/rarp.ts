/**
 * Reverse ARP as hypervisors use it: nobody asks for an address, the frame exists so that every bridge on
 * its way learns where the source MAC now lives. ESX and QEMU broadcast a "request reverse" whose sender
 * and target MAC are the guest's and whose IP fields are zero, since a host does not know its guest's IP.
 *
 * The layout is that of ARP (arp.ts) under EtherType 0x8035. Source: RFC 903.
 */
import { type ArpCode, type ArpPacket, arpFrame, decodeArp } from './arp.js';
import { type Decoded, refused } from './bytes.js';
import { BROADCAST_MAC, ETHERTYPE_RARP } from './ethernet.js';

export const RARP_REQUEST = 3;
export const RARP_REPLY = 4;

/** Reads the packet at `at`; `operation` when it is neither request nor reply. */
export function decodeRarp(
  b: Uint8Array,
  at: number,
  end: number,
): Decoded<ArpPacket, ArpCode | 'operation'> {
  const packet = decodeArp(b, at, end);
  if (!packet.ok) return packet;
  const { operation } = packet.value;
  return operation === RARP_REQUEST || operation === RARP_REPLY ? packet : refused('operation', at + 6);
}

/** The broadcast that says "this MAC is behind me now". */
export function rarpAnnouncement(mac: number): Uint8Array {
  const packet = { operation: RARP_REQUEST, senderMac: mac, senderIp: 0, targetMac: mac, targetIp: 0 };
  return arpFrame(BROADCAST_MAC, mac, packet, ETHERTYPE_RARP);
}
