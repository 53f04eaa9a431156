/** Addresses as people write them, for filters: `10.80.0.1`, `10.80.0.0/16`, `fe80::1`, `fd00::/8` (RFC 4291, 2.2). */

/** An address and how many of its leading bits count. */
export interface IpPrefix {
  /** 4 or 16. */
  readonly bytes: Uint8Array;
  readonly bits: number;
}

/** Null for what is none. */
export function parseIpPrefix(text: string): IpPrefix | null {
  const [address, length, ...more] = text.split('/');
  if (address === undefined || more.length > 0) return null;
  const bytes = address.includes(':') ? ipv6Bytes(address) : ipv4Bytes(address);
  if (bytes === null) return null;
  const most = bytes.length * 8;
  if (length === undefined) return { bytes, bits: most };
  if (!/^\d{1,3}$/.test(length) || Number(length) > most) return null;
  return { bytes, bits: Number(length) };
}

/** Whether the address at `at` of `data` has the prefix. @param addressBytes 4 or 16 */
export function hasPrefix(prefix: IpPrefix, data: Uint8Array, at: number, addressBytes: number): boolean {
  if (at < 0 || addressBytes !== prefix.bytes.length) return false;
  const whole = prefix.bits >>> 3;
  for (let i = 0; i < whole; i++) if (data[at + i] !== prefix.bytes[i]) return false;
  const rest = prefix.bits & 7;
  return rest === 0 || ((data[at + whole]! ^ prefix.bytes[whole]!) & (0xff00 >>> rest) & 0xff) === 0;
}

function ipv4Bytes(text: string): Uint8Array | null {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((p) => /^\d{1,3}$/.test(p) && Number(p) <= 255)) return null;
  return Uint8Array.from(parts, Number);
}

function ipv6Bytes(text: string): Uint8Array | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  const [head = [], tail = []] = groups;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const all = [...head, ...new Array<string>(missing).fill('0'), ...tail];
  if (!all.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return null;
  return Uint8Array.from(
    all.flatMap((group) => [Number.parseInt(group, 16) >>> 8, Number.parseInt(group, 16) & 0xff]),
  );
}
