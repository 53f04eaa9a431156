/**
 * Sends the pages of one round over one or more links: the pipeline between a dirty bitmap and the wire.
 *
 *   pages ─► runs ─► hash each page ─► zero? ─► record (≤ 64 pages) ─► the first link with room
 *
 * A page is hashed before its bytes are handed to the kernel. When the guest writes it in between, hash and bytes
 * differ, but then the dirty log has it and a later round sends it again: at the last flight the guest stands.
 * No page byte passes through JavaScript: records are gathered from guest memory by the link.
 */
import { PAGE_SIZE, PageSet } from '../../core/index.js';
import { MAX_RECORD_PAGES, MAX_RECORD_RUNS, RECORD_DATA, RECORD_END, RECORD_ZERO } from '../index.js';
import type { Region } from './chain.js';
import type { Link, LinkPoller } from './link.js';
import type { RoundSender } from './page-ways.js';
import { RecordLane } from './record-lane.js';

/** What the sender knows of the pages' content; hashing updates the source's set-hash. */
export interface PageContent {
  /** Hashes the page as it is now. @returns true when it holds only zeros */
  hash(pfn: number): boolean;
}

/** Pages scanned by one call of `pump`, so that control messages never wait behind hashing. */
const PUMP_PAGES = 512;

export class PageSender implements RoundSender {
  readonly #memory: Region;
  readonly #content: PageContent;
  readonly #lanes: RecordLane[];
  #round = 0;
  #pages: PageSet | null = null;
  #given: PageSet | null = null;
  #next = 0;
  /** Test hook: one byte of this page is changed on its way, after it was hashed; -1 for none. */
  corruptPfn = -1;

  pagesSent = 0;
  zeroPages = 0;
  bytes = 0;

  /** @param preambles the first bytes of each link, sent with its first record */
  constructor(
    memory: Region,
    content: PageContent,
    poller: LinkPoller,
    links: readonly Link[],
    preambles: readonly Uint8Array[],
  ) {
    this.#memory = memory;
    this.#content = content;
    this.#lanes = links.map((link, i) => new RecordLane(link, poller, preambles[i]!));
  }

  /** The lanes, for post-copy's pages that follow the rounds on the same links. */
  get lanes(): readonly RecordLane[] {
    return this.#lanes;
  }

  /** Begins a round. The set is read while the round lasts: do not change it. */
  begin(round: number, pages: PageSet): void {
    this.#round = round;
    this.#pages = this.#given = pages;
    this.#next = pages.next(0);
    this.pagesSent = 0;
    this.zeroPages = 0;
    this.bytes = 0;
    for (const lane of this.#lanes) lane.ended = false;
  }

  /** Pages of the round in hand, or of the last one, that were given to a link: some may not have arrived. */
  handedOver(): PageSet {
    const pages = this.#given?.clone() ?? new PageSet(0);
    for (let pfn = this.#next; pfn >= 0; pfn = pages.next(pfn + 1)) pages.delete(pfn);
    return pages;
  }

  /** Whether a round is being sent. */
  get busy(): boolean {
    return this.#pages !== null;
  }

  /** Whether `pump` can go on at once: a link has room. */
  get eager(): boolean {
    return this.#pages !== null && this.#lanes.some((lane) => !lane.waiting);
  }

  /**
   * Sends as much as the links take.
   * @returns 'done' when every byte of the round is handed over, 'more' to be called again, 'broken' when a link failed
   */
  pump(): 'done' | 'more' | 'broken' {
    if (this.#pages === null) return 'done';
    let budget = PUMP_PAGES;
    let finished = 0;
    for (const lane of this.#lanes) {
      for (;;) {
        if (!lane.flush()) return 'broken';
        if (lane.waiting) break;
        if (lane.ended) {
          finished++;
          break;
        }
        if (budget <= 0) break;
        budget -= this.#fill(lane);
      }
    }
    if (finished < this.#lanes.length) return 'more';
    this.#pages = null;
    return 'done';
  }

  /** Puts the next record into a lane. @returns pages looked at */
  #fill(lane: RecordLane): number {
    const pages = this.#pages!;
    if (this.#next < 0) {
      this.bytes += lane.putHeader(RECORD_END, this.#round, 0, 0);
      lane.ended = true;
      return 0;
    }
    let runs = 0;
    let count = 0;
    let zeros: boolean | null = null;
    let runStart = -1;
    let runPages = 0;
    // One record holds pages of one kind: take pages while the kind stays the same and there is room.
    let pfn = this.#next;
    while (pfn >= 0 && count < PUMP_PAGES) {
      const zero = this.#pendingZero(pfn);
      zeros ??= zero;
      if (zero !== zeros) break;
      if (!zeros && count === MAX_RECORD_PAGES) break;
      if (runPages > 0 && runStart + runPages !== pfn) {
        if (runs + 1 === MAX_RECORD_RUNS) break;
        lane.putRun(runs++, runStart, runPages);
        runPages = 0;
      }
      if (runPages === 0) runStart = pfn;
      runPages++;
      count++;
      this.#hashedPfn = -1;
      pfn = pages.next(pfn + 1);
    }
    lane.putRun(runs++, runStart, runPages);
    this.#next = pfn;
    this.bytes += lane.putHeader(zeros ? RECORD_ZERO : RECORD_DATA, this.#round, runs, count);
    if (zeros) {
      this.zeroPages += count;
    } else {
      this.pagesSent += count;
      lane.putPages(this.#memory, runs, this.corruptPfn);
      this.bytes += count * PAGE_SIZE;
    }
    return count;
  }

  /** A page is hashed once a round, also when its kind ends one record and begins the next. */
  #hashedPfn = -1;
  #hashedZero = false;

  #pendingZero(pfn: number): boolean {
    if (this.#hashedPfn !== pfn) {
      this.#hashedZero = this.#content.hash(pfn);
      this.#hashedPfn = pfn;
    }
    return this.#hashedZero;
  }
}
