/**
 * Between the senders of pages and the pipeline: pages that get shorter are put into ENCODED records, the others stay
 * where the kernel gathers them from.
 *
 *   page ─► PagePipeline ─┬─ shorter ──► record of its lane: head, body ─► chain
 *                         └─ as it is ─► DATA or HASHED: gathered from guest memory, no copy
 *
 * A record once begun takes pages of every kind, those that stay as they are as copies: changing to and fro would make
 * records of a page or two. A row of such pages ends it: a short one where few got shorter, as where a page is only
 * tried now and then, a longer one where many did. Over UDP a page is a record of its own, and its sender asks
 * the pipeline itself.
 */
import { PAGE_SIZE, type PageSet } from '../../core/index.js';
import { AS_RAW, AS_ZERO, EncodedRecord, type PagePipeline, PathRate } from '../index.js';
import { type Region, regionOf } from './chain.js';
import type { RecordLane } from './record-lane.js';

/** The hashes that were taken last. */
export interface PageHashes {
  lo(pfn: number): number;
  hi(pfn: number): number;
}

/** Pages in a row that did not get shorter: so many end a record in any case. */
const PLAIN_ROW_MAX = 8;

/** What the lanes of one migration share: the pipeline, and the rate of the path as they all see it. */
export class PageEncoder {
  readonly pipeline: PagePipeline;
  readonly #memory: Region;
  readonly #hashes: PageHashes;
  readonly #clockNs: () => number;
  readonly #rate = new PathRate();
  readonly #lanes = new Map<number, LaneEncoder>();

  /** @param clockNs nanoseconds that never decrease */
  constructor(memory: Region, hashes: PageHashes, pipeline: PagePipeline, clockNs: () => number) {
    this.#memory = memory;
    this.#hashes = hashes;
    this.pipeline = pipeline;
    this.#clockNs = clockNs;
  }

  /**
   * The one of this lane: who sends on it next goes on with it.
   * @param stream number of the lane, from 0; UNORDERED for one that no later page may rely on
   */
  laneEncoder(stream: number): LaneEncoder {
    let lane = this.#lanes.get(stream);
    if (lane === undefined) {
      lane = new LaneEncoder(this.#memory, this.#hashes, this.pipeline, stream);
      this.#lanes.set(stream, lane);
    }
    return lane;
  }

  /**
   * A round begins: the one before has arrived, or the links that carried it broke; nothing of it is sent any more.
   * @param pages read while it lasts
   */
  begin(round: number, pages: PageSet): void {
    for (const lane of this.#lanes.values()) lane.discard();
    this.pipeline.beginRound(round, pages);
    this.#ranEmpty();
  }

  /** Sends what the lane's link takes, and learns from it how fast the path is. @returns false when it is broken */
  flush(lane: RecordLane): boolean {
    const before = lane.backlog;
    if (!lane.flush()) return false;
    this.#rate.sent(before - lane.backlog);
    if (lane.waiting && this.#rate.refused(this.#clockNs())) this.pipeline.pathRate(this.#rate.rateBps);
    return true;
  }

  /** To be called before more is put into the lanes. */
  beforeFill(lanes: readonly RecordLane[]): void {
    for (const lane of lanes) if (!lane.drained) return;
    this.#ranEmpty();
  }

  #ranEmpty(): void {
    if (this.#rate.ranEmpty(this.#clockNs())) this.pipeline.pathRate(this.#rate.rateBps);
  }
}

/** The encoded record of one lane. What is put into it is sent on that lane, in order. */
export class LaneEncoder {
  readonly #memory: Region;
  readonly #hashes: PageHashes;
  readonly #pipeline: PagePipeline;
  readonly #stream: number;
  readonly #record = new EncodedRecord();
  readonly #head = regionOf(this.#record.head);
  readonly #body = regionOf(this.#record.body);
  #plainRow = 0;
  /** Pages of the record that got shorter. */
  #shorter = 0;
  /** Of the record in hand, those that are all zero. */
  zeroPages = 0;

  constructor(memory: Region, hashes: PageHashes, pipeline: PagePipeline, stream: number) {
    this.#memory = memory;
    this.#hashes = hashes;
    this.#pipeline = pipeline;
    this.#stream = stream;
  }

  /** Whether a record is begun: it leaves before anything else on its lane. */
  get open(): boolean {
    return this.#record.pages > 0;
  }

  /** Pages of the record in hand. */
  get pages(): number {
    return this.#record.pages;
  }

  /** Whether the open record takes page `pfn` too. @param pagesMax 1..64 */
  takes(pfn: number, pagesMax: number): boolean {
    const { pages, end } = this.#record;
    const row = this.#plainRow;
    return pages < pagesMax && row <= this.#shorter && row < PLAIN_ROW_MAX && pfn >= end;
  }

  /**
   * Encodes a page, hashed just before, and begins a record with it if it gets shorter. Not while one is open.
   * @returns false when it is to leave from guest memory, on this lane and as the next page
   */
  begins(pfn: number): boolean {
    const encoding = this.#encode(pfn);
    if (this.#pipeline.live) return false;
    this.#add(pfn, encoding, this.#pipeline.length);
    return true;
  }

  /** Adds a page, hashed just before, to the open record. */
  add(pfn: number): void {
    const encoding = this.#encode(pfn);
    const { live, length } = this.#pipeline;
    if (live) {
      const from = pfn * PAGE_SIZE;
      const page = this.#memory.bytes.subarray(from, from + PAGE_SIZE);
      this.#record.body.set(page, this.#record.bodyBytes);
    }
    this.#add(pfn, encoding, length);
  }

  addZero(pfn: number): void {
    this.#pipeline.sentZero(pfn);
    this.#add(pfn, AS_ZERO, 0);
  }

  /** A page that leaves as a number, or as it is whatever the pipeline might make of it. */
  passedBy(pfn: number, zero: boolean): void {
    if (zero) this.#pipeline.sentZero(pfn);
    else this.#pipeline.sentPast(pfn);
  }

  /** Puts the record into its lane, which is idle. @param hashed with the pages' hashes @returns its bytes */
  put(lane: RecordLane, round: number, hashed: boolean): number {
    const record = this.#record;
    const bytes = record.finish(round, hashed);
    lane.put(this.#head, record.headBytes);
    if (record.bodyBytes > 0) lane.put(this.#body, record.bodyBytes);
    this.discard();
    return bytes;
  }

  /** The record in hand is over. */
  discard(): void {
    this.#record.begin();
    this.#plainRow = 0;
    this.#shorter = 0;
    this.zeroPages = 0;
  }

  #encode(pfn: number): number {
    const { body, bodyBytes } = this.#record;
    return this.#pipeline.encode(
      pfn,
      this.#hashes.lo(pfn),
      this.#hashes.hi(pfn),
      this.#stream,
      body,
      bodyBytes,
    );
  }

  #add(pfn: number, encoding: number, length: number): void {
    if (encoding === AS_ZERO) this.zeroPages++;
    if (encoding === AS_RAW || encoding === AS_ZERO) this.#plainRow++;
    else {
      this.#plainRow = 0;
      this.#shorter++;
    }
    this.#record.add(pfn, encoding, length, this.#hashes.lo(pfn), this.#hashes.hi(pfn));
  }
}
