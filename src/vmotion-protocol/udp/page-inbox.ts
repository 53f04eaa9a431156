/**
 * Pages coming in: which bytes of which version have arrived. Bytes themselves go from the driver's buffer to where the
 * sink puts them together; here is one bit for every 16 of them.
 *
 *   fragment ─► round applied, or version not above the one complete ─► stale, ignored
 *            ─► version above the one in parts ─► what came of that one counts for nothing
 *            ─► all bytes of the record here ─► complete, counted once a round
 *
 *   round applied = END known  ∧  its pages complete  ∧  no page in parts
 *
 * The last condition matters: a page may be complete in one version and have been begun anew in a higher one.
 * A page that came damaged does not count; its next version does.
 * Memory is bounded: a page takes 10 bytes, and at most `PARTIAL_MAX` are in parts at a time.
 */
import type { PageSet } from '../../core/index.js';
import { FRAGMENT_UNIT, type PacketReader, RECORD_BYTES_MAX, recordFits } from './packet-codec.js';

/**
 * Where the bytes go: the driver. A record is put together in a slot of RECORD_BYTES_MAX bytes and placed when whole, or
 * where the page is, if nobody looks at it before its round is applied (`addInParts`).
 */
export interface PageSink {
  /** bytes[at … at+length) belong at `offset` of the record of page `pfn`, in slot `slot`; valid during the call only. */
  collect(
    slot: number,
    round: number,
    pfn: number,
    encoding: number,
    offset: number,
    bytes: Uint8Array,
    at: number,
    length: number,
  ): void;
  /**
   * The record in `slot` is whole: what it says of the page holds now. The slot is free after the call.
   * @returns false when it is damaged: the page still lacks, and comes again under another version
   */
  complete(slot: number, round: number, pfn: number, encoding: number, recordBytes: number): boolean;
  /** The page holds only zeros. */
  zero(round: number, pfn: number): void;
  /** All of the round has been placed. @param pages complete and zero pages of the round */
  roundApplied(round: number, pages: number): void;
}

const UNITS = RECORD_BYTES_MAX / FRAGMENT_UNIT;
const COVER_WORDS = Math.ceil(UNITS / 32);
/** A window of 64 MiB in parts of pages; what does not fit is not acknowledged and comes again. */
const PARTIAL_MAX = 65_536;

export class PageInbox {
  readonly #pages: number;
  readonly #sink: PageSink;
  /** By page: the highest complete version, the round it was last counted in, its slot + 1 while in parts. */
  readonly #complete: Uint32Array;
  readonly #countedIn: Uint16Array;
  readonly #slotOf: Uint32Array;
  /** By slot. */
  #versions = new Uint32Array(256);
  #missing = new Uint16Array(256);
  #cover = new Uint32Array(256 * COVER_WORDS);
  readonly #free: number[] = [];
  #slots = 0;
  #open = 0;
  #applied = 0;
  #counted = 0;
  #expected = -1;
  /** Pages of this round and later are not taken, nor acknowledged. */
  holdFrom = Number.POSITIVE_INFINITY;
  /** Fragments ignored: of a round that is applied or a version that is over; names beyond the memory. */
  stale = 0;
  refused = 0;

  /** @param applied rounds that were applied over earlier connections */
  constructor(pages: number, sink: PageSink, applied = 0) {
    this.#applied = applied;
    this.#pages = pages;
    this.#sink = sink;
    this.#complete = new Uint32Array(pages);
    this.#countedIn = new Uint16Array(pages);
    this.#slotOf = new Uint32Array(pages);
  }

  /** Rounds applied so far. */
  get applied(): number {
    return this.#applied;
  }

