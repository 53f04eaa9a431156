/**
 * The page pipeline at the destination: makes pages of what `page-pipeline.ts` wrote, and believes nothing.
 *
 *   bytes ─► does the length fit? ─► made in a page of its own ─► has it the hash that came along? ─► guest memory
 *              bad                      bad                        miss: nothing has changed
 *
 * A *miss* is no fault of the peer: what it refers to is not held here in that version. It goes into ROUND_DONE, and
 * the page comes in full. *Bad* bytes are a violation. Whatever the bytes are, nothing throws, nothing is written
 * but the page named, and no page is read that was not received in this migration: it may be one that is missing.
 */
import { PAGE_SIZE, PageSet } from '../../core/index.js';
import type { PageCodec } from './codec.js';
import { applyDelta } from './delta.js';
import {
  AS_COMPRESSED,
  AS_DELTA,
  AS_RAW,
  AS_SAME,
  AS_ZERO,
  DELTA_AT,
  DELTA_HASH_AT,
  ENCODINGS,
  lengthFits,
  SAME_HASH_AT,
  SAME_PFN_AT,
} from './encoding.js';
import { isZeroPage, PAGE_WORDS, wordsOf } from './page-words.js';

/** The hash of both sides' pages. `take` leaves it in `lo` and `hi`, unsigned 32 bits each. */
export interface PageDigest {
  take(bytes: Uint8Array, at: number): void;
  readonly lo: number;
  readonly hi: number;
}

export type Applied = 'applied' | 'miss' | 'bad';

export interface ApplierCounts {
  /** Pages applied, by encoding as `ENCODINGS` names them. */
  readonly pagesByEncoding: Readonly<Record<(typeof ENCODINGS)[number], number>>;
  readonly misses: number;
  readonly bad: number;
}

export class PageApplier {
  /** What `make` made: 4096 bytes outside the moving heap, to be placed where the page is missing. */
  readonly page = new Uint8Array(new ArrayBuffer(PAGE_SIZE));
  /** Pages missed since `takeMisses`. */
  #misses: PageSet;
  readonly #memory: Uint8Array;
  readonly #words: Int32Array;
  readonly #pages: number;
  readonly #digest: PageDigest;
  readonly #codec: PageCodec | null;
  readonly #held: PageSet;
  #guestRuns = false;
  readonly #pagesAs = new Float64Array(ENCODINGS.length);
  #missCount = 0;
  #badCount = 0;

  /**
   * @param memory the guest's, all zeros where nothing was received; its place in its buffer is a multiple of four
   * @param codec what was agreed; null refuses what is compressed
   */
  constructor(memory: Uint8Array, digest: PageDigest, codec: PageCodec | null) {
    this.#memory = memory;
    this.#words = wordsOf(memory);
    this.#pages = Math.floor(memory.length / PAGE_SIZE);
    this.#digest = digest;
    this.#codec = codec;
    this.#held = new PageSet(this.#pages);
    this.#misses = new PageSet(this.#pages);
  }

