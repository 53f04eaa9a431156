/**
 * Names that a capture resolves (pcapng name resolution block, draft-ietf-opsawg-pcapng, 4.5):
 *
 *   record: type u16 (1 IPv4, 2 IPv6, 0 end) │ length u16 │ address │ names, each ended by a zero │ padding
 *
 * They only decorate, so a record that is cut off ends the list quietly.
 */
import { padded } from './pcapng-format.js';

export interface ResolvedName {
  /** As the file has it: 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly names: readonly string[];
}

const RECORD_END = 0;
const ADDRESS_BYTES: Readonly<Record<number, number>> = { 1: 4, 2: 16 };

/** Appends the records at `at..end` to `out`, until there are `most` of them. */
export function decodeNames(
  b: Uint8Array,
  at: number,
  end: number,
  littleEndian: boolean,
  most: number,
  out: ResolvedName[],
): void {
  const view = new DataView(b.buffer, b.byteOffset, b.byteLength);
  const text = new TextDecoder();
  let record = at;
  while (record + 4 <= end && out.length < most) {
    const type = view.getUint16(record, littleEndian);
    const length = view.getUint16(record + 2, littleEndian);
    const value = record + 4;
    if (type === RECORD_END || value + length > end) return;
    const addressBytes = ADDRESS_BYTES[type];
    if (addressBytes !== undefined && length > addressBytes) {
      const names = text.decode(b.subarray(value + addressBytes, value + length)).split('\0');
      out.push({ address: b.slice(value, value + addressBytes), names: names.filter((name) => name !== '') });
    }
    record = value + padded(length);
  }
}
