/**
 * What becomes of the pages that came on a stream, a record at a time: they stand in guest memory already, or are made,
 * verified and placed. docs/design.md, "Results", memoryIdentical.
 *
 *   before `stageFrom`   DATA lies in its place: hashed by reading it back; encoded pages are made in their places
 *   from there on        hashed where they came, compared with the hash that came along, placed by the stage
 *
 * Keeps account of what came in the last round, for the case that the links break.
 */
import { PAGE_SIZE, PageSet } from '../../core/index.js';
import {
  type Applied,
  AS_ZERO,
  DESCRIPTOR_BYTES,
  descriptorEncoding,
  descriptorLength,
  PAGE_HASH_BYTES,
  type PageApplier,
  type PageStreamReader,
} from '../index.js';
import { type Region, regionOf } from './chain.js';
import type { PageContent } from './page-sender.js';

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

/** A record whose bytes are all here. */
export interface RecordInHand {
  readonly reader: PageStreamReader;
  /** Header, runs, hashes and descriptors. */
  readonly stagingView: DataView;
  /** Its pages, where they are staged or encoded. */
  readonly payload: Region | null;
}

const NOTHING = new Uint8Array(0);

export class PageLanding {
  readonly #memory: Region;
  readonly #pages: number;
  readonly #content: StagedContent;
  readonly #onViolation: (code: string, text: string) => void;
  #applier: PageApplier | null = null;
  /** The page that the applier makes. */
  #made: Region | null = null;
  #stage: PageStage | null = null;
  #stageFrom = Number.POSITIVE_INFINITY;
  /** Pages applied by round; a fast stream may be a round ahead. */
  readonly #pagesOf = new Map<number, number>();
  /** Pages that came in `cameRound`. */
  readonly #came: PageSet;
  /** Of the encoded record in hand, pages that refer to what is not held here: they have not come. */
  readonly #misses: number[] = [];
  /** The last round of which anything came; 0 before the first. */
  cameRound = 0;

  constructor(
    memory: Region,
    pages: number,
    content: StagedContent,
    onViolation: (code: string, text: string) => void,
  ) {
    this.#memory = memory;
    this.#pages = pages;
    this.#came = new PageSet(pages);
    this.#content = content;
    this.#onViolation = onViolation;
  }

  /** @param applier makes pages of encoded ones; null refuses them */
  begin(applier: PageApplier | null): void {
    this.#applier = applier;
    this.#made = applier && regionOf(applier.page);
  }

  /** Records of `round` and later go through `stage`. */
  stageFrom(round: number, stage: PageStage): void {
    this.#stage = stage;
    this.#stageFrom = round;
  }

  /**
   * Pages come anew from `round` on. Once pages were staged they all are, since some of them may be missing.
   * @returns whether they are
   */
  takeUp(round: number): boolean {
    this.#pagesOf.clear();
    if (this.#stage === null) return false;
    this.#stageFrom = round;
    return true;
  }

  isStaged(reader: PageStreamReader): boolean {
    return reader.round >= this.#stageFrom;
  }

  /** The pages that did not come in `cameRound`. */
  notCome(): PageSet {
    const pages = PageSet.full(this.#pages);
    pages.subtract(this.#came);
    return pages;
  }

  /** The round is over. @returns pages that came in it */
  takePagesOf(round: number): number {
    const pages = this.#pagesOf.get(round) ?? 0;
    this.#pagesOf.delete(round);
    return pages;
  }

  /** The pages of a record with payload are here: in their places, or in its payload. */
  data(record: RecordInHand): void {
    if (this.isStaged(record.reader)) this.#place(record);
    else this.#applied(record.reader);
  }

  /** The pages of the record are zero. */
  zeros({ reader }: RecordInHand): void {
    if (this.isStaged(reader)) this.#placeZeros(reader);
    else this.#clear(reader);
  }

  /** Written only where they are not zero already, so that untouched memory stays unpopulated. */
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
  encoded(record: RecordInHand): boolean {
    const { reader, payload, stagingView: view } = record;
    if (this.#applier === null) {
      this.#onViolation('VMOTION_PAGE_KIND', 'pages came encoded, which was not agreed on');
      return false;
    }
    const bytes = payload?.bytes ?? NOTHING;
    const staged = this.isStaged(reader);
    let at = 0;
    let descriptorAt = reader.descriptorsAt;
    let hashAt = reader.hashesAt;
    for (let r = 0; r < reader.runs; r++) {
      const end = reader.pfns[r]! + reader.counts[r]!;
      for (let pfn = reader.pfns[r]!; pfn < end; pfn++) {
        const encoding = descriptorEncoding(view, descriptorAt);
        const length = descriptorLength(view, descriptorAt);
        const applied = staged
          ? this.#placeMade(record, bytes, pfn, encoding, at, length, hashAt)
          : this.#applier.apply(pfn, encoding, bytes, at, length);
        if (applied === 'bad') {
          this.#onViolation('VMOTION_PAGE_ENCODING', `page ${pfn} is no page in encoding ${encoding}`);
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
    this.#count(reader);
    for (const pfn of this.#misses) this.#came.delete(pfn);
    this.#misses.length = 0;
    return true;
  }

  /** Makes a page beside guest memory, and places it if it is whole. */
  #placeMade(
    { reader, stagingView }: RecordInHand,
    bytes: Uint8Array,
    pfn: number,
    encoding: number,
    at: number,
    length: number,
    hashAt: number,
  ): Applied {
    const announced = reader.hashesAt > 0 ? stagingView : null;
    const applied = this.#applier!.make(pfn, encoding, bytes, at, length);
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
  #place({ reader, payload, stagingView }: RecordInHand): void {
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
    if (reader.round > this.cameRound) {
      this.cameRound = reader.round;
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
}
