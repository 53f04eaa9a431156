/**
 * In which order the pages of a round leave: ascending in pre-copy and in the final flight, as `PushOrder` says in
 * post-copy. A page leaves the sequence once, taken in its turn or demanded before it.
 */
import type { PageSet } from '../../core/index.js';
import type { PushOrder } from '../push-order.js';

export interface PageSequence {
  /** The page whose turn it is; −1 when none is left. */
  readonly next: number;
  /** The page `next` has gone. */
  take(): void;
  /** A page is wanted before its turn. @returns true when it had not gone, and goes now */
  demand(pfn: number): boolean;
}

/** From the lowest page up. */
export class AscendingPages implements PageSequence {
  readonly #set: PageSet;
  next: number;

  /** @param set the sequence's own from now on */
  constructor(set: PageSet) {
    this.#set = set;
    this.next = set.next(0);
  }

  take(): void {
    this.next = this.#set.next(this.next + 1);
  }

  demand(pfn: number): boolean {
    if (this.next < 0 || pfn < this.next || !this.#set.has(pfn)) return false;
    this.#set.delete(pfn);
    if (pfn === this.next) this.next = this.#set.next(pfn + 1);
    return true;
  }
}

/** Pages taken from the order at once: a run of neighbours, but not so many that one side of the pivot has them all; below 32. */
const RUN_PAGES = 16;

/** What a post-copy source has left: hot pages, then around the last demand. */
export class PushedPages implements PageSequence {
  readonly #order: PushOrder;
  next = -1;
  /** The run in hand: where it begins and ends, and by bits which of its pages were demanded. */
  #start = 0;
  #end = 0;
  #demanded = 0;

  constructor(order: PushOrder) {
    this.#order = order;
    this.#takeRun();
  }

  take(): void {
    do this.next++;
    while (this.next < this.#end && (this.#demanded & (1 << (this.next - this.#start))) !== 0);
    if (this.next === this.#end) this.#takeRun();
  }

  demand(pfn: number): boolean {
    if (this.#order.demand(pfn)) return true;
    if (this.next < 0 || pfn < this.next || pfn >= this.#end) return false;
    const bit = 1 << (pfn - this.#start);
    if ((this.#demanded & bit) !== 0) return false;
    this.#demanded |= bit;
    if (pfn === this.next) this.take();
    return true;
  }

  #takeRun(): void {
    const any = this.#order.takeRun(RUN_PAGES);
    this.next = this.#start = any ? this.#order.pfn : -1;
    this.#end = any ? this.#start + this.#order.pages : -1;
    this.#demanded = 0;
  }
}
