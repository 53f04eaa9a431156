/**
 * One page link on the sending side: records are put together in staging memory and leave with the pages they name,
 * gathered from guest memory by the link. One record at a time is under way on a lane.
 */
import { PAGE_SIZE } from '../../core/index.js';
import { HEADER_BYTES, RUN_BYTES, STAGING_BYTES, writeRecordHeader, writeRun } from '../index.js';
import { Chain, newRegion, type Region } from './chain.js';
import type { Link, LinkPoller } from './link.js';

export class RecordLane {
  readonly link: Link;
  /** Where header, runs and hashes of the record in hand stand; runs from HEADER_BYTES on. */
  readonly view: DataView;
  readonly #poller: LinkPoller;
  readonly #staging: Region;
  readonly #chain = new Chain();
  #waiting = false;
  /** Whether the round's END was sent on this lane. */
  ended = true;

  /** @param preamble the first bytes of a new link, sent with its first record; null when the link has spoken already */
  constructor(link: Link, poller: LinkPoller, preamble: Uint8Array | null) {
    this.link = link;
    this.#poller = poller;
    this.#staging = newRegion(STAGING_BYTES);
    this.view = new DataView(this.#staging.bytes.buffer);
    if (preamble === null) return;
    const first = newRegion(preamble.length);
    first.bytes.set(preamble);
    this.#chain.push(first, 0, preamble.length);
  }

  /** Whether the link has taken less than it was given. */
  get waiting(): boolean {
    return this.#waiting;
  }

  /** Bytes that were put here and have not left. */
  get backlog(): number {
    return this.#chain.bytes;
  }

  /** Whether all that was put here is on its way: neither here nor in the link does anything wait. */
  get drained(): boolean {
    return this.#chain.bytes === 0 && (this.link.drained?.() ?? false);
  }

  /** Sends what the link takes. @returns false when the link is broken */
  flush(): boolean {
    if (this.#chain.bytes === 0) return true;
    if (!this.link.send(this.#chain)) return false;
    const waiting = this.#chain.bytes > 0;
    if (waiting !== this.#waiting) this.#poller.wantWrite(this.link, waiting);
    this.#waiting = waiting;
    return true;
  }

  putRun(run: number, pfn: number, pages: number): void {
    writeRun(this.view, HEADER_BYTES + run * RUN_BYTES, pfn, pages);
  }

  /** Puts the record's header, runs and what stands behind them. @returns its bytes, pages not counted */
  putHeader(kind: number, round: number, runs: number, pages: number, behindBytes = 0): number {
    writeRecordHeader(this.view, 0, kind, round, runs, pages);
    const length = HEADER_BYTES + runs * RUN_BYTES + behindBytes;
    this.#chain.push(this.#staging, 0, length);
    return length;
  }

  /** Puts bytes that stand elsewhere and stay as they are until the lane has sent them. */
  put(region: Region, bytes: number): void {
    this.#chain.push(region, 0, bytes);
  }

  /** Puts the pages of the record's runs, in order, from `memory`; one with a byte of `corruptPfn` changed in a copy. */
  putPages(memory: Region, runs: number, corruptPfn: number): void {
    for (let r = 0; r < runs; r++) {
      const at = HEADER_BYTES + r * RUN_BYTES;
      const first = this.view.getUint32(at, true);
      const n = this.view.getUint32(at + 4, true);
      if (corruptPfn >= first && corruptPfn < first + n) this.#putCorrupted(memory, first, n, corruptPfn);
      else this.#chain.push(memory, first * PAGE_SIZE, n * PAGE_SIZE);
    }
  }

  /** A test hook's work: the guest's own memory stays as it is. */
  #putCorrupted(memory: Region, first: number, pages: number, corruptPfn: number): void {
    const copy = newRegion(pages * PAGE_SIZE);
    copy.bytes.set(memory.bytes.subarray(first * PAGE_SIZE, (first + pages) * PAGE_SIZE));
    const at = (corruptPfn - first) * PAGE_SIZE + 2048;
    copy.bytes[at] = copy.bytes[at]! ^ 0x01;
    this.#chain.push(copy, 0, pages * PAGE_SIZE);
  }
}
