/**
 * A commutative 64-bit hash of a guest's memory: the sum, modulo 2^64, of one mixed value per
 * (pfn, page hash). Pages are replaced one by one as rounds overwrite them, and the total at the pause
 * is ready without looking at memory again.
 *
 *   total = Σ over pages  mix(pfn, hashLo, hashHi)         mix: 96 bits → two 32-bit lanes
 *
 * Each lane absorbs the three words in turn through a bijective 32-bit finaliser, lane A in the order
 * pfn, lo, hi and lane B in the order pfn, hi, lo. Since every stage is a bijection in the word it
 * takes, a change of one word alone always changes both lanes. Finalisers: fmix32 of MurmurHash3
 * (Appleby) for A, lowbias32 (Wellons, "hash prospector", 2018) for B.
 * It finds our own faults; against an adversary stands the AEAD of the page records.
 */
import type { Hash64 } from './messages.js';

const SEED_A = 0x9e3779b9;
const SEED_B = 0x7f4a7c15;

function fmix32(v: number): number {
  let h = v ^ (v >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function lowbias32(v: number): number {
  let h = v ^ (v >>> 16);
  h = Math.imul(h, 0x7feb352d);
  h ^= h >>> 15;
  h = Math.imul(h, 0x846ca68b);
  return h ^ (h >>> 16);
}

export class SetHash {
  #lo = 0;
  #hi = 0;

  /** The low 32 bits of the total, unsigned. */
  get lo(): number {
    return this.#lo;
  }

  get hi(): number {
    return this.#hi;
  }

  /** Adds a page. @param hashLo, hashHi halves of the page's 64-bit content hash */
  add(pfn: number, hashLo: number, hashHi: number): void {
    const lo = this.#lo + (laneA(pfn, hashLo, hashHi) >>> 0);
    const carry = lo > 0xffffffff ? 1 : 0;
    this.#lo = lo >>> 0;
    this.#hi = (this.#hi + (laneB(pfn, hashLo, hashHi) >>> 0) + carry) >>> 0;
  }

  /** Takes away a page that was added with this very hash. */
  remove(pfn: number, hashLo: number, hashHi: number): void {
    const lo = this.#lo - (laneA(pfn, hashLo, hashHi) >>> 0);
    const borrow = lo < 0 ? 1 : 0;
    this.#lo = lo >>> 0;
    this.#hi = (this.#hi - (laneB(pfn, hashLo, hashHi) >>> 0) - borrow) >>> 0;
  }

  /** A page's content went from the old hash to the new one. */
  replace(pfn: number, oldLo: number, oldHi: number, newLo: number, newHi: number): void {
    this.remove(pfn, oldLo, oldHi);
    this.add(pfn, newLo, newHi);
  }

  equals(other: Hash64): boolean {
    return this.#lo === other.lo && this.#hi === other.hi;
  }

  /** The total as a plain value for a message. */
  value(): Hash64 {
    return { lo: this.#lo, hi: this.#hi };
  }

  clear(): void {
    this.#lo = 0;
    this.#hi = 0;
  }
}

function laneA(pfn: number, lo: number, hi: number): number {
  return fmix32(fmix32(fmix32(pfn ^ SEED_A) ^ lo) ^ hi);
}

function laneB(pfn: number, lo: number, hi: number): number {
  return lowbias32(lowbias32(lowbias32(pfn ^ SEED_B) ^ hi) ^ lo);
}
