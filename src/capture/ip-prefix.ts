/**
 * IP addresses and prefixes as people write them: `10.80.0.1`, `10.80.0.0/16`, `fe80::1`, `fd00::/8`, `::ffff:10.0.0.1`.
 * An address alone is a prefix of all its bits. RFC 4291, 2.2 and 2.3.
 */

export interface IpPrefix {
  /** 4 or 16; bits behind the prefix are 0. */
  readonly bytes: Uint8Array;
  readonly bits: number;
}

const OCTET = /^(0|[1-9]\d{0,2})$/;
const GROUP = /^[0-9a-f]{1,4}$/i;
const GROUPS = 8;

/** Null for what is none. */
export function parseIpPrefix(text: string): IpPrefix | null {
  const [address = '', length, more] = text.trim().split('/');
  if (more !== undefined || (length !== undefined && !/^\d{1,3}$/.test(length))) return null;
  const bytes = address.includes(':') ? ipv6Bytes(address) : ipv4Bytes(address);
  if (bytes === null) return null;
  const bits = length === undefined ? bytes.length * 8 : Number(length);
  if (bits > bytes.length * 8) return null;
  return { bytes: bytes.map((byte, i) => byte & maskOf(i, bits)), bits };
}

/** Whether the address at `at` of `data` lies in the prefix. @param addressBytes 4 or 16 */
export function hasPrefix(prefix: IpPrefix, data: Uint8Array, at: number, addressBytes: number): boolean {
  const { bytes, bits } = prefix;
  if (at < 0 || addressBytes !== bytes.length) return false;
  for (let i = 0; i * 8 < bits; i++) if ((data[at + i]! & maskOf(i, bits)) !== bytes[i]) return false;
  return true;
}

/** The bits of byte `i` that belong to a prefix of `bits` bits. */
export function maskOf(i: number, bits: number): number {
  const inByte = Math.min(8, Math.max(0, bits - i * 8));
  return (0xff00 >>> inByte) & 0xff;
}

function ipv4Bytes(text: string): Uint8Array | null {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((p) => OCTET.test(p) && Number(p) <= 255)) return null;
  return Uint8Array.from(parts, Number);
}

function ipv6Bytes(text: string): Uint8Array | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const [head = [], tail = []] = halves.map(groupsOf);
  if (head === null || tail === null) return null;
  const missing = GROUPS - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const all = [...head, ...new Array<number>(missing).fill(0), ...tail];
  return Uint8Array.from(all.flatMap((group) => [group >>> 8, group & 0xff]));
}

/** The 16-bit groups of one side of `::`; the last two may be written as an IPv4 address. */
function groupsOf(text: string): number[] | null {
  if (text === '') return [];
  const groups: number[] = [];
  const words = text.split(':');
  for (const [i, word] of words.entries()) {
    const v4 = i === words.length - 1 && word.includes('.') ? ipv4Bytes(word) : null;
    if (v4 !== null) groups.push((v4[0]! << 8) | v4[1]!, (v4[2]! << 8) | v4[3]!);
    else if (GROUP.test(word)) groups.push(Number.parseInt(word, 16));
    else return null;
  }
  return groups;
}
