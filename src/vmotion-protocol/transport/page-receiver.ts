/**
 * Receives page streams. docs/design.md, "Results", memoryIdentical.
 *
 *   rounds of pre-copy   the link puts bytes straight into guest memory; each page is hashed by reading it back
 *   rounds behind ARM    into staging; each page is hashed there and then placed: the page may be missing, and a system
 *                        call that is given a missing page fails (`stageFrom`)
 *   post-copy            held back until FINAL has said what is missing (`holdFrom`, `release`)
 *   encoded pages        into a buffer; `PageApplier` makes the page, in guest memory or beside it
 *
 * A payload arrives in pages of a guest that does not run, or from staging in one step: half a record is no harm.
 * Longer than 400 lines: the ways share every lane's state, and a page takes another one in the middle of a stream.
 */
import { PAGE_SIZE, PageSet } from '../../core/index.js';
import {
  type Applied,
  AS_ZERO,
  DESCRIPTOR_BYTES,
  descriptorEncoding,
  descriptorLength,
  MAX_RECORD_PAGES,
  PAGE_HASH_BYTES,
  type PageApplier,
  PageStreamReader,
  STAGING_BYTES,
} from '../index.js';
import { Chain, newRegion, type Region, regionOf } from './chain.js';
import type { Link } from './link.js';
import type { PageContent } from './page-sender.js';
import type { RoundReceiver } from './page-ways.js';

/** Bytes taken from one stream, or made of what came, before the others and the control channel have their turn. */
const TURN_BYTES = 1 << 20;

export interface PageReceiverEvents {
  /** Every stream has ended this round and all of it lies in memory. @param pages data and zero pages of the round */
  onRoundApplied(round: number, pages: number): void;
  onViolation(code: string, text: string): void;
}

/** Where staged pages go. */
export interface PageStage {
  /** Pages from `pfn` on, whole and verified, stand in `source` from `offset` on. */
  place(pfn: number, pages: number, source: Region, offset: number): void;
  placeZeros(pfn: number, pages: number): void;
  /** The page did not have the hash that came with it. */
  damaged(pfn: number): void;
}

/** What is known of pages that came through staging. */
export interface StagedContent extends PageContent {
  /**
   * Hashes a page that stands in `bytes` from `at` on, and takes its hash unless it differs from the announced one.
   * @param announced holds lo u32, hi u32 at `announcedAt`; null when no hash came with the page
   * @returns false when it differs
   */
  hashStaged(
    pfn: number,
    bytes: Uint8Array,
    at: number,
    announced: DataView | null,
    announcedAt: number,
  ): boolean;
  /** The page is all zero. */
  hashZero(pfn: number): void;
}

interface Lane {
  readonly link: Link;
  readonly reader: PageStreamReader;
  readonly staging: Region;
  readonly stagingView: DataView;
  /** Pages of one record, once records are staged or encoded. */
  payload: Region | null;
  payloadAt: number;
  readonly chain: Chain;
  /** Rounds this stream has ended. */
  ended: number;
  open: boolean;
}

export class PageReceiver implements RoundReceiver {
  readonly #memory: Region;
  readonly #pages: number;
  readonly #content: StagedContent;
  readonly #events: PageReceiverEvents;
  readonly #lanes: Lane[] = [];
  #demandLane: Lane | null = null;
  #applier: PageApplier | null = null;
  /** The page that the applier makes. */
  #made: Region | null = null;
  #streams = 0;
  #firstRound = 1;
  #roundsApplied = 0;
  #stage: PageStage | null = null;
  #stageFrom = Number.POSITIVE_INFINITY;
  #holdFrom = Number.POSITIVE_INFINITY;
  /** Pages applied by round; a fast stream may be a round ahead. */
  readonly #pagesOf = new Map<number, number>();
  /** Pages that came in `#cameRound`, the last round of which anything came. */
  readonly #came: PageSet;
  /** Of the encoded record in hand, pages that refer to what is not held here: they have not come. */
  readonly #misses: number[] = [];
  #cameRound = 0;

  constructor(memory: Region, pages: number, content: StagedContent, events: PageReceiverEvents) {
    this.#memory = memory;
    this.#pages = pages;
    this.#came = new PageSet(pages);
    this.#content = content;
    this.#events = events;
  }

