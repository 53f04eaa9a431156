/**
 * Post-copy's source: sends the pages that the destination lacks, those that its guest waits for first.
 *
 *   demand link   ◄── pfn u32 … requests        ──► HASHED records of the pages asked for, nothing else
 *   page links                                  ──► the rest, in PushOrder's order; END when all has gone
 *
 * The guest stands, so each page is what it will ever be. Each travels with its hash, since no digest of the whole will
 * follow.
 */
import { PAGE_SIZE, type PageSet } from '../../core/index.js';
import {
  HEADER_BYTES,
  MAX_RECORD_PAGES,
  MAX_RECORD_RUNS,
  PAGE_HASH_BYTES,
  PushOrder,
  RECORD_END,
  RECORD_HASHED,
  RECORD_ZERO,
  RUN_BYTES,
} from '../index.js';
import type { Region } from './chain.js';
import { DEMAND_AGAIN, DemandRequests, LINK_BROKEN, NO_REQUEST } from './demand-requests.js';
import type { Link, LinkPoller } from './link.js';
import type { PageContent } from './page-sender.js';
import type { MissingServer } from './page-ways.js';
import { RecordLane } from './record-lane.js';

/** Pages taken from the order at once: a run of neighbours, but not so many that one side of the pivot has them all. */
const RUN_PAGES = 16;

/** Content whose hashes can be told. */
export interface HashedContent extends PageContent {
  /** Writes the hash of the page, taken last, as lo u32, hi u32. */
  putHash(pfn: number, view: DataView, at: number): void;
}

export class PageServer implements MissingServer {
  readonly #memory: Region;
  readonly #content: HashedContent;
  readonly #lanes: readonly RecordLane[];
  readonly #demandLane: RecordLane;
  readonly #requests: DemandRequests;
  /** Pages asked for and not sent yet. */
  readonly #urgent: number[] = [];
  #order: PushOrder | null = null;
  #round = 0;
  #ended = false;
  readonly #pfns = new Uint32Array(MAX_RECORD_PAGES);
  /** A page taken from the order that did not fit the record before. */
  #held = -1;
  #heldPages = 0;
  /** Test hook, as the sender's; the page is damaged once. */
  corruptPfn = -1;

  pagesDemanded = 0;
  pagesPushed = 0;
  zeroPages = 0;
  pagesAgain = 0;
  bytes = 0;

  /** @param lanes those of the rounds; @param demand a new link, on which requests come back */
  constructor(
    memory: Region,
    content: HashedContent,
    poller: LinkPoller,
    lanes: readonly RecordLane[],
    demand: Link,
    preamble: Uint8Array,
  ) {
    this.#memory = memory;
    this.#content = content;
    this.#lanes = lanes;
    this.#demandLane = new RecordLane(demand, poller, preamble);
    this.#demandLane.flush();
    this.#requests = new DemandRequests(demand);
  }

  /** Sends `pages`; `hot` ones go first. Both sets are the server's from now on. */
  begin(round: number, pages: PageSet, hot: PageSet | null): void {
    this.#round = round;
    this.#order = new PushOrder(pages, hot);
    this.#ended = false;
    for (const lane of this.#lanes) {
      lane.ended = false;
      lane.link.keepShallow?.();
    }
  }

  /** Whether there were pages to serve. */
  get began(): boolean {
    return this.#order !== null;
  }

