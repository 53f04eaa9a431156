/**
 * A set of pages on the wire: the shorter of a bitmap and a list of runs. A pause carries one of these, so a few
 * hundred scattered pages of a large guest should be a few hundred bytes.
 *
 *   0     1
 *   │ 0   │ bitmap: little-endian words, byte i holds pfns 8i…8i+7          (core/page-set.ts)
 *   │ 1   │ per run two LEB128 numbers: pages left out before it, pages in it
 *
 * LEB128: seven bits a byte, the lowest first, the top bit says that more follow (DWARF 5, section 7.6).
 */
import { PageSet } from '../core/index.js';

const BITMAP = 0;
const RUNS = 1;

/** Bytes of an encoded set at most. */
export function pageSetBytesMax(pages: number): number {
  return 1 + Math.ceil(pages / 32) * 4;
}

/** The set in bytes that the caller owns. O(pages / 32 + runs). */
export function encodePageSet(set: PageSet): Uint8Array {
  const bitmapBytes = set.words.length * 4;
  const runs = new Uint8Array(1 + bitmapBytes);
  runs[0] = RUNS;
  let at = 1;
  let end = 0;
  for (let pfn = set.next(0); pfn >= 0; pfn = set.next(end)) {
    // A pair of numbers below 2^22 takes eight bytes at most: where they may not fit, the bitmap is the shorter one.
    if (at + 8 > bitmapBytes) return encodeBitmap(set);
    at = putNumber(runs, at, pfn - end);
    end = set.runEnd(pfn, set.pages);
    at = putNumber(runs, at, end - pfn);
  }
  return runs.subarray(0, at);
}

/** The set, or null when the bytes are not one of `pages` pages: runs that overlap, touch, or reach beyond are refused. */
export function decodePageSet(pages: number, bytes: Uint8Array): PageSet | null {
  if (bytes[0] === BITMAP) return PageSet.fromBytes(pages, bytes.subarray(1));
  if (bytes[0] !== RUNS) return null;
  const set = new PageSet(pages);
  let end = 0;
  let at = 1;
  while (at < bytes.length) {
    const gap = numberAt(bytes, at);
    if (gap < 0 || (gap === 0 && at > 1)) return null;
    at += numberBytes(bytes, at);
    const length = at < bytes.length ? numberAt(bytes, at) : -1;
    if (length < 1 || end + gap + length > pages) return null;
    at += numberBytes(bytes, at);
    set.addRange(end + gap, end + gap + length);
    end += gap + length;
  }
  return set;
}

function encodeBitmap(set: PageSet): Uint8Array {
  const bytes = new Uint8Array(1 + set.words.length * 4);
  bytes[0] = BITMAP;
  bytes.set(set.toBytes(), 1);
  return bytes;
}

function putNumber(bytes: Uint8Array, at: number, value: number): number {
  let next = at;
  let rest = value;
  while (rest > 0x7f) {
    bytes[next++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[next++] = rest;
  return next;
}

/** The number that begins at `at`; -1 when it is cut off or longer than four bytes. */
function numberAt(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let i = 0; i < 4; i++) {
    const b = bytes[at + i];
    if (b === undefined) return -1;
    value |= (b & 0x7f) << (7 * i);
    if (b < 0x80) return value;
  }
  return -1;
}

function numberBytes(bytes: Uint8Array, at: number): number {
  let n = 1;
  while (n < 4 && bytes[at + n - 1]! >= 0x80) n++;
  return n;
}