  /**
   * A PAGE frame, which `reader` has in hand; its bytes stand in `bytes`.
   * @returns false when it must not be acknowledged: it is ahead of its time, or there is no room for it
   */
  fragment(round: number, reader: PacketReader, bytes: Uint8Array): boolean {
    const { pfn, version, encoding, offset, length, recordBytes } = reader;
    if (!this.#wanted(round, pfn, 1)) return round <= this.#applied;
    if (!recordFits(encoding, recordBytes)) {
      this.refused++;
      return false;
    }
    if (version <= this.#complete[pfn]!) {
      this.stale++;
      return true;
    }
    let slot = this.#slotOf[pfn]! - 1;
    if (slot >= 0 && this.#versions[slot]! > version) {
      this.stale++;
      return true;
    }
    if (slot < 0) {
      slot = this.#openSlot(pfn);
      if (slot < 0) return false;
    }
    if (this.#versions[slot] !== version) {
      this.#versions[slot] = version;
      this.#missing[slot] = Math.ceil(recordBytes / FRAGMENT_UNIT);
      this.#cover.fill(0, slot * COVER_WORDS, (slot + 1) * COVER_WORDS);
    }
    const fresh = this.#coverUnits(
      slot,
      offset / FRAGMENT_UNIT,
      Math.ceil((offset + length) / FRAGMENT_UNIT),
    );
    if (fresh === 0) {
      this.stale++;
      return true;
    }
    this.#sink.collect(slot, round, pfn, encoding, offset, bytes, reader.bytesAt, length);
    const missing = this.#missing[slot]! - fresh;
    this.#missing[slot] = Math.max(0, missing);
    if (missing > 0) return true;
    this.#closeSlot(pfn, slot);
    if (this.#sink.complete(slot, round, pfn, encoding, recordBytes)) this.#finish(pfn, version, round);
    else this.#complete[pfn] = version;
    return true;
  }

  zeros(round: number, pfn: number, count: number, version: number): boolean {
    if (!this.#wanted(round, pfn, count)) return round <= this.#applied;
    for (let p = pfn; p < pfn + count; p++) {
      if (version <= this.#complete[p]!) continue;
      const slot = this.#slotOf[p]! - 1;
      if (slot >= 0) {
        if (this.#versions[slot]! > version) continue;
        this.#closeSlot(p, slot);
      }
      this.#sink.zero(round, p);
      this.#finish(p, version, round);
      if (round === this.#applied) break; // that was the round's last page
    }
    return true;
  }

  end(round: number, pages: number): boolean {
    if (!this.#wanted(round, 0, 0)) return round <= this.#applied;
    this.#expected = pages;
    this.#mayApply();
    return true;
  }

  /** Adds the pages that are here in parts, of a version that may not come whole any more. O(pages) if there are any. */
  addInParts(into: PageSet): void {
    if (this.#open === 0) return;
    for (let pfn = 0; pfn < this.#pages; pfn++) if (this.#slotOf[pfn] !== 0) into.add(pfn);
  }

  #wanted(round: number, pfn: number, count: number): boolean {
    if (round <= this.#applied) {
      this.stale++;
      return false;
    }
    if (round !== this.#applied + 1 || round >= this.holdFrom || pfn + count > this.#pages) {
      this.refused++;
      return false;
    }
    return true;
  }

  #finish(pfn: number, version: number, round: number): void {
    this.#complete[pfn] = version;
    if (this.#countedIn[pfn] !== round) {
      this.#countedIn[pfn] = round;
      this.#counted++;
    }
    this.#mayApply();
  }

  #mayApply(): void {
    if (this.#counted !== this.#expected || this.#open > 0) return;
    const pages = this.#counted;
    this.#applied++;
    this.#counted = 0;
    this.#expected = -1;
    this.#sink.roundApplied(this.#applied, pages);
  }

  /** Marks units start..end−1. @returns how many were new */
  #coverUnits(slot: number, start: number, end: number): number {
    let fresh = 0;
    for (let unit = start; unit < end; ) {
      const word = slot * COVER_WORDS + (unit >>> 5);
      const bit = unit & 31;
      const n = Math.min(32 - bit, end - unit);
      const mask = n === 32 ? -1 : ((1 << n) - 1) << bit;
      const had = this.#cover[word]!;
      fresh += ones(mask & ~had);
      this.#cover[word] = had | mask;
      unit += n;
    }
    return fresh;
  }

  #openSlot(pfn: number): number {
    let slot = this.#free.pop() ?? -1;
    if (slot < 0) {
      if (this.#slots === PARTIAL_MAX) return -1;
      slot = this.#slots++;
      if (slot === this.#versions.length) this.#grow();
    }
    this.#versions[slot] = 0;
    this.#slotOf[pfn] = slot + 1;
    this.#open++;
    return slot;
  }

  #closeSlot(pfn: number, slot: number): void {
    this.#slotOf[pfn] = 0;
    this.#free.push(slot);
    this.#open--;
  }

  #grow(): void {
    const size = this.#versions.length * 2;
    const versions = new Uint32Array(size);
    versions.set(this.#versions);
    this.#versions = versions;
    const missing = new Uint16Array(size);
    missing.set(this.#missing);
    this.#missing = missing;
    const cover = new Uint32Array(size * COVER_WORDS);
    cover.set(this.#cover);
    this.#cover = cover;
  }
}

function ones(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
