/**
 * A 64-bit hash of each page (xxHash64, Collet), in a table that both sides of a move compare.
 *
 *   table   pfn 0: lo u32, hi u32 │ pfn 1: lo, hi │ …          `words`; the same as u64: `table`
 *
 * About 0.7 µs a page. The page is copied before it is hashed, so that a guest that writes meanwhile may tear
 * the copy, yet hash and copy agree.
 */
import xxhash from 'xxhash-wasm';
import { PAGE_SIZE } from '../../core/index.js';
import type { GuestMemory } from '../index.js';

const { h64Raw } = await xxhash();

const ZERO_PAGE = Buffer.alloc(PAGE_SIZE);
const ZERO_HASH = h64Raw(ZERO_PAGE);

/** The same hash of a page that stands anywhere, in halves. */
export class PageDigester {
  readonly #hash = new BigUint64Array(1);
  readonly #words = new Uint32Array(this.#hash.buffer);

  get lo(): number {
    return this.#words[0]!;
  }

  get hi(): number {
    return this.#words[1]!;
  }

  /** Hashes the page bytes[at …). */
  take(bytes: Uint8Array, at: number): void {
    this.#hash[0] = h64Raw(bytes.subarray(at, at + PAGE_SIZE));
  }
}

export class PageHasher {
  /** The hashes taken last, by pfn. */
  readonly table: BigUint64Array;
  /** The same bytes as native words: hash of pfn is [2·pfn] (low) and [2·pfn + 1] (high). */
  readonly words: Uint32Array;
  readonly #bytes: Buffer;

  constructor(memory: GuestMemory) {
    this.table = new BigUint64Array(memory.pages);
    this.words = new Uint32Array(this.table.buffer);
    this.#bytes = Buffer.from(memory.buffer, 0, memory.pages * PAGE_SIZE);
  }

  /** Hashes page `pfn` as it is now into the table. */
  hash(pfn: number): void {
    const at = pfn * PAGE_SIZE;
    // xxhash-wasm takes a view and gives a BigInt: two short-lived objects a page, which the hashing outweighs.
    this.table[pfn] = h64Raw(this.#bytes.subarray(at, at + PAGE_SIZE));
  }

  /** Hashes a page that stands elsewhere, in `bytes` from `at` on, as the content of page `pfn`. */
  hashOther(pfn: number, bytes: Uint8Array, at: number): void {
    this.table[pfn] = h64Raw(bytes.subarray(at, at + PAGE_SIZE));
  }

  /** Takes note that page `pfn` is all zero. */
  hashZero(pfn: number): void {
    this.table[pfn] = ZERO_HASH;
  }

  /** Whether page `pfn`, hashed just before, is all zero. The bytes decide: a hash alone could collide. */
  isZero(pfn: number): boolean {
    if (this.table[pfn] !== ZERO_HASH) return false;
    const at = pfn * PAGE_SIZE;
    return this.#bytes.compare(ZERO_PAGE, 0, PAGE_SIZE, at, at + PAGE_SIZE) === 0;
  }
}
