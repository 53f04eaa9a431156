/**
 * Pages as native 32-bit words: a comparison of words is four times that of bytes, and V8 keeps it free of
 * allocation. Offsets are in words. Memory of a guest may be written meanwhile: a result then says what some mix of
 * old and new words was, which the dirty log sets right.
 */
import { PAGE_SIZE } from '../../core/index.js';

/** Words of a page. */
export const PAGE_WORDS = PAGE_SIZE / 4;

/** The same bytes as words. @param bytes begin at a multiple of four in their buffer; their length is one as well */
export function wordsOf(bytes: Uint8Array): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
}

/** Whether the page at `at` holds only zeros. A page that does not is mostly known by its first words. */
export function isZeroPage(words: Int32Array, at: number): boolean {
  const end = at + PAGE_WORDS;
  for (let i = at; i < end; i += 4) {
    if ((words[i]! | words[i + 1]! | words[i + 2]! | words[i + 3]!) !== 0) return false;
  }
  return true;
}

/** Whether two pages hold the same. */
export function samePage(a: Int32Array, aAt: number, b: Int32Array, bAt: number): boolean {
  const d = bAt - aAt;
  const end = aAt + PAGE_WORDS;
  for (let i = aAt; i < end; i += 4) {
    const j = i + d;
    const differs =
      (a[i]! ^ b[j]!) | (a[i + 1]! ^ b[j + 1]!) | (a[i + 2]! ^ b[j + 2]!) | (a[i + 3]! ^ b[j + 3]!);
    if (differs !== 0) return false;
  }
  return true;
}
