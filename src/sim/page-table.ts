/** What a host knows of each page that has moved: its content's name, and the set-hash of all of them. */
import { PageSet } from '../core/index.js';
import { SetHash } from '../vmotion-protocol/index.js';
import type { PageContent } from './memory.js';

export class PageTable {
  readonly setHash = new SetHash();
  readonly lo: Uint32Array;
  readonly hi: Uint32Array;
  readonly #known: PageSet;

  constructor(pages: number) {
    this.lo = new Uint32Array(pages);
    this.hi = new Uint32Array(pages);
    this.#known = new PageSet(pages);
  }

  /** The page has this content now. */
  take(pfn: number, { lo, hi }: PageContent): void {
    if (this.#known.has(pfn)) this.setHash.replace(pfn, this.lo[pfn]!, this.hi[pfn]!, lo, hi);
    else this.setHash.add(pfn, lo, hi);
    this.#known.add(pfn);
    this.lo[pfn] = lo;
    this.hi[pfn] = hi;
  }

  /** Nothing is known of these pages any more. */
  forget(pages: PageSet): void {
    for (let pfn = pages.next(0); pfn >= 0; pfn = pages.next(pfn + 1)) {
      if (!this.#known.has(pfn)) continue;
      this.setHash.remove(pfn, this.lo[pfn]!, this.hi[pfn]!);
      this.#known.delete(pfn);
    }
  }

  /** Names of pages first … first+count-1 as HASHES carries them. */
  hashesOf(first: number, count: number): Uint8Array {
    const bytes = new Uint8Array(count * 8);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < count; i++) {
      view.setUint32(i * 8, this.lo[first + i]!, true);
      view.setUint32(i * 8 + 4, this.hi[first + i]!, true);
    }
    return bytes;
  }
}