  /**
   * Expects this many streams; they may come before or after.
   * @param applier makes pages of encoded ones; null refuses them
   */
  begin(streams: number, applier: PageApplier | null): void {
    this.#streams = streams;
    this.#applier = applier;
    this.#made = applier && regionOf(applier.page);
  }

  addStream(link: Link, stream: number): void {
    if (this.#lanes[stream] !== undefined) return link.close();
    this.#lanes[stream] = this.#laneOf(link, this.#firstRound);
  }

  /** The link on which demanded pages come, all of round `round`; it is read once `release` was called. */
  addDemandLink(link: Link, round: number): void {
    this.#demandLane?.link.close();
    this.#demandLane = this.#laneOf(link, round);
  }

  /**
   * The source is back over new links: those of before are closed, and the streams that come now begin with `round`.
   * Once pages were staged they all are, since some of them may be missing.
   * @param hold whether the round behind `round` waits for `release`
   */
  takeUp(round: number, hold: boolean): void {
    this.close();
    this.#lanes.length = 0;
    this.#demandLane = null;
    this.#pagesOf.clear();
    this.#firstRound = round;
    this.#roundsApplied = round - 1;
    if (this.#stage === null) return;
    this.#stageFrom = round;
    this.#holdFrom = hold ? round + 1 : Number.POSITIVE_INFINITY;
  }

  reconnect(): void {} // page links belong to the attempt, and takeUp closes them

  /** The last round of which anything came; 0 before the first. */
  get cameRound(): number {
    return this.#cameRound;
  }

  /** The pages that did not come in that round. */
  notCome(): PageSet {
    const pages = PageSet.full(this.#pages);
    pages.subtract(this.#came);
    return pages;
  }

  /** Records of `round` and later go through `stage`; those of the round behind it wait for `release`. */
  stageFrom(round: number, stage: PageStage): void {
    this.#stage = stage;
    this.#stageFrom = round;
    this.#holdFrom = round + 1;
  }

  /** Missing pages may come now. */
  release(): void {
    this.#holdFrom = Number.POSITIVE_INFINITY;
  }

  /** Whether bytes were left waiting by the last `receive`, so that it wants to be called again at once. */
  eager = false;

  /** Of the stream in hand, in this turn. */
  #budget = 0;

  /** Takes what has come on every stream, demanded pages first. */
  receive(): void {
    this.eager = false;
    if (this.#demandLane?.open) this.#receiveLane(this.#demandLane);
    for (const lane of this.#lanes) if (lane?.open) this.#receiveLane(lane);
  }

  close(): void {
    for (const lane of this.#lanes) lane?.link.close();
    this.#demandLane?.link.close();
  }

  #laneOf(link: Link, firstRound: number): Lane {
    const staging = newRegion(STAGING_BYTES);
    return {
      link,
      reader: new PageStreamReader(this.#pages, firstRound),
      staging,
      stagingView: new DataView(staging.bytes.buffer),
      payload: null,
      payloadAt: 0,
      chain: new Chain(),
      ended: firstRound - 1,
      open: true,
    };
  }

  #receiveLane(lane: Lane): void {
    this.#budget = TURN_BYTES;
    while (this.#budget > 0) {
      if (lane.reader.streamRound >= this.#holdFrom) return;
      const n = this.#receiveSome(lane);
      if (n === 0) return awaitRecord(lane);
      if (n < 0) {
        lane.open = false;
        return;
      }
      this.#budget -= n;
      if (!this.#took(lane, n)) return;
      if (lane.chain.bytes > 0) return awaitRecord(lane); // less than was asked for: no more is here
    }
    this.eager = true;
  }

  /** Lets the link put bytes where the reader wants them, over all runs of a record in one call. */
  #receiveSome(lane: Lane): number {
    const { reader, chain, staging } = lane;
    chain.clear();
    if (reader.phase === 'staging') {
      chain.push(staging, reader.stagingOffset, reader.needBytes);
    } else if (reader.phase === 'encoded' || this.#isStaged(reader)) {
      chain.push(payloadOf(lane), lane.payloadAt, reader.payloadBytesLeft);
    } else {
      chain.push(this.#memory, reader.memoryOffset, reader.needBytes);
      for (let r = reader.run + 1; r < reader.runs; r++)
        chain.push(this.#memory, reader.pfns[r]! * PAGE_SIZE, reader.counts[r]! * PAGE_SIZE);
    }
    return lane.link.receive(chain);
  }

  #isStaged(reader: PageStreamReader): boolean {
    return reader.round >= this.#stageFrom;
  }

  /** Tells the reader what came. @returns false when the lane is of no more use */
  #took(lane: Lane, bytes: number): boolean {
    const { reader } = lane;
    if (reader.phase === 'staging') {
      const at = reader.stagingOffset;
      reader.staging.set(lane.staging.bytes.subarray(at, at + bytes), at);
    } else lane.payloadAt += bytes;
    let left = bytes;
    while (left > 0) {
      const step = Math.min(left, reader.needBytes);
      left -= step;
      switch (reader.taken(step)) {
        case 'data':
          lane.payloadAt = 0;
          break;
        case 'data-done':
          if (this.#isStaged(reader)) this.#place(lane);
          else this.#applied(reader);
          break;
        case 'encoded':
          lane.payloadAt = 0;
          break;
        case 'encoded-done':
          if (this.#decode(lane)) break;
          lane.open = false;
          return false;
        case 'zero':
          if (this.#isStaged(reader)) this.#placeZeros(reader);
          else this.#clear(reader);
          break;
        case 'end':
          lane.ended++;
          this.#endRounds();
          break;
        case 'bad':
          lane.open = false;
          this.#events.onViolation(reader.failure!.code, reader.failure!.text);
          return false;
      }
    }
    return true;
  }

  /** Zero pages: written only where they are not zero already, so that untouched memory stays unpopulated. */
  #clear(reader: PageStreamReader): void {
    for (let r = 0; r < reader.runs; r++) {
      const first = reader.pfns[r]!;
      for (let pfn = first; pfn < first + reader.counts[r]!; pfn++) {
        if (!this.#content.hash(pfn)) this.#memory.bytes.fill(0, pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE);
      }
    }
    this.#applied(reader);
  }

  #applied(reader: PageStreamReader): void {
    for (let r = 0; r < reader.runs; r++) {
      const first = reader.pfns[r]!;
      for (let pfn = first; pfn < first + reader.counts[r]!; pfn++) this.#content.hash(pfn);
    }
    this.#held(reader);
    this.#count(reader);
  }

  /** Makes the pages of an encoded record. @returns false when it is none */
  #decode(lane: Lane): boolean {
    const { reader, stagingView: view } = lane;
    if (this.#applier === null) {
      this.#events.onViolation('VMOTION_PAGE_KIND', 'pages came encoded, which was not agreed on');
      return false;
    }
    const bytes = payloadOf(lane).bytes;
    const staged = this.#isStaged(reader);
    let at = 0;
    let descriptorAt = reader.descriptorsAt;
    let hashAt = reader.hashesAt;
    for (let r = 0; r < reader.runs; r++) {
      const end = reader.pfns[r]! + reader.counts[r]!;
      for (let pfn = reader.pfns[r]!; pfn < end; pfn++) {
        const encoding = descriptorEncoding(view, descriptorAt);
        const length = descriptorLength(view, descriptorAt);
        const applied = staged
          ? this.#placeMade(lane, pfn, encoding, at, length, hashAt)
          : this.#applier.apply(pfn, encoding, bytes, at, length);
        if (applied === 'bad') {
          this.#events.onViolation('VMOTION_PAGE_ENCODING', `page ${pfn} is no page in encoding ${encoding}`);
          return false;
        }
        // A page that was missed is read as well: it has to be populated, should the next round find it armed.
        if (!staged) this.#content.hash(pfn);
        if (applied === 'miss') this.#misses.push(pfn);
        at += length;
        descriptorAt += DESCRIPTOR_BYTES;
        hashAt += PAGE_HASH_BYTES;
      }
    }
    this.#budget -= reader.pages * PAGE_SIZE;
    this.#count(reader);
    for (const pfn of this.#misses) this.#came.delete(pfn);
    this.#misses.length = 0;
    return true;
  }

  /** Makes a page beside guest memory, and places it if it is whole. */
  #placeMade(lane: Lane, pfn: number, encoding: number, at: number, length: number, hashAt: number): Applied {
    const announced = lane.reader.hashesAt > 0 ? lane.stagingView : null;
    const applied = this.#applier!.make(pfn, encoding, lane.payload!.bytes, at, length);
    if (applied === 'bad') return applied;
    const made = this.#made!;
    if (applied === 'applied' && this.#content.hashStaged(pfn, made.bytes, 0, announced, hashAt)) {
      if (encoding === AS_ZERO) this.#stage!.placeZeros(pfn, 1);
      else this.#stage!.place(pfn, 1, made, 0);
    } else {
      this.#applier!.dropped(pfn);
      if (announced !== null) this.#stage!.damaged(pfn);
    }
    return applied;
  }

  /** Verifies each page of a staged record and hands on the whole ones, neighbours together. */
  #place({ reader, payload, stagingView }: Lane): void {
    const announced = reader.hashesAt > 0 ? stagingView : null;
    let offset = 0;
    let hashAt = reader.hashesAt;
    for (let r = 0; r < reader.runs; r++) {
      const first = reader.pfns[r]!;
      const end = first + reader.counts[r]!;
      let wholeFrom = first;
      for (let pfn = first; pfn < end; pfn++) {
        const at = offset + (pfn - first) * PAGE_SIZE;
        const whole = this.#content.hashStaged(pfn, payload!.bytes, at, announced, hashAt);
        hashAt += PAGE_HASH_BYTES;
        if (whole) continue;
        this.#placeRun(wholeFrom, pfn, payload!, offset + (wholeFrom - first) * PAGE_SIZE);
        wholeFrom = pfn + 1;
        this.#stage!.damaged(pfn);
      }
      this.#placeRun(wholeFrom, end, payload!, offset + (wholeFrom - first) * PAGE_SIZE);
      offset += (end - first) * PAGE_SIZE;
    }
    // A page that came damaged was not placed: what comes with hashes is not referred to at all.
    if (announced === null) this.#held(reader);
    this.#count(reader);
  }

  #placeRun(first: number, end: number, payload: Region, offset: number): void {
    if (end > first) this.#stage!.place(first, end - first, payload, offset);
  }

  #placeZeros(reader: PageStreamReader): void {
    for (let r = 0; r < reader.runs; r++) {
      const first = reader.pfns[r]!;
      for (let pfn = first; pfn < first + reader.counts[r]!; pfn++) this.#content.hashZero(pfn);
      this.#stage!.placeZeros(first, reader.counts[r]!);
    }
    this.#held(reader);
    this.#count(reader);
  }

  #count(reader: PageStreamReader): void {
    this.#pagesOf.set(reader.round, (this.#pagesOf.get(reader.round) ?? 0) + reader.pages);
    if (reader.round > this.#cameRound) {
      this.#cameRound = reader.round;
      this.#came.clear();
    }
    for (let r = 0; r < reader.runs; r++)
      this.#came.addRange(reader.pfns[r]!, reader.pfns[r]! + reader.counts[r]!);
  }

  /** Pages that came as they are and stand in guest memory: others may refer to them from now on. */
  #held(reader: PageStreamReader): void {
    const applier = this.#applier;
    if (applier === null) return;
    for (let r = 0; r < reader.runs; r++) applier.received(reader.pfns[r]!, reader.counts[r]!);
  }

  #endRounds(): void {
    if (this.#streams === 0) return;
    for (;;) {
      let ended = 0;
      for (let i = 0; i < this.#streams; i++) if ((this.#lanes[i]?.ended ?? 0) > this.#roundsApplied) ended++;
      if (ended < this.#streams) return;
      const round = ++this.#roundsApplied;
      const pages = this.#pagesOf.get(round) ?? 0;
      this.#pagesOf.delete(round);
      this.#events.onRoundApplied(round, pages);
    }
  }
}

function payloadOf(lane: Lane): Region {
  lane.payload ??= newRegion(MAX_RECORD_PAGES * PAGE_SIZE);
  return lane.payload;
}

/** A record is of use when it is whole: its last bytes wake us, not each of its segments. */
function awaitRecord({ link, reader }: Lane): void {
  link.expect?.(Math.max(1, reader.payloadBytesLeft));
}
