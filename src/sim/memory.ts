/**
 * Guest memory in which a 64-bit name of a page's content stands for its 4096 bytes: equal names, equal pages. The
 * first pages, in which the guest keeps its state and its service's, have their bytes as well, since clients check them.
 *
 *   pfn 0 … S+1     name and bytes (header, client table, slots: guest/layout.ts)
 *   pfn S+2 …       name
 */
import { PAGE_SIZE } from '../core/index.js';
import { type FillKind, fillKindOf, layoutOf } from '../guest/index.js';

/** A page's content while it travels. */
export interface PageContent {
  readonly lo: number;
  readonly hi: number;
  /** Of a page that has bytes; not written from now on. */
  readonly bytes: Uint8Array | null;
}

/** The name of a page of zeros. */
export const ZERO_NAME = 0;

export class SimMemory {
  readonly pages: number;
  /** Names, by pfn. */
  readonly lo: Uint32Array;
  readonly hi: Uint32Array;
  /** Bytes of the first pages. */
  readonly bytes: Uint8Array;
  readonly bytePages: number;

  constructor(pages: number) {
    this.pages = pages;
    this.lo = new Uint32Array(pages);
    this.hi = new Uint32Array(pages);
    this.bytePages = layoutOf(pages).freeFirstPage;
    this.bytes = new Uint8Array(this.bytePages * PAGE_SIZE);
  }

  /** As booted: what `fill` gives each page that the guest's service does not use. */
  fill(kind: FillKind, seed: number): void {
    for (let pfn = this.bytePages; pfn < this.pages; pfn++) {
      const zero = fillKindOf(kind, seed, pfn) === 'zero';
      this.lo[pfn] = zero ? ZERO_NAME : nameOf(seed, pfn);
      this.hi[pfn] = zero ? ZERO_NAME : pfn;
    }
  }

  /** As if it had never been touched. */
  clear(): void {
    this.lo.fill(ZERO_NAME);
    this.hi.fill(ZERO_NAME);
    this.bytes.fill(0);
  }

  isZero(pfn: number): boolean {
    return this.lo[pfn] === ZERO_NAME && this.hi[pfn] === ZERO_NAME;
  }

  /** The page as it is now. */
  read(pfn: number): PageContent {
    const at = pfn * PAGE_SIZE;
    const bytes = pfn < this.bytePages ? this.bytes.slice(at, at + PAGE_SIZE) : null;
    return { lo: this.lo[pfn]!, hi: this.hi[pfn]!, bytes };
  }

  place(pfn: number, { lo, hi, bytes }: PageContent): void {
    this.lo[pfn] = lo;
    this.hi[pfn] = hi;
    if (bytes !== null) this.bytes.set(bytes, pfn * PAGE_SIZE);
  }

  copyFrom(other: SimMemory): void {
    this.lo.set(other.lo);
    this.hi.set(other.hi);
    this.bytes.set(other.bytes);
  }

  /** The first page, not in `except`, that differs from `other`'s; -1 when none does. */
  firstDifference(other: SimMemory, except: { has(pfn: number): boolean } | null = null): number {
    for (let pfn = 0; pfn < this.pages; pfn++) {
      if (this.lo[pfn] === other.lo[pfn] && this.hi[pfn] === other.hi[pfn]) continue;
      if (except === null || !except.has(pfn)) return pfn;
    }
    return -1;
  }
}

/** 32 bits of `seed` and `n`, mixed (the finalizer of MurmurHash3, Appleby). */
export function nameOf(seed: number, n: number): number {
  let h = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(n + 0x7f4a7c15, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
