/**
 * The memory of a guest that runs here before all of its pages have come: knows which are missing, asks for those that
 * are touched, places what arrives.
 *
 *   guest's thread ──touches──► userfaultfd ──► faults ──► request on the demand link ──► source
 *        ▲ wakes                                                                            │
 *        └──────────── UFFDIO_COPY ◄── staging, verified ◄── demand link, page links ◄──────┘
 *
 * It works on the endpoint's thread, which must not touch guest memory from `arm` on: it would wait for itself.
 */
import { formatNs, PAGE_SIZE, PageSet } from '../core/index.js';
import type { GuestMemory } from '../guest/index.js';
import {
  catchFaults,
  closeFd,
  FaultReader,
  nowNs,
  openFaultCatcher,
  PageDropper,
  PagePlacer,
  POLLIN,
  type PollSet,
  unregister,
} from '../sys/index.js';
import {
  Chain,
  DEMAND_AGAIN,
  DEMAND_BYTES,
  type Link,
  type LinkPoller,
  newRegion,
  type PageStage,
  type Region,
} from '../vmotion-protocol/transport/index.js';

/** The guest's stall is reported for this long after its start. */
const BLOCKED_WINDOW_NS = 100_000_000;
const REQUEST_BYTES = 4096;

export interface MissingFigures {
  /** Pages that were missing when the guest started. */
  readonly pagesMissing: number;
  /** Faults of the guest's thread on missing pages. */
  readonly faults: number;
  /** Time that the guest's thread stood on missing pages in the first 100 ms, nanoseconds. */
  readonly blockedNs: number;
  /** When the last page was in its place; 0 before. */
  readonly completeNs: number;
  /** Pages that came damaged and were asked for again. */
  readonly pagesDamaged: number;
}

/** Whether this machine can start a guest with pages missing. */
export function canCatchFaults(): boolean {
  try {
    closeFd(openFaultCatcher());
    return true;
  } catch {
    return false;
  }
}

export class MissingMemory implements PageStage {
  readonly #memory: GuestMemory;
  readonly #polls: PollSet;
  readonly #poller: LinkPoller;
  readonly #uffd = openFaultCatcher();
  readonly #slot: number;
  readonly #faultReader = new FaultReader(this.#uffd);
  readonly #placer = new PagePlacer(this.#uffd);
  readonly #dropper: PageDropper;
  /** Pages that are not populated. */
  #absent: PageSet;
  #absentPages = 0;
  #pagesMissing = 0;
  #started = false;
  #startNs = 0;
  #armed = false;
  #link: Link | null = null;
  readonly #requests: Region = newRegion(REQUEST_BYTES);
  readonly #requestView = new DataView(this.#requests.bytes.buffer);
  readonly #out = new Chain();
  #waiting = false;
  /** Pages that the guest's threads stand at, with the time when that was heard. */
  readonly #stalls = new Map<number, number>();
  #faults = 0;
  #blockedNs = 0;
  #completeNs = 0;
  #pagesDamaged = 0;

  constructor(memory: GuestMemory, polls: PollSet, poller: LinkPoller) {
    this.#memory = memory;
    this.#polls = polls;
    this.#poller = poller;
    this.#absent = new PageSet(memory.pages);
    this.#dropper = new PageDropper(memory.dropAdvice);
    this.#slot = polls.add(this.#uffd, POLLIN);
  }

