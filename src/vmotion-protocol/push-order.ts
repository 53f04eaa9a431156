/**
 * The order in which a post-copy source sends pages that the destination lacks.
 *
 *   demanded ──► at once, by themselves
 *   the rest     pages known to be hot, then around the page that was demanded last, up and down by turns:
 *
 *        … ◄── 2nd run ── 4th ──┤ pivot ├── 1st run ── 3rd ──► …
 *
 * A guest that touches a page is likely to touch its neighbours next (Hines, Deshpande, Gopalan, "Post-copy live
 * migration of virtual machines", ACM SIGOPS OSR 43(3), 2009, section 3.3: bubbling).
 * Each page leaves the order once; after a link break it is built anew from what the destination lacks then.
 */
import type { PageSet } from '../core/index.js';

export class PushOrder {
  readonly #left: PageSet;
  readonly #hot: PageSet | null;
  #hotAt = 0;
  #count: number;
  #up = 0;
  /** The next page downwards; -1 when that side is done. */
  #down = -1;
  #upwards = true;
  /** First page and number of pages of the run that `takeRun` chose. */
  pfn = 0;
  pages = 0;

  /**
   * @param left what is to be sent; the order's own from now on
   * @param hot pages of it that the guest wrote last: they go before all others
   */
  constructor(left: PageSet, hot: PageSet | null = null) {
    this.#left = left;
    this.#hot = hot;
    this.#count = left.count();
  }

  /** Pages not taken yet. */
  get count(): number {
    return this.#count;
  }

  /** A page was touched at the destination. @returns true when it had not been sent and is taken now */
  demand(pfn: number): boolean {
    if (pfn >= this.#left.pages) return false;
    this.#up = pfn + 1;
    this.#down = pfn - 1;
    this.#upwards = true;
    if (!this.#left.has(pfn)) return false;
    this.#left.delete(pfn);
    this.#count--;
    return true;
  }

  /** Takes the next run of at most `limit` pages: `pfn` and `pages`. @returns false when nothing is left */
  takeRun(limit: number): boolean {
    if (this.#count === 0) return false;
    if (!this.#takeHot()) this.#takeNear(limit);
    for (let i = 0; i < this.pages; i++) this.#left.delete(this.pfn + i);
    this.#count -= this.pages;
    return true;
  }

  #takeHot(): boolean {
    if (this.#hot === null || this.#hotAt < 0) return false;
    for (;;) {
      this.#hotAt = this.#hot.next(this.#hotAt);
      if (this.#hotAt < 0) return false;
      const pfn = this.#hotAt++;
      if (!this.#left.has(pfn)) continue;
      this.pfn = pfn;
      this.pages = 1;
      return true;
    }
  }

  #takeNear(limit: number): void {
    const upwards = this.#upwards;
    this.#upwards = !upwards;
    if (
      !(upwards ? this.#takeUp(limit) || this.#takeDown(limit) : this.#takeDown(limit) || this.#takeUp(limit))
    )
      this.#takeFromStart(limit);
  }

  #takeUp(limit: number): boolean {
    const first = this.#left.next(this.#up);
    if (first < 0) return false;
    this.pfn = first;
    this.#up = this.#left.runEnd(first, limit);
    this.pages = this.#up - first;
    return true;
  }

  #takeDown(limit: number): boolean {
    while (this.#down >= 0 && !this.#left.has(this.#down)) {
      // Whole words of pages already sent are skipped at once.
      if ((this.#down & 31) === 31 && this.#left.words[this.#down >>> 5] === 0) this.#down -= 32;
      else this.#down--;
    }
    if (this.#down < 0) return false;
    const end = this.#down + 1;
    while (this.#down >= 0 && end - this.#down <= limit && this.#left.has(this.#down)) this.#down--;
    this.pfn = this.#down + 1;
    this.pages = end - this.pfn;
    return true;
  }

  /** Both ways are at their end, yet pages are left between them: a demand has moved the pivot past them. */
  #takeFromStart(limit: number): void {
    this.#up = 0;
    this.#takeUp(limit);
  }
}