  /** Pages first…first+count-1 came by another way (DATA and ZERO records): they may be referred to. */
  received(first: number, count: number): void {
    if (!this.#guestRuns) this.#held.addRange(first, first + count);
  }

  /** These pages were dropped: they may not be referred to. */
  lost(pages: PageSet): void {
    this.#held.subtract(pages);
  }

  /** What was made for this page was not put into its place. */
  dropped(pfn: number): void {
    this.#held.delete(pfn);
  }

  /** The guest runs here: its pages change, or are missing, and may not be referred to any more. */
  guestRuns(): void {
    this.#guestRuns = true;
    this.#held.clear();
  }

  /** Pages missed since the last call, for ROUND_DONE; null for none. The set is the caller's. */
  takeMisses(): PageSet | null {
    const misses = this.#misses;
    if (misses.next(0) < 0) return null;
    this.#misses = new PageSet(this.#pages);
    return misses;
  }

  counts(): ApplierCounts {
    const as = this.#pagesAs;
    return {
      pagesByEncoding: {
        raw: as[AS_RAW]!,
        zero: as[AS_ZERO]!,
        same: as[AS_SAME]!,
        delta: as[AS_DELTA]!,
        compressed: as[AS_COMPRESSED]!,
      },
      misses: this.#missCount,
      bad: this.#badCount,
    };
  }

  /** Puts page `pfn` into guest memory. After `miss` and `bad` that is as it was. */
  apply(pfn: number, encoding: number, bytes: Uint8Array, at: number, length: number): Applied {
    const to = pfn * PAGE_SIZE;
    let result: Applied = 'applied';
    if (!this.#fits(pfn, encoding, bytes, at, length)) result = 'bad';
    else if (encoding === AS_RAW) this.#memory.set(bytes.subarray(at, at + PAGE_SIZE), to);
    else if (encoding === AS_ZERO) this.#clear(pfn);
    else {
      result = this.#make(pfn, encoding, bytes, at, length);
      if (result === 'applied') this.#memory.set(this.page, to);
    }
    return this.#count(pfn, encoding, result);
  }

  /** Makes page `pfn` in `page`, for the caller to place: guest memory is not written, and read only where it is held. */
  make(pfn: number, encoding: number, bytes: Uint8Array, at: number, length: number): Applied {
    const fits = this.#fits(pfn, encoding, bytes, at, length);
    return this.#count(pfn, encoding, fits ? this.#make(pfn, encoding, bytes, at, length) : 'bad');
  }

  #fits(pfn: number, encoding: number, bytes: Uint8Array, at: number, length: number): boolean {
    return pfn < this.#pages && lengthFits(encoding, length) && at + length <= bytes.length;
  }

  #count(pfn: number, encoding: number, result: Applied): Applied {
    if (result === 'applied') {
      this.#pagesAs[encoding]!++;
      this.received(pfn, 1);
      this.#misses.delete(pfn);
    } else if (result === 'miss') {
      this.#missCount++;
      this.#misses.add(pfn);
    } else this.#badCount++;
    return result;
  }

  /** Written only where it is not zero already, so that untouched memory stays unpopulated. */
  #clear(pfn: number): void {
    const to = pfn * PAGE_SIZE;
    if (!isZeroPage(this.#words, pfn * PAGE_WORDS)) this.#memory.fill(0, to, to + PAGE_SIZE);
  }

  #make(pfn: number, encoding: number, bytes: Uint8Array, at: number, length: number): Applied {
    switch (encoding) {
      case AS_RAW:
        this.page.set(bytes.subarray(at, at + PAGE_SIZE));
        return 'applied';
      case AS_ZERO:
        this.page.fill(0);
        return 'applied';
      case AS_SAME: {
        const other = u32(bytes, at + SAME_PFN_AT);
        if (other >= this.#pages) return 'bad';
        if (!this.#copyHeld(other)) return 'miss';
        return this.#hashIs(bytes, at + SAME_HASH_AT) ? 'applied' : 'miss';
      }
      case AS_DELTA:
        if (!this.#copyHeld(pfn)) return 'miss';
        if (!applyDelta(bytes, at + DELTA_AT, length - DELTA_AT, this.page, 0)) return 'bad';
        return this.#hashIs(bytes, at + DELTA_HASH_AT) ? 'applied' : 'miss';
      default:
        return this.#codec?.decompress(bytes, at, length, this.page, 0) ? 'applied' : 'bad';
    }
  }

  #copyHeld(pfn: number): boolean {
    if (!this.#held.has(pfn)) return false;
    this.page.set(this.#memory.subarray(pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE));
    return true;
  }

  /** Whether the page made has the hash at bytes[at …). */
  #hashIs(bytes: Uint8Array, at: number): boolean {
    this.#digest.take(this.page, 0);
    return this.#digest.lo === u32(bytes, at) && this.#digest.hi === u32(bytes, at + 4);
  }
}

function u32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}