  /** Pages that were to be served and have not been given to a link. */
  get unserved(): number {
    return (this.#order?.count ?? 0) + this.#heldPages + this.#urgent.length;
  }

  /** Whether `pump` can go on at once. */
  get eager(): boolean {
    if (this.#order === null) return false;
    if (this.#urgent.length > 0 && !this.#demandLane.waiting) return true;
    return !this.#ended && this.#lanes.some((lane) => !lane.waiting);
  }

  /**
   * Answers requests; then, where `push` is set, sends one record on each link that has room.
   * @returns false when a link is broken
   */
  pump(push: boolean): boolean {
    if (this.#order === null) return this.#demandLane.flush();
    if (!this.#takeRequests() || !this.#answer()) return false;
    if (!push) return true;
    let ended = 0;
    for (const lane of this.#lanes) {
      if (!lane.flush()) return false;
      if (lane.waiting) continue;
      if (lane.ended) ended++;
      else {
        this.#push(lane);
        if (!lane.flush()) return false;
      }
    }
    this.#ended = ended === this.#lanes.length;
    return true;
  }

  close(): void {
    this.#demandLane.link.close();
  }

  #takeRequests(): boolean {
    for (;;) {
      const request = this.#requests.next();
      if (request === NO_REQUEST) return true;
      if (request === LINK_BROKEN) return false;
      this.#requested(request);
    }
  }

  /** A page that was pushed already is on its way: it is not sent twice. A pfn beyond the memory is nobody's page. */
  #requested(request: number): void {
    const again = request >= DEMAND_AGAIN;
    const pfn = again ? request - DEMAND_AGAIN : request;
    if (this.#order!.demand(pfn)) {
      this.pagesDemanded++;
      this.#urgent.push(pfn);
    } else if (again && pfn * PAGE_SIZE < this.#memory.bytes.length) {
      this.pagesAgain++;
      this.#urgent.push(pfn);
    }
  }

  #answer(): boolean {
    const lane = this.#demandLane;
    for (;;) {
      if (!lane.flush()) return false;
      if (lane.waiting || this.#urgent.length === 0) return true;
      const pfn = this.#urgent.shift()!;
      this.#pfns[0] = pfn;
      if (this.#content.hash(pfn)) this.#putZeros(lane, pfn, 1);
      else this.#putHashed(lane, 1);
    }
  }

  /** Puts the next record of the order into a lane: pages of one kind, as many as fit. */
  #push(lane: RecordLane): void {
    let count = 0;
    let runs = 0;
    let next = -1;
    while (count < MAX_RECORD_PAGES && this.#takePages()) {
      const pfn = this.#held;
      const zero = this.#content.hash(pfn);
      if (zero) {
        if (count > 0) break;
        return this.#pushZeros(lane, pfn);
      }
      // A record's runs ascend: a page below the last one begins the next record.
      if (count > 0 && pfn < next) break;
      if (pfn !== next && ++runs > MAX_RECORD_RUNS) break;
      this.#pfns[count++] = pfn;
      next = pfn + 1;
      this.#advance();
    }
    if (count > 0) {
      this.pagesPushed += count;
      this.#putHashed(lane, count);
    } else {
      this.bytes += lane.putHeader(RECORD_END, this.#round, 0, 0);
      lane.ended = true;
    }
  }

  #pushZeros(lane: RecordLane, first: number): void {
    let pages = 0;
    do {
      pages++;
      this.#advance();
    } while (this.#takePages() && this.#held === first + pages && this.#content.hash(this.#held));
    this.pagesPushed += pages;
    this.#putZeros(lane, first, pages);
  }

  /** Makes `#held` the next page of the order. @returns false when there is none */
  #takePages(): boolean {
    if (this.#heldPages > 0) return true;
    const order = this.#order!;
    if (!order.takeRun(RUN_PAGES)) return false;
    this.#held = order.pfn;
    this.#heldPages = order.pages;
    return true;
  }

  #advance(): void {
    this.#held++;
    this.#heldPages--;
  }

  #putZeros(lane: RecordLane, pfn: number, pages: number): void {
    this.zeroPages += pages;
    lane.putRun(0, pfn, pages);
    this.bytes += lane.putHeader(RECORD_ZERO, this.#round, 1, pages);
  }

  /** A record of the first `count` pages of `#pfns`, which ascend and were hashed just before. */
  #putHashed(lane: RecordLane, count: number): void {
    let runs = 0;
    for (let i = 0; i < count; ) {
      let end = i + 1;
      while (end < count && this.#pfns[end] === this.#pfns[end - 1]! + 1) end++;
      lane.putRun(runs++, this.#pfns[i]!, end - i);
      i = end;
    }
    const hashesAt = HEADER_BYTES + runs * RUN_BYTES;
    for (let i = 0; i < count; i++)
      this.#content.putHash(this.#pfns[i]!, lane.view, hashesAt + i * PAGE_HASH_BYTES);
    this.bytes += lane.putHeader(RECORD_HASHED, this.#round, runs, count, count * PAGE_HASH_BYTES);
    lane.putPages(this.#memory, runs, this.corruptPfn);
    for (let i = 0; i < count; i++) if (this.#pfns[i] === this.corruptPfn) this.corruptPfn = -1;
    this.bytes += count * PAGE_SIZE;
  }
}
