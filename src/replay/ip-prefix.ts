/** IP prefixes of both families: `10.0.0.0/8`, `2001:db8::/32`, an address alone is a prefix of all its bits. RFC 4291, 2.2 and 2.3. */
import { isIPv4, isIPv6 } from 'node:net';

export interface IpPrefix {
  readonly family: 4 | 6;
  /** 4 or 16 bytes; bits behind the prefix are 0. */
  readonly bytes: Uint8Array;
  readonly bits: number;
}

/** Null for what is no prefix. */
export function parsePrefix(text: string): IpPrefix | null {
  const [address = '', length, more] = text.trim().split('/');
  if (more !== undefined || (length !== undefined && !/^\d{1,3}$/.test(length))) return null;
  const bytes = isIPv4(address) ? v4(address) : isIPv6(address) ? v6(address) : null;
  if (bytes === null) return null;
  const bits = length === undefined ? bytes.length * 8 : Number(length);
  if (bits > bytes.length * 8) return null;
  for (let i = 0; i < bytes.length; i++) bytes[i] = bytes[i]! & maskOf(i, bits);
  return { family: bytes.length === 4 ? 4 : 6, bytes, bits };
}

/** Whether the address at `at` lies in the prefix. */
export function prefixHas(prefix: IpPrefix, b: Uint8Array, at: number, family: 4 | 6): boolean {
  if (family !== prefix.family) return false;
  for (let i = 0; i < prefix.bytes.length; i++) {
    if ((b[at + i]! & maskOf(i, prefix.bits)) !== prefix.bytes[i]) return false;
  }
  return true;
}

/** The bits of byte `i` that belong to a prefix of `bits` bits. */
export function maskOf(i: number, bits: number): number {
  const inByte = Math.min(8, Math.max(0, bits - i * 8));
  return (0xff00 >>> inByte) & 0xff;
}

function v4(text: string): Uint8Array {
  return Uint8Array.from(text.split('.').map(Number));
}

function v6(text: string): Uint8Array {
  const bytes = new Uint8Array(16);
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  let plain = text.split('%')[0]!;
  if (dotted) {
    const [a, b, c, d] = v4(dotted[2]!);
    plain = `${dotted[1]}${((a! << 8) | b!).toString(16)}:${((c! << 8) | d!).toString(16)}`;
  }
  const [head = '', tail] = plain.split('::');
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((g) => Number.parseInt(g, 16));
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const write = (at: number, value: number): void => {
    bytes[at * 2] = value >>> 8;
    bytes[at * 2 + 1] = value & 0xff;
  };
  for (const [i, g] of before.entries()) write(i, g);
  for (const [i, g] of after.entries()) write(8 - after.length + i, g);
  return bytes;
}
