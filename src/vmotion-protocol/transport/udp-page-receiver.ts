/**
 * Receives pages from a UDP link: the face of `PageReceiver`.
 *
 *   rounds of pre-copy   fragments go straight into guest memory; a page that is whole is hashed by reading it back
 *   behind `stageFrom`   into a slot; hashed there, compared where a hash came along (post-copy), placed whole by the
 *                        stage (UFFDIO_COPY), since the page may be missing while its parts come
 *
 * In pre-copy a page is torn while the parts of a newer version come. Its round is not applied before they are all here,
 * and when the link breaks first the page counts as one that has not come.
 */
import { PAGE_SIZE, PageSet } from '../../core/index.js';
import { ENCODING_HASHED, ENCODING_RAW, PageInbox, type PageSink, RECORD_BYTES_MAX } from '../index.js';
import { newRegion, type Region } from './chain.js';
import type { Link } from './link.js';
import type { PageStage, StagedContent } from './page-landing.js';
import type { PageReceiverEvents } from './page-receiver.js';
import type { RoundReceiver } from './page-ways.js';
import { type UdpLink, udpLinkOf } from './udp-links.js';

/** Slots of one chunk: what is in parts at a time is mostly less. */
const CHUNK_SLOTS = 256;

export class UdpPageReceiver implements PageSink, RoundReceiver {
  readonly #memory: Region;
  readonly #content: StagedContent;
  readonly #events: PageReceiverEvents;
  readonly #pages: number;
  #link: UdpLink;
  #inbox: PageInbox;
  readonly #chunks: Region[] = [];
  readonly #views: DataView[] = [];
  readonly #applied: { readonly round: number; readonly pages: number }[] = [];
  #stage: PageStage | null = null;
  #stageFrom = Number.POSITIVE_INFINITY;
  #violation: string | null = null;
  /** Pages that came in `#cameRound`, the last round of which anything came. */
  readonly #came: PageSet;
  #cameRound = 0;
  /** Never: what has come has been taken in with the datagrams. */
  readonly eager = false;

  constructor(
    memory: Region,
    pages: number,
    content: StagedContent,
    events: PageReceiverEvents,
    link: UdpLink,
  ) {
    this.#memory = memory;
    this.#pages = pages;
    this.#came = new PageSet(pages);
    this.#content = content;
    this.#events = events;
    this.#link = link;
    this.#inbox = new PageInbox(pages, this);
  }

  /** From now on pages are taken; before, they are not acknowledged and come again. */
  begin(): void {
    this.#link.receivePages(this.#inbox);
  }

  /** There are none: pages travel beside the control stream. */
  addStream(link: Link): void {
    link.close();
  }

  addDemandLink(): void {} // requests leave on it, and nothing else comes

  stageFrom(round: number, stage: PageStage): void {
    this.#stage = stage;
    this.#stageFrom = round;
    this.#inbox.holdFrom = round + 1;
  }

  release(): void {
    this.#inbox.holdFrom = Number.POSITIVE_INFINITY;
  }

  /** What is still under way on the connection of before is not taken any more: it would overwrite what comes now. */
  reconnect(control: Link): void {
    this.#inbox.holdFrom = 0;
    this.#applied.length = 0;
    this.#link = udpLinkOf(control)!;
  }

  takeUp(round: number, hold: boolean): void {
    this.#tearOut();
    this.#inbox = new PageInbox(this.#pages, this, round - 1);
    if (this.#stage !== null) {
      this.#stageFrom = round;
      if (hold) this.#inbox.holdFrom = round + 1;
    }
    this.begin();
  }

  get cameRound(): number {
    return this.#cameRound;
  }

  notCome(): PageSet {
    this.#tearOut();
    const pages = PageSet.full(this.#pages);
    pages.subtract(this.#came);
    return pages;
  }

  /** Tells of rounds that have been applied; pages themselves were placed as their datagrams came. */
  receive(): void {
    if (this.#violation !== null) {
      const text = this.#violation;
      this.#violation = null;
      return this.#events.onViolation('VMOTION_PAGE_KIND', text);
    }
    for (let done = this.#applied.shift(); done !== undefined; done = this.#applied.shift())
      this.#events.onRoundApplied(done.round, done.pages);
  }

  close(): void {} // the link is the control channel's

  /** PageSink. */
  collect(
    slot: number,
    round: number,
    pfn: number,
    encoding: number,
    offset: number,
    bytes: Uint8Array,
    at: number,
    length: number,
  ): void {
    if (encoding === ENCODING_RAW && round < this.#stageFrom) {
      this.#memory.bytes.set(bytes.subarray(at, at + length), pfn * PAGE_SIZE + offset);
      return;
    }
    const chunk = Math.floor(slot / CHUNK_SLOTS);
    while (chunk >= this.#chunks.length) {
      const region = newRegion(CHUNK_SLOTS * RECORD_BYTES_MAX);
      this.#chunks.push(region);
      this.#views.push(new DataView(region.bytes.buffer));
    }
    const to = (slot % CHUNK_SLOTS) * RECORD_BYTES_MAX + offset;
    this.#chunks[chunk]!.bytes.set(bytes.subarray(at, at + length), to);
  }

  complete(slot: number, round: number, pfn: number, encoding: number): boolean {
    const staged = round >= this.#stageFrom;
    const hashed = encoding === ENCODING_HASHED && staged;
    if (encoding !== ENCODING_RAW && !hashed) {
      this.#violation = `page ${pfn} came in encoding ${encoding}, which was not agreed on`;
      return false;
    }
    if (!staged) {
      this.#content.hash(pfn);
      this.#note(round, pfn);
      return true;
    }
    const at = (slot % CHUNK_SLOTS) * RECORD_BYTES_MAX;
    const index = Math.floor(slot / CHUNK_SLOTS);
    const chunk = this.#chunks[index]!;
    const announced = hashed ? this.#views[index]! : null;
    if (!this.#content.hashStaged(pfn, chunk.bytes, at, announced, at + PAGE_SIZE)) {
      this.#stage!.damaged(pfn);
      return false;
    }
    this.#stage!.place(pfn, 1, chunk, at);
    this.#note(round, pfn);
    return true;
  }

  zero(round: number, pfn: number): void {
    this.#note(round, pfn);
    if (round >= this.#stageFrom) {
      this.#content.hashZero(pfn);
      this.#stage!.placeZeros(pfn, 1);
      return;
    }
    // Written only where it is not zero already, so that untouched memory stays unpopulated.
    if (this.#content.hash(pfn)) return;
    this.#memory.bytes.fill(0, pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE);
    this.#content.hash(pfn);
  }

  roundApplied(round: number, pages: number): void {
    this.#applied.push({ round, pages });
  }

  /** Pages in parts are neither what they were nor what they should become. */
  #tearOut(): void {
    const torn = new PageSet(this.#pages);
    this.#inbox.addInParts(torn);
    this.#came.subtract(torn);
  }

  #note(round: number, pfn: number): void {
    if (round > this.#cameRound) {
      this.#cameRound = round;
      this.#came.clear();
    }
    this.#came.add(pfn);
  }
}
