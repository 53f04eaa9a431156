/**
 * The IPv4 header and IPv4 addresses (unsigned 32-bit numbers).
 *
 *   0   1    2          4     6              8     9      10         12       16       20
 *   ┌───┬────┬──────────┬─────┬──────────────┬─────┬──────┬──────────┬────────┬────────┬─────────┐
 *   │4|n│ ToS│ total len│ id  │ flags|offset │ TTL │ prot │ checksum │ source │ dest.  │ options │
 *   └───┴────┴──────────┴─────┴──────────────┴─────┴──────┴──────────┴────────┴────────┴─────────┘
 *
 * Source: RFC 791; identification RFC 6864. Left out: options (skipped), fragmentation and reassembly.
 */
import { ConfigError } from '../../core/index.js';
import type { L2ErrorCode } from '../errors.js';
import { type Decoded, decoded, readU16, readU32, refused, writeU16, writeU32 } from './bytes.js';
import { checksum } from './checksum.js';

export const IPV4_TOS = 1;
export const IPV4_TOTAL_LENGTH = 2;
export const IPV4_ID = 4;
export const IPV4_FRAGMENT = 6;
export const IPV4_TTL = 8;
export const IPV4_PROTOCOL = 9;
export const IPV4_CHECKSUM = 10;
export const IPV4_SRC = 12;
export const IPV4_DST = 16;
/** A header without options, the only kind this project originates. */
export const IPV4_HEADER_BYTES = 20;

export const PROTOCOL_ICMP = 1;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;

export const BROADCAST_IPV4 = 0xffff_ffff;
const DONT_FRAGMENT = 0x4000;
/** More-fragments flag and fragment offset: all zero in a datagram that is whole. */
const FRAGMENT_MASK = 0x3fff;
const DEFAULT_TTL = 64;

export interface Ipv4Header {
  readonly id: number;
  /** True for any piece of a fragmented datagram, the first too. */
  readonly fragment: boolean;
  readonly ttl: number;
  readonly protocol: number;
  readonly src: number;
  readonly dst: number;
  /** The payload is `b[payloadAt..payloadEnd)`; padding behind the total length is outside. */
  readonly payloadAt: number;
  readonly payloadEnd: number;
}

export type Ipv4Code = 'truncated' | 'version' | 'header-length' | 'total-length' | 'checksum';

/** Bytes of the header at `at` by its IHL field; -1 unless it is version 4 and lies before `end`. */
export function ipv4HeaderBytes(b: Uint8Array, at: number, end: number): number {
  if (end - at < IPV4_HEADER_BYTES || b[at]! >>> 4 !== 4) return -1;
  const bytes = (b[at]! & 0x0f) * 4;
  return bytes >= IPV4_HEADER_BYTES && bytes <= end - at ? bytes : -1;
}

/** True when the header at `at`, which is whole, is of any piece of a fragmented datagram. Allocates nothing. */
export function isIpv4FragmentAt(b: Uint8Array, at: number): boolean {
  return (readU16(b, at + IPV4_FRAGMENT) & FRAGMENT_MASK) !== 0;
}

/** Reads and checks the header at `at`, its checksum included. */
export function decodeIpv4(b: Uint8Array, at: number, end: number): Decoded<Ipv4Header, Ipv4Code> {
  if (end - at < IPV4_HEADER_BYTES) return refused('truncated', end);
  if (b[at]! >>> 4 !== 4) return refused('version', at);
  const headerBytes = ipv4HeaderBytes(b, at, end);
  if (headerBytes < 0) return refused('header-length', at);
  const total = readU16(b, at + IPV4_TOTAL_LENGTH);
  if (total < headerBytes || total > end - at) return refused('total-length', at + IPV4_TOTAL_LENGTH);
  if (checksum(b, at, at + headerBytes) !== 0) return refused('checksum', at + IPV4_CHECKSUM);
  return decoded({
    id: readU16(b, at + IPV4_ID),
    fragment: isIpv4FragmentAt(b, at),
    ttl: b[at + IPV4_TTL]!,
    protocol: b[at + IPV4_PROTOCOL]!,
    src: readU32(b, at + IPV4_SRC),
    dst: readU32(b, at + IPV4_DST),
    payloadAt: at + headerBytes,
    payloadEnd: at + total,
  });
}

/** Writes a header of 20 bytes (don't fragment, TTL 64) with its checksum. @param payloadBytes 0..65515 */
export function writeIpv4(
  b: Uint8Array,
  at: number,
  src: number,
  dst: number,
  protocol: number,
  id: number,
  payloadBytes: number,
): void {
  b[at] = 0x45;
  b[at + IPV4_TOS] = 0;
  writeU16(b, at + IPV4_TOTAL_LENGTH, IPV4_HEADER_BYTES + payloadBytes);
  writeU16(b, at + IPV4_ID, id);
  writeU16(b, at + IPV4_FRAGMENT, DONT_FRAGMENT);
  b[at + IPV4_TTL] = DEFAULT_TTL;
  b[at + IPV4_PROTOCOL] = protocol;
  writeU16(b, at + IPV4_CHECKSUM, 0);
  writeU32(b, at + IPV4_SRC, src);
  writeU32(b, at + IPV4_DST, dst);
  writeU16(b, at + IPV4_CHECKSUM, checksum(b, at, at + IPV4_HEADER_BYTES));
}

const IPV4_TEXT = /^(?:0|[1-9]\d{0,2})(?:\.(?:0|[1-9]\d{0,2})){3}$/;

/**
 * The address in `10.0.0.1`. A leading zero is refused: some programs read it as octal.
 * @param option the name the user knows it by
 * @throws ConfigError `L2_IPV4_SYNTAX`
 */
export function parseIpv4(text: string, option = 'IPv4 address'): number {
  const parts = text.split('.').map(Number);
  if (!IPV4_TEXT.test(text) || parts.some((p) => p > 255)) {
    throw new ConfigError<L2ErrorCode>(
      'L2_IPV4_SYNTAX',
      `${option} ${JSON.stringify(text)} is not an IPv4 address`,
      {
        details: { option, text },
        hint: 'write four decimal numbers 0..255 with dots, like 10.0.0.1',
      },
    );
  }
  return parts.reduce((ip, part) => ip * 256 + part, 0);
}

/** `10.0.0.1`. @param ip 0..2^32 - 1 */
export function formatIpv4(ip: number): string {
  return `${ip >>> 24}.${(ip >>> 16) & 0xff}.${(ip >>> 8) & 0xff}.${ip & 0xff}`;
}
