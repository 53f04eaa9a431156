/**
 * Ethernet II frames and MAC addresses.
 *
 *   0            6            12     14
 *   ┌────────────┬────────────┬──────┬───────────┐        ┌──────┬──────┐
 *   │ destination│ source     │ type │ payload … │   tag: │ TPID │ TCI  │ between source and type
 *   └────────────┴────────────┴──────┴───────────┘        └──────┴──────┘
 *
 * A MAC address is a `number`: its 48 bits fit a double exactly, so it is compared and hashed without an
 * allocation. Source: IEEE 802.3-2022 clause 3; tags IEEE 802.1Q-2022 clause 9; EtherTypes IANA.
 * Left out: 802.3 frames with a length and LLC (they pass the bridge like any other), FCS.
 */
import { ConfigError } from '../../core/index.js';
import type { L2ErrorCode } from '../errors.js';
import { type Decoded, decoded, readU16, readU48, refused, writeU16, writeU48 } from './bytes.js';

export const ETH_DST = 0;
export const ETH_SRC = 6;
export const ETH_TYPE = 12;
export const ETH_HEADER_BYTES = 14;
/** Shortest frame without FCS; whoever originates a frame pads to it with zeros. */
export const ETH_MIN_BYTES = 60;
export const VLAN_TAG_BYTES = 4;

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_RARP = 0x8035;
export const ETHERTYPE_VLAN = 0x8100;
export const ETHERTYPE_IPV6 = 0x86dd;
export const ETHERTYPE_SERVICE_VLAN = 0x88a8;

export const BROADCAST_MAC = 0xffff_ffff_ffff;
/** First of the sixteen addresses a bridge never forwards, 01-80-C2-00-00-00..0F (802.1Q-2022, 8.6.3). */
const LINK_LOCAL_FIRST = 0x0180_c200_0000;
const GROUP_BIT = 0x0100_0000_0000;

export interface EthernetHeader {
  readonly dst: number;
  readonly src: number;
  /** The EtherType behind at most two VLAN tags. */
  readonly etherType: number;
  /** The tag control field of the outermost tag; `null` in an untagged frame. */
  readonly tci: number | null;
  /** Offset of the payload in the buffer. */
  readonly payloadAt: number;
}

/** Reads the header at `at`; `truncated` when `end` comes before its last byte. */
export function decodeEthernet(b: Uint8Array, at: number, end: number): Decoded<EthernetHeader, 'truncated'> {
  if (end - at < ETH_HEADER_BYTES) return refused('truncated', end);
  const payloadAt = ethernetPayloadAt(b, at, end);
  if (payloadAt < 0) return refused('truncated', end);
  return decoded({
    dst: readU48(b, at + ETH_DST),
    src: readU48(b, at + ETH_SRC),
    etherType: readU16(b, payloadAt - 2),
    tci: payloadAt === at + ETH_HEADER_BYTES ? null : readU16(b, at + ETH_TYPE + 2),
    payloadAt,
  });
}

/**
 * Offset of the payload of the frame at `at`, past at most two VLAN tags; -1 when `end` comes first.
 * The EtherType stands in the two bytes before it.
 */
export function ethernetPayloadAt(b: Uint8Array, at: number, end: number): number {
  let payloadAt = at + ETH_HEADER_BYTES;
  for (let tags = 0; tags < 2 && payloadAt <= end; tags++) {
    const type = readU16(b, payloadAt - 2);
    if (type !== ETHERTYPE_VLAN && type !== ETHERTYPE_SERVICE_VLAN) break;
    payloadAt += VLAN_TAG_BYTES;
  }
  return payloadAt <= end ? payloadAt : -1;
}

/** Writes an untagged header of 14 bytes at `at`. */
export function writeEthernet(b: Uint8Array, at: number, dst: number, src: number, etherType: number): void {
  writeU48(b, at + ETH_DST, dst);
  writeU48(b, at + ETH_SRC, src);
  writeU16(b, at + ETH_TYPE, etherType);
}

/** A zeroed buffer for a frame of `length` bytes, padded to the shortest legal frame. */
export function newFrameBytes(length: number): Uint8Array {
  return new Uint8Array(Math.max(length, ETH_MIN_BYTES));
}

/** True for multicast and broadcast: the group bit is the lowest bit of the first byte (802.3, 3.2.3). */
export function isGroupMac(mac: number): boolean {
  return Math.floor(mac / GROUP_BIT) % 2 === 1;
}

/** `isGroupMac` for the address in the six bytes at `at`. */
export function isGroupMacAt(b: Uint8Array, at: number): boolean {
  return (b[at]! & 1) === 1;
}

/** True for 01-80-C2-00-00-00..0F. */
export function isLinkLocalMac(mac: number): boolean {
  return mac >= LINK_LOCAL_FIRST && mac <= LINK_LOCAL_FIRST + 0x0f;
}

const MAC_TEXT = /^[0-9a-f]{2}([:-])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}$/i;

/**
 * The address in `52:54:00:12:34:56` (or with hyphens).
 * @param option the name the user knows it by
 * @throws ConfigError `L2_MAC_SYNTAX`
 */
export function parseMac(text: string, option = 'MAC address'): number {
  if (!MAC_TEXT.test(text)) {
    throw new ConfigError<L2ErrorCode>(
      'L2_MAC_SYNTAX',
      `${option} ${JSON.stringify(text)} is not a MAC address`,
      {
        details: { option, text },
        hint: 'write six bytes in hex with colons, like 52:54:00:12:34:56',
      },
    );
  }
  return Number.parseInt(text.replace(/[:-]/g, ''), 16);
}

/** `52:54:00:12:34:56`. @param mac 0..2^48 - 1 */
export function formatMac(mac: number): string {
  const hex = mac.toString(16).padStart(12, '0');
  return `${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4, 6)}:${hex.slice(6, 8)}:${hex.slice(8, 10)}:${hex.slice(10)}`;
}
