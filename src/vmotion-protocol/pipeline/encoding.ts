/**
 * How a page travels: one byte names the encoding, the bytes beside it are the encoding's own. Both transports carry
 * these: TCP in ENCODED records, UDP in the record of a PAGE frame.
 *
 *   RAW        0   4096 bytes
 *   ZERO       1   none: the page holds only zeros
 *   SAME       2   pfn u32 │ hash lo u32 │ hash hi u32      what page `pfn` holds at the receiver, if that has this hash
 *   DELTA      3   hash lo u32 │ hash hi u32 │ delta        applied to what the receiver has: a page of this hash
 *   COMPRESSED 4   a block of the codec agreed in ACCEPT    4096 bytes when decompressed
 *
 *   ENCODED record, kind 5 of a page stream (page-stream.ts has the header and the runs); in kind 6, ENCODED_HASHED, the
 *   hash of each page (lo u32, hi u32) stands ahead of the descriptors, as in HASHED:
 *
 *   0         16          16 + 8·runs
 *   │ header  │ runs × 8 B │ pages × { encoding u8 │ 0 u8 │ length u16 } │ bytes of each page, in order
 *
 * Little-endian. 1..64 pages of any encodings, each at most 4096 bytes, so that a record holds at most 256 KiB.
 * A receiver that finds another hash changes nothing and names the page in ROUND_DONE: it is a *miss*, and the
 * page comes in full with the next round. Bytes that are none of this are a violation.
 */
import { PAGE_SIZE } from '../../core/index.js';

export const AS_RAW = 0;
export const AS_ZERO = 1;
export const AS_SAME = 2;
export const AS_DELTA = 3;
export const AS_COMPRESSED = 4;

/** Names of the encodings, by number: for results and logs. */
export const ENCODINGS = ['raw', 'zero', 'same', 'delta', 'compressed'] as const;

/** The kinds of encoded records, beside RECORD_DATA … RECORD_HASHED. */
export const RECORD_ENCODED = 5;
export const RECORD_ENCODED_HASHED = 6;
/** Bytes of a page's descriptor in an encoded record. */
export const DESCRIPTOR_BYTES = 4;

/** SAME: where its fields stand. */
export const SAME_PFN_AT = 0;
export const SAME_HASH_AT = 4;
export const SAME_BYTES = 12;
/** DELTA: the hash of the result, and where the delta begins. */
export const DELTA_HASH_AT = 0;
export const DELTA_AT = 8;

/** Whether a page may travel in `length` bytes of this encoding. False for an unknown one. */
export function lengthFits(encoding: number, length: number): boolean {
  switch (encoding) {
    case AS_RAW:
      return length === PAGE_SIZE;
    case AS_ZERO:
      return length === 0;
    case AS_SAME:
      return length === SAME_BYTES;
    case AS_DELTA:
      return length >= DELTA_AT && length < PAGE_SIZE;
    case AS_COMPRESSED:
      return length >= 1 && length < PAGE_SIZE;
    default:
      return false;
  }
}

export function writeDescriptor(view: DataView, at: number, encoding: number, length: number): void {
  view.setUint8(at, encoding);
  view.setUint8(at + 1, 0);
  view.setUint16(at + 2, length, true);
}

export function descriptorEncoding(view: DataView, at: number): number {
  return view.getUint8(at);
}

export function descriptorLength(view: DataView, at: number): number {
  return view.getUint16(at + 2, true);
}

/**
 * Checks the descriptors of a record as a whole.
 * @param pages 1..64
 * @returns the bytes that follow them; -1 when one of them is none
 */
export function checkDescriptors(view: DataView, at: number, pages: number): number {
  let bytes = 0;
  for (let i = 0; i < pages; i++) {
    const d = at + i * DESCRIPTOR_BYTES;
    const length = descriptorLength(view, d);
    if (view.getUint8(d + 1) !== 0 || !lengthFits(view.getUint8(d), length)) return -1;
    bytes += length;
  }
  return bytes;
}
