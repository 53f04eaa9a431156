/**
 * A 64-bit hash of each page (SPEC.md, "The page hash"), in a table that both sides of a move compare.
 *
 *   table   pfn 0: lo u32, hi u32 │ pfn 1: lo, hi │ …          `words`; the same as u64: `table`
 *
 * About 0.18 µs a page, read where it lies (`page-hash-code.ts`). A guest that writes meanwhile gets a hash of neither
 * content: then the page is dirty, and is hashed again.
 */
import { PAGE_SIZE } from '../../core/index.js';
import type { GuestMemory } from '../index.js';
import { pageHashCode } from './page-hash-code.js';
import { compile, createSharedMemory, instantiate, type SharedMemory } from './shared-memory.js';

interface PageHash {
  /** @param at byte address of the page, as u32 or i32 @returns the low half, signed */
  hash(at: number): number;
  /** The high half of the last hash, signed. */
  high(): number;
}

const code = compile(pageHashCode());

function hashOver(memory: SharedMemory): PageHash {
  return instantiate<PageHash>(code, memory);
}

/** The same hash of a page that stands anywhere, in halves. */
export class PageDigester {
  readonly #page: Uint8Array;
  readonly #code: PageHash;
  lo = 0;
  hi = 0;

  constructor() {
    const memory = createSharedMemory(PAGE_SIZE);
    this.#page = new Uint8Array(memory.buffer, 0, PAGE_SIZE);
    this.#code = hashOver(memory);
  }

  /** Hashes the page bytes[at …). */
  take(bytes: Uint8Array, at: number): void {
    this.#page.set(bytes.subarray(at, at + PAGE_SIZE));
    this.lo = this.#code.hash(0) >>> 0;
    this.hi = this.#code.high() >>> 0;
  }
}

const zero = new PageDigester();
const ZERO_PAGE = Buffer.alloc(PAGE_SIZE);
zero.take(ZERO_PAGE, 0);

export class PageHasher {
  /** The hashes taken last, by pfn: that of pfn is [2·pfn] (low) and [2·pfn + 1] (high). */
  readonly words: Uint32Array;
  readonly #bytes: Buffer;
  /** Over guest memory; null where that is no memory of WebAssembly. */
  readonly #code: PageHash | null;
  readonly #elsewhere = new PageDigester();

  constructor(memory: GuestMemory) {
    this.words = new Uint32Array(memory.pages * 2);
    this.#bytes = Buffer.from(memory.bytes.buffer, memory.bytes.byteOffset, memory.pages * PAGE_SIZE);
    this.#code = memory.shared === undefined ? null : hashOver(memory.shared);
  }

  /** Hashes page `pfn` as it is now into the table. */
  hash(pfn: number): void {
    const code = this.#code;
    if (code === null) return this.hashOther(pfn, this.#bytes, pfn * PAGE_SIZE);
    this.words[pfn * 2] = code.hash(pfn * PAGE_SIZE);
    this.words[pfn * 2 + 1] = code.high();
  }

  /** Hashes a page that stands elsewhere, in `bytes` from `at` on, as the content of page `pfn`. */
  hashOther(pfn: number, bytes: Uint8Array, at: number): void {
    this.#elsewhere.take(bytes, at);
    this.words[pfn * 2] = this.#elsewhere.lo;
    this.words[pfn * 2 + 1] = this.#elsewhere.hi;
  }

  /** Takes note that page `pfn` is all zero. */
  hashZero(pfn: number): void {
    this.words[pfn * 2] = zero.lo;
    this.words[pfn * 2 + 1] = zero.hi;
  }

  /** Whether page `pfn`, hashed just before, is all zero. The bytes decide: a hash alone could collide. */
  isZero(pfn: number): boolean {
    if (this.words[pfn * 2] !== zero.lo || this.words[pfn * 2 + 1] !== zero.hi) return false;
    const at = pfn * PAGE_SIZE;
    return this.#bytes.compare(ZERO_PAGE, 0, PAGE_SIZE, at, at + PAGE_SIZE) === 0;
  }
}
