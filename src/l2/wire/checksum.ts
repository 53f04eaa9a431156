/**
 * The Internet checksum: the complement of the one's complement sum of 16-bit words.
 *
 *   sum over ranges ──► fold to 16 bits ──► complement
 *   sumBytes(…) + pseudoHeaderSum(…)   foldSum     finishSum
 *
 * Sums may be added before they are folded as long as each range but the last begins at an even offset
 * of the data it stands for (RFC 1071, section 2). A sum here stays below 2^53 for any real frame.
 * Sources: RFC 1071; RFC 1624 (update of one field); RFC 9293, section 3.1 and RFC 8200, section 8.1
 * (pseudo-headers).
 */
import { readU16 } from './bytes.js';

/** Bytes summed between folds: 2^14 words of at most 2^16 - 1 stay inside V8's 31-bit small integers. */
const BLOCK_BYTES = 0x8000 - 0x10;

/**
 * The sum of the 16-bit words of `b[start..end)`; an odd last byte counts as the high half of a word.
 * O(end - start), allocates nothing.
 * @param sum what to begin with; folded first, so any earlier sum may be passed
 */
export function sumBytes(b: Uint8Array, start: number, end: number, sum = 0): number {
  let total = foldSum(sum);
  let i = start;
  const even = end - ((end - start) & 1);
  while (i < even) {
    const stop = Math.min(even, i + BLOCK_BYTES);
    for (; i + 8 <= stop; i += 8) {
      total +=
        ((b[i]! + b[i + 2]! + b[i + 4]! + b[i + 6]!) << 8) + b[i + 1]! + b[i + 3]! + b[i + 5]! + b[i + 7]!;
    }
    for (; i < stop; i += 2) total += (b[i]! << 8) + b[i + 1]!;
    total = (total & 0xffff) + (total >>> 16);
  }
  if (even < end) total += b[even]! << 8;
  return total;
}

/** A sum brought to 16 bits by end-around carry. @param sum 0..2^53 - 1 */
export function foldSum(sum: number): number {
  let s = sum;
  while (s > 0xffff) s = (s % 0x10000) + Math.floor(s / 0x10000);
  return s;
}

/** The checksum field for a sum: folded and complemented. */
export function finishSum(sum: number): number {
  return foldSum(sum) ^ 0xffff;
}

/**
 * The checksum of `b[start..end)`. Over bytes that hold their own correct checksum the answer is 0.
 * @param sum a pseudo-header's sum, when the protocol has one
 */
export function checksum(b: Uint8Array, start: number, end: number, sum = 0): number {
  return finishSum(sumBytes(b, start, end, sum));
}

/**
 * The checksum after one 16-bit word of the data changed: HC' = ~(~HC + ~m + m'), RFC 1624, equation 3.
 * A checksum that was wrong before is wrong by as much after.
 */
export function updateChecksum(check: number, before: number, after: number): number {
  return finishSum((check ^ 0xffff) + (before ^ 0xffff) + after);
}

/**
 * Sum of the IPv4 pseudo-header.
 * @param protocol IP protocol number
 * @param length bytes of transport header and payload
 */
export function pseudoHeaderSumV4(src: number, dst: number, protocol: number, length: number): number {
  return (src >>> 16) + (src & 0xffff) + (dst >>> 16) + (dst & 0xffff) + protocol + length;
}

/**
 * Sum of the IPv6 pseudo-header, addresses read where they lie.
 * @param addressesAt offset of the source address; the destination follows it
 */
export function pseudoHeaderSumV6(
  b: Uint8Array,
  addressesAt: number,
  protocol: number,
  length: number,
): number {
  let sum = protocol + (length >>> 16) + (length & 0xffff);
  for (let at = addressesAt; at < addressesAt + 32; at += 2) sum += readU16(b, at);
  return sum;
}
