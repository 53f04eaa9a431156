/**
 * What changed of a page, against a version that both sides hold.
 *
 *   delta = (kept, changed, words) …     kept     LEB128: words that are as they were, 0..1023
 *                                        changed  LEB128: words that follow, 1..1024
 *                                        words    changed × 4 bytes, as they stand in memory
 *
 * The words after the last pair are as they were: an unchanged page is a delta of no bytes. A pair ends at the first
 * word that is unchanged: its two numbers cost two bytes, at most four, and a word would cost four. `kept` is 0 only
 * at the page's beginning, and numbers are as short as they can be, so that there is one delta for one change.
 * After the idea of XBZRLE (Svärd et al., "Evaluation of delta compression techniques for efficient live migration of
 * large virtual machines", VEE 2011), in words rather than bytes: guests write words, and words compare faster.
 */
import { PAGE_SIZE } from '../../core/index.js';
import { PAGE_WORDS } from './page-words.js';

/** LEB128 of 0..1024 takes one byte or two. */
const ONE_BYTE_MAX = 0x7f;
const PAIR_BYTES_MAX = 4;

/**
 * Writes what makes the page `next` of the page `base`. O(page); 4 words are compared at once where nothing changed.
 * @param limitBytes at most this is written: a delta that would be longer is given up as soon as it is known to be
 * @returns bytes written; -1 when they are more than the limit, and `out` then holds nothing of use
 */
export function encodeDelta(
  base: Int32Array,
  baseAt: number,
  next: Int32Array,
  nextAt: number,
  out: Uint8Array,
  outAt: number,
  limitBytes: number,
): number {
  const end = outAt + limitBytes;
  let at = outAt;
  let kept = 0;
  let i = 0;
  for (;;) {
    while (i + 4 <= PAGE_WORDS) {
      const b = baseAt + i;
      const n = nextAt + i;
      const differs =
        (base[b]! ^ next[n]!) |
        (base[b + 1]! ^ next[n + 1]!) |
        (base[b + 2]! ^ next[n + 2]!) |
        (base[b + 3]! ^ next[n + 3]!);
      if (differs !== 0) break;
      i += 4;
    }
    while (i < PAGE_WORDS && base[baseAt + i] === next[nextAt + i]) i++;
    if (i === PAGE_WORDS) return at - outAt;
    const first = i;
    const room = (end - at - PAIR_BYTES_MAX) >> 2;
    const stop = Math.min(PAGE_WORDS, first + room + 1);
    while (i < stop && base[baseAt + i] !== next[nextAt + i]) i++;
    if (i - first > room) return -1;
    at = putCount(out, at, first - kept);
    at = putCount(out, at, i - first);
    for (let j = first; j < i; j++) {
      const word = next[nextAt + j]!;
      out[at] = word;
      out[at + 1] = word >>> 8;
      out[at + 2] = word >>> 16;
      out[at + 3] = word >>> 24;
      at += 4;
    }
    kept = i;
  }
}

/**
 * Makes of the page at `pageAt` the one that the delta describes.
 * @returns false when the bytes are no delta: the page may then be changed in part, but nothing outside it
 */
export function applyDelta(
  delta: Uint8Array,
  deltaAt: number,
  length: number,
  page: Uint8Array,
  pageAt: number,
): boolean {
  const end = deltaAt + length;
  if (end > delta.length || pageAt + PAGE_SIZE > page.length) return false;
  let at = deltaAt;
  let word = 0;
  while (at < end) {
    const kept = countAt(delta, at, end);
    if (kept < 0 || (kept === 0 && at > deltaAt)) return false;
    at += kept > ONE_BYTE_MAX ? 2 : 1;
    const changed = countAt(delta, at, end);
    if (changed < 1 || word + kept + changed > PAGE_WORDS) return false;
    at += changed > ONE_BYTE_MAX ? 2 : 1;
    const bytes = changed * 4;
    if (at + bytes > end) return false;
    const to = pageAt + (word + kept) * 4;
    for (let i = 0; i < bytes; i++) page[to + i] = delta[at + i]!;
    at += bytes;
    word += kept + changed;
  }
  return true;
}

function putCount(out: Uint8Array, at: number, count: number): number {
  if (count <= ONE_BYTE_MAX) {
    out[at] = count;
    return at + 1;
  }
  out[at] = (count & 0x7f) | 0x80;
  out[at + 1] = count >>> 7;
  return at + 2;
}

/** The number at `at`; -1 when it is cut off, longer than two bytes, or longer than it need be. */
function countAt(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return -1;
  const low = bytes[at]!;
  if (low <= ONE_BYTE_MAX) return low;
  if (at + 1 >= end) return -1;
  const high = bytes[at + 1]!;
  return high === 0 || high > ONE_BYTE_MAX ? -1 : (low & 0x7f) | (high << 7);
}
