/**
 * The destination's page links: rounds into memory, and pages that were missing into their places.
 *
 *   streams ─► in order of arrival, one batch at a time ─► memory, table ─► END on every stream: onRound
 *                                                    └──► (behind the final flight) held until the guest starts,
 *                                                          then only where missing: onPresent
 */
import { PageSet } from '../core/index.js';
import type { SimHost } from './host.js';
import type { Link } from './link.js';
import type { PageContent } from './memory.js';
import { isZero, itemBytes, type PageItem } from './page-items.js';
import type { PageTable } from './page-table.js';

export interface PageDestinationOutputs {
  roundApplied(round: number, pages: number): void;
  /** A page that was missing is in its place. */
  present(pfn: number): void;
}

export class PageDestination {
  /** Names of the pages as they were placed: the guest may write them at once. */
  readonly table: PageTable;
  readonly #host: SimHost;
  readonly #streams: number;
  readonly #out: PageDestinationOutputs;
  readonly #links = new Set<Link>();
  #demand: Link | null = null;
  #freeNs = 0;
  readonly #ended = new Map<number, number>();
  readonly #pagesOf = new Map<number, number>();
  #lastRound = 0;
  #cameRound = 0;
  /** What came of that round. */
  readonly #came: PageSet;
  /** The final flight's round: what is sent behind it was missing. */
  #flightRound = Number.POSITIVE_INFINITY;
  #released = false;
  #held: PageItem[] = [];

  constructor(host: SimHost, table: PageTable, streams: number, out: PageDestinationOutputs) {
    this.#host = host;
    this.table = table;
    this.#streams = streams;
    this.#out = out;
    this.#came = new PageSet(host.guest.memory.pages);
  }

  /** The last round of which anything came; 0 before the first. */
  get cameRound(): number {
    return this.#cameRound;
  }

  /** The pages that did not come in that round. */
  notCome(): PageSet {
    const pages = PageSet.full(this.#came.pages);
    pages.subtract(this.#came);
    return pages;
  }

  /**
   * The source is back: links of before are closed, those that come now begin with `round`.
   * @param final it is the final flight @param filling the guest has started, and what comes is what it lacks
   */
  takeUp(round: number, final: boolean, filling: boolean): void {
    for (const link of this.#links) if (link.isOpen) link.vanish();
    this.#links.clear();
    this.#demand = null;
    this.#ended.clear();
    this.#pagesOf.clear();
    this.#held = [];
    this.#lastRound = round - 1;
    if (!filling) this.#flightRound = final ? round : Number.POSITIVE_INFINITY;
  }

  /** Behind `round` only the final flight follows, and what is missing then. */
  armed(round: number): void {
    this.#flightRound = round + 1;
  }

  /** The guest is about to run: pages that were missing go to their places from now on. */
  release(): void {
    this.#released = true;
    for (const item of this.#held.splice(0)) this.#apply(item);
  }

  add(link: Link): void {
    this.#links.add(link);
    if (link.kind === 'demand') {
      this.#demand = link;
      if (this.#host.guest.stalledAt >= 0) this.demand(this.#host.guest.stalledAt);
    }
  }

  owns(link: Link): boolean {
    return this.#links.has(link);
  }

  demand(pfn: number): void {
    const item: PageItem = { type: 'demand', pfn };
    this.#demand?.send(itemBytes(item), item);
  }

  /** Links end here; nothing more is placed. */
  close(): void {
    for (const link of this.#links) if (link.isOpen) link.close();
    this.#links.clear();
    this.#demand = null;
  }

  take(link: Link, item: PageItem): void {
    const { around, costs } = this.#host;
    let ns = 0;
    if (item.type === 'pages')
      for (const content of item.contents) ns += isZero(content) ? costs.zeroPageNs : costs.applyPageNs;
    this.#freeNs = Math.max(this.#freeNs, around.time.nowNs) + ns;
    this.#host.at(this.#freeNs, () => {
      if (this.#links.has(link)) this.#apply(item);
    });
  }

  #apply(item: PageItem): void {
    if (item.type === 'end') return this.#end(item.round);
    if (item.type !== 'pages') return;
    if (item.round > this.#flightRound) {
      if (!this.#released) {
        this.#held.push(item);
        return;
      }
      for (let i = 0; i < item.pfns.length; i++) this.#place(item.pfns[i]!, item.contents[i]!);
      return;
    }
    if (item.round <= this.#lastRound) return;
    this.#cameOf(item.round);
    for (const pfn of item.pfns) this.#came.add(pfn);
    const { guest, around } = this.#host;
    const { corruptPfn } = around.faults;
    for (let i = 0; i < item.pfns.length; i++) {
      const pfn = item.pfns[i]!;
      const sent = item.contents[i]!;
      const content = pfn === corruptPfn ? { ...sent, hi: (sent.hi ^ 1) >>> 0 } : sent;
      guest.memory.place(pfn, content);
      this.table.take(pfn, content);
    }
    this.#pagesOf.set(item.round, (this.#pagesOf.get(item.round) ?? 0) + item.pfns.length);
  }

  /** A page that came twice is placed once: the guest may have written it since. */
  #place(pfn: number, content: PageContent): void {
    const { guest, around } = this.#host;
    if (!guest.missing.has(pfn)) return;
    guest.memory.place(pfn, content);
    this.table.take(pfn, content);
    guest.placed(around.time.nowNs, pfn);
    this.#out.present(pfn);
  }

  #cameOf(round: number): void {
    if (round > this.#cameRound) this.#came.clear();
    this.#cameRound = Math.max(round, this.#cameRound);
  }

  #end(round: number): void {
    this.#cameOf(round);
    const ended = (this.#ended.get(round) ?? 0) + 1;
    this.#ended.set(round, ended);
    if (ended < this.#streams || round <= this.#lastRound) return;
    this.#lastRound = round;
    const pages = this.#pagesOf.get(round) ?? 0;
    this.#ended.delete(round);
    this.#pagesOf.delete(round);
    this.#out.roundApplied(round, pages);
  }
}
