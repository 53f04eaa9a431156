/**
 * Sends the pages of one round over one or more links: the pipeline between a dirty bitmap and the wire.
 *
 *   pages ─► runs ─► hash each page ─► zero? ─► record (≤ 64 pages) ─► the first link with room
 *
 * A page is hashed before its bytes are handed to the kernel. When the guest writes it in between, hash and bytes
 * differ, but then the dirty log has it and a later round sends it again: at the last flight the guest stands.
 * No page byte passes through JavaScript: records are gathered from guest memory by the link.
 */
import { PAGE_SIZE, type PageSet } from '../../core/index.js';
import {
  HEADER_BYTES,
  MAX_RECORD_PAGES,
  RECORD_DATA,
  RECORD_END,
  RECORD_ZERO,
  RUN_BYTES,
  writeRecordHeader,
  writeRun,
} from '../index.js';
import { Chain, newRegion, type Region } from './chain.js';
import type { Link, LinkPoller } from './link.js';

/** What the sender knows of the pages' content; hashing updates the source's set-hash. */
export interface PageContent {
  /** Hashes the page as it is now. @returns true when it holds only zeros */
  hash(pfn: number): boolean;
}

/** Pages scanned by one call of `pump`, so that control messages never wait behind hashing. */
const PUMP_PAGES = 512;
/** Zero pages a ZERO record names at most. */
const MAX_ZERO_RUNS = 64;

interface Lane {
  readonly link: Link;
  readonly chain: Chain;
  readonly staging: Region;
  readonly view: DataView;
  ended: boolean;
  waiting: boolean;
}

export class PageSender {
  readonly #memory: Region;
  readonly #content: PageContent;
  readonly #poller: LinkPoller;
  readonly #lanes: Lane[];
  #round = 0;
  #pages: PageSet | null = null;
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
    this.#poller = poller;
    this.#lanes = links.map((link, i) => {
      const chain = new Chain();
      const preamble = preambles[i]!;
      chain.push(regionCopy(preamble), 0, preamble.length);
      const staging = newRegion(HEADER_BYTES + MAX_RECORD_PAGES * RUN_BYTES + PAGE_SIZE);
      return { link, chain, staging, view: new DataView(staging.bytes.buffer), ended: true, waiting: false };
    });
  }

  /** Begins a round. The set is read while the round lasts: do not change it. */
  begin(round: number, pages: PageSet): void {
    this.#round = round;
    this.#pages = pages;
    this.#next = pages.next(0);
    this.pagesSent = 0;
    this.zeroPages = 0;
    this.bytes = 0;
    for (const lane of this.#lanes) lane.ended = false;
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
        if (lane.chain.bytes > 0) {
          if (!lane.link.send(lane.chain)) return 'broken';
          const waiting = lane.chain.bytes > 0;
          if (waiting !== lane.waiting) this.#poller.wantWrite(lane.link, waiting);
          lane.waiting = waiting;
          if (waiting) break;
        }
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

  /** Puts the next record into a lane's chain. @returns pages looked at */
  #fill(lane: Lane): number {
    const pages = this.#pages!;
    if (this.#next < 0) {
      this.#header(lane, RECORD_END, 0, 0);
      lane.ended = true;
      return 0;
    }
    let runs = 0;
    let count = 0;
    let zeros: boolean | null = null;
    let runStart = -1;
    let runPages = 0;
    const closeRun = (): void => {
      if (runPages === 0) return;
      writeRun(lane.view, HEADER_BYTES + runs * RUN_BYTES, runStart, runPages);
      runs++;
      runPages = 0;
    };
    // One record holds pages of one kind: take pages while the kind stays the same and there is room.
    let pfn = this.#next;
    let looked = 0;
    while (pfn >= 0 && looked < PUMP_PAGES) {
      const zero = this.#pendingZero(pfn);
      zeros ??= zero;
      if (zero !== zeros) break;
      if (!zeros && count === MAX_RECORD_PAGES) break;
      if (runPages > 0 && runStart + runPages !== pfn) {
        if (runs + 1 === MAX_ZERO_RUNS) break;
        closeRun();
      }
      if (runPages === 0) runStart = pfn;
      runPages++;
      count++;
      looked++;
      this.#hashedPfn = -1;
      pfn = pages.next(pfn + 1);
    }
    closeRun();
    this.#next = pfn;
    this.#header(lane, zeros ? RECORD_ZERO : RECORD_DATA, runs, count);
    if (zeros) {
      this.zeroPages += count;
    } else {
      this.pagesSent += count;
      for (let r = 0; r < runs; r++) {
        const at = HEADER_BYTES + r * RUN_BYTES;
        const first = lane.view.getUint32(at, true);
        const n = lane.view.getUint32(at + 4, true);
        if (this.corruptPfn >= first && this.corruptPfn < first + n) this.#pushCorrupted(lane, first, n);
        else lane.chain.push(this.#memory, first * PAGE_SIZE, n * PAGE_SIZE);
      }
      this.bytes += count * PAGE_SIZE;
    }
    return looked;
  }

  /** The run with one byte of `corruptPfn` flipped, in a copy: the guest's own memory stays as it is. */
  #pushCorrupted(lane: Lane, first: number, pages: number): void {
    const copy = newRegion(pages * PAGE_SIZE);
    copy.bytes.set(this.#memory.bytes.subarray(first * PAGE_SIZE, (first + pages) * PAGE_SIZE));
    const at = (this.corruptPfn - first) * PAGE_SIZE + 2048;
    copy.bytes[at] = copy.bytes[at]! ^ 0x01;
    lane.chain.push(copy, 0, pages * PAGE_SIZE);
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

  #header(lane: Lane, kind: number, runs: number, pages: number): void {
    writeRecordHeader(lane.view, 0, kind, this.#round, runs, pages);
    const length = HEADER_BYTES + runs * RUN_BYTES;
    lane.chain.push(lane.staging, 0, length);
    this.bytes += length;
  }
}

function regionCopy(bytes: Uint8Array): Region {
  const region = newRegion(bytes.length);
  region.bytes.set(bytes);
  return region;
}