  get figures(): MissingFigures {
    return {
      pagesMissing: this.#pagesMissing,
      faults: this.#faults,
      blockedNs: Math.round(this.#blockedNs),
      completeNs: this.#completeNs,
      pagesDamaged: this.#pagesDamaged,
    };
  }

  /** Whether every page is in its place. */
  get whole(): boolean {
    return this.#absentPages === 0;
  }

  /** What is missing now; a copy. */
  missing(): PageSet {
    return this.#absent.clone();
  }

  /** The link that requests leave on. */
  connect(link: Link): void {
    this.#link = link;
    this.#out.clear();
    this.#waiting = false;
    for (const pfn of this.#stalls.keys()) this.#ask(pfn);
  }

  /** The link is of no more use: requests wait for the next one. */
  disconnect(): void {
    this.#link = null;
    this.#out.clear();
  }

  /** Which pages the guest's threads stand at, and for how long. */
  describeStalls(): string {
    if (this.#stalls.size === 0) return 'no thread of the guest stands at a missing page';
    const now = nowNs();
    const stalls = [...this.#stalls].map(([pfn, sinceNs]) => `page ${pfn} for ${formatNs(now - sinceNs)}`);
    return `a thread of the guest stands at ${stalls.join(', ')}`;
  }

  /**
   * Catches faults on all of the memory from now on and drops these pages.
   * @param empty nothing has been placed yet: all pages are missing
   * Ordered again after a broken link it only drops.
   */
  arm(left: PageSet, empty: boolean): void {
    if (!this.#armed) catchFaults(this.#uffd, this.#memory.address, this.#memory.pages * PAGE_SIZE);
    const first = !this.#armed;
    this.#armed = true;
    if (empty && first) this.#absent = PageSet.full(this.#memory.pages);
    else this.#drop(left);
    this.#absentPages = this.#absent.count();
  }

  /** FINAL says what is missing: what is there of it goes. */
  lack(missing: PageSet): void {
    const stale = missing.clone();
    stale.subtract(this.#absent);
    this.#drop(stale);
    this.#absentPages = this.#absent.count();
    this.#pagesMissing = this.#absentPages;
  }

  /** The guest runs from now on. */
  begin(): void {
    this.#started = true;
    this.#startNs = nowNs();
  }

  /** Takes the faults that wait and asks for their pages. */
  service(): void {
    if (!this.#armed) return;
    if (this.#out.bytes > 0) this.#send();
    while (this.#faultReader.read() > 0) {
      const now = nowNs();
      for (let i = 0; i < this.#faultReader.count; i++) {
        const address = this.#faultReader.address(i);
        const pfn = Math.floor((address - this.#memory.address) / PAGE_SIZE);
        // Placed between the touch and this line: the guest only has to look again.
        if (!this.#absent.has(pfn)) this.#placer.wake(this.#memory.address + pfn * PAGE_SIZE, PAGE_SIZE);
        else if (!this.#stalls.has(pfn)) {
          this.#faults++;
          this.#stalls.set(pfn, now);
          this.#ask(pfn);
        }
      }
    }
  }

  place(pfn: number, pages: number, source: Region, offset: number): void {
    let at = pfn;
    const end = pfn + pages;
    while (at < end) {
      const runEnd = this.#absent.runEnd(at, end - at);
      const from = offset + (at - pfn) * PAGE_SIZE;
      if (runEnd > at) {
        this.#placer.copy(this.#address(at), source.address + from, (runEnd - at) * PAGE_SIZE);
        this.#placed(at, runEnd);
        at = runEnd;
      } else {
        // Before the start a newer version replaces what is there; afterwards the page belongs to the guest.
        if (!this.#started)
          this.#memory.bytes.set(source.bytes.subarray(from, from + PAGE_SIZE), at * PAGE_SIZE);
        at++;
      }
    }
  }

  placeZeros(pfn: number, pages: number): void {
    let at = pfn;
    const end = pfn + pages;
    while (at < end) {
      const runEnd = this.#absent.runEnd(at, end - at);
      if (runEnd > at) {
        this.#placer.zero(this.#address(at), (runEnd - at) * PAGE_SIZE);
        this.#placed(at, runEnd);
        at = runEnd;
      } else {
        if (!this.#started) this.#memory.bytes.fill(0, at * PAGE_SIZE, (at + 1) * PAGE_SIZE);
        at++;
      }
    }
  }

  damaged(pfn: number): void {
    this.#pagesDamaged++;
    this.#ask(pfn + DEMAND_AGAIN);
  }

  /** Ends the catching of faults, of memory that is whole or of no more use: now it may be tracked for the next move. */
  release(): void {
    if (this.#armed) unregister(this.#uffd, this.#memory.address, this.#memory.pages * PAGE_SIZE);
    this.#armed = false;
  }

  close(): void {
    this.release();
    this.#polls.remove(this.#slot);
    this.#dropper.close();
    closeFd(this.#uffd);
  }

  #drop(pages: PageSet): void {
    for (let pfn = pages.next(0); pfn >= 0; ) {
      const end = pages.runEnd(pfn, pages.pages);
      this.#dropper.drop(this.#address(pfn), (end - pfn) * PAGE_SIZE);
      pfn = pages.next(end);
    }
    this.#dropper.flush();
    this.#absent.union(pages);
  }

  #placed(first: number, end: number): void {
    this.#absentPages -= end - first;
    const now = this.#stalls.size > 0 || this.#absentPages === 0 ? nowNs() : 0;
    for (let pfn = first; pfn < end; pfn++) {
      this.#absent.delete(pfn);
      if (this.#stalls.size > 0) this.#released(pfn, now);
    }
    if (this.#absentPages === 0) this.#completeNs = now;
  }

  #released(pfn: number, now: number): void {
    const sinceNs = this.#stalls.get(pfn);
    if (sinceNs === undefined) return;
    this.#stalls.delete(pfn);
    const windowEndNs = this.#startNs === 0 ? now : this.#startNs + BLOCKED_WINDOW_NS;
    this.#blockedNs += Math.max(0, Math.min(now, windowEndNs) - sinceNs);
  }

  #ask(request: number): void {
    if (this.#link === null) return;
    const at = this.#out.bytes;
    if (at + DEMAND_BYTES > REQUEST_BYTES) return; // a thread asks once at a time: so many do not wait
    this.#requestView.setUint32(this.#tail, request, true);
    this.#out.push(this.#requests, this.#tail, DEMAND_BYTES);
    this.#tail = (this.#tail + DEMAND_BYTES) % REQUEST_BYTES;
    this.#send();
  }
  /** Where the next request is written; what has not left yet stands behind it. */
  #tail = 0;

  #send(): void {
    if (this.#link === null || !this.#link.send(this.#out)) return;
    const waiting = this.#out.bytes > 0;
    if (waiting !== this.#waiting) this.#poller.wantWrite(this.#link, waiting);
    this.#waiting = waiting;
  }

  #address(pfn: number): number {
    return this.#memory.address + pfn * PAGE_SIZE;
  }
}
