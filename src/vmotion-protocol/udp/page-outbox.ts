/**
 * Pages on their way out. Each send of a page has a version; fragments of a lost packet are ordered again, not its
 * bytes, and a page whose content has changed since is sent anew as a whole, under a new version.
 *
 *   round's pages ► record in hand ──► fragments ──► packets ──acknowledged──► delivered
 *        ▲               ▲                              │ lost
 *   demanded first       │    same version, intact ◄────┤
 *                        └── new version: changed ◄─────┘   (superseded: dropped)
 *
 * What is sent while the guest writes may be torn between two contents. That is no harm: the write is in the dirty
 * log, so a later round sends the page again; in the last flight the guest stands.
 */
import type { PageSet } from '../../core/index.js';
import type { DatagramPlan } from './datagram-plan.js';
import { FragmentQueue } from './fragment-queue.js';
import {
  bytesInMemory,
  END_FRAME_BYTES,
  FRAGMENT_UNIT,
  FRAME_END,
  FRAME_PAGE,
  FRAME_ZERO,
  PAGE_FRAME_BYTES,
  RECORD_BYTES_MAX,
  writeEndFrame,
  writePageFrame,
  writeZeroFrame,
  ZERO_FRAME_BYTES,
  ZERO_PAGES_MAX,
} from './packet-codec.js';
import { AscendingPages, type PageSequence } from './page-sequence.js';
import { FRAGMENTS_MAX, type SentPackets } from './sent-packets.js';

/** Where records come from: the driver, which knows the memory. Called only from within `Connection.poll`. */
export interface PageRecords {
  /** Reads the page as it is now and settles how it travels. @returns the record's bytes, at most 4608; 0: a page of zeros */
  prepare(pfn: number): number;
  /** How the record last prepared becomes a page: ENCODING_RAW, or one of the page pipeline's. */
  readonly encoding: number;
  /** Whether the page's last record can still be given as it was. Of a raw record: whether the page has not changed. */
  intact(pfn: number): boolean;
  /** Copies bytes of the page's last record: those that no wire gathers from memory, or all of a flat datagram. */
  copy(pfn: number, offset: number, length: number, into: Uint8Array, at: number): void;
  /** The whole record has arrived: nobody will ask for it again. */
  delivered(pfn: number): void;
}

/** Less of a record is no use to begin a frame for, unless it is all. */
const PART_BYTES_MIN = 128;

export class PageOutbox {
  readonly #records: PageRecords;
  readonly #versions: Uint32Array;
  readonly #recordBytes: Uint16Array;
  readonly #missingBytes: Uint16Array;
  readonly #encodings: Uint8Array;
  readonly #again = new FragmentQueue();
  readonly #demanded = new FragmentQueue();
  #sequence: PageSequence | null = null;
  #version = 0;
  /** Versions below were given in earlier rounds. */
  #roundFirstVersion = 1;
  /** The record in hand: its page (−1: none) and how far it has been sent. */
  #pfn = -1;
  #sent = 0;
  #endDue = false;
  #flat = false;
  /** The round being sent, 1..65535, and its pages. */
  round = 0;
  pages = 0;
  /** Of this round: pages sent as records and as zeros, bytes of records. */
  dataPages = 0;
  zeroPages = 0;
  recordBytes = 0;
  /** Of all rounds: bytes sent again, and pages that changed between a loss and its repair. */
  resentBytes = 0;
  superseded = 0;

  constructor(pages: number, records: PageRecords) {
    this.#records = records;
    this.#versions = new Uint32Array(pages);
    this.#recordBytes = new Uint16Array(pages);
    this.#missingBytes = new Uint16Array(pages);
    this.#encodings = new Uint8Array(pages);
  }

  /** Begins a round of a set, copied, from the lowest page up; the one before has been applied by the peer. */
  begin(round: number, set: PageSet): void {
    this.beginWith(round, new AscendingPages(set.clone()), set.count());
  }

  /** The same, in the order of a sequence. @param round 1..65535 @param pages of the sequence */
  beginWith(round: number, sequence: PageSequence, pages: number): void {
    this.round = round;
    this.#roundFirstVersion = this.#version + 1;
    this.#sequence = sequence;
    this.pages = pages;
    this.#again.clear();
    this.#demanded.clear();
    this.#pfn = -1;
    this.#endDue = true;
    this.dataPages = 0;
    this.zeroPages = 0;
    this.recordBytes = 0;
  }

  /** A page of the round that is wanted now goes next. @returns false when it has gone already, or is not of the round */
  demand(pfn: number): boolean {
    if (this.#sequence === null || !this.#sequence.demand(pfn)) return false;
    this.#demanded.push(FRAME_PAGE, pfn, 0, 0, 0);
    return true;
  }

  /** A page that arrived damaged goes next, under a new version. @param pfn of the memory */
  again(pfn: number): void {
    this.#demanded.push(FRAME_PAGE, pfn, 0, 0, 0);
  }

  /** Every page of the round and its END have been sent once. */
  get handedOver(): boolean {
    return this.#pfn < 0 && !this.#endDue && this.#demanded.size === 0;
  }

  /** Something can be sent now. */
  get pending(): boolean {
    return this.#again.size > 0 || !this.handedOver;
  }

  /** Puts as much as fits into the datagram. @param flat page bytes are copied in */
  fill(plan: DatagramPlan, packets: SentPackets, flat: boolean): void {
    this.#flat = flat;
    while (packets.noted < FRAGMENTS_MAX) {
      if (this.#pfn < 0 && !this.#choose(plan, packets)) return;
      if (this.#pfn < 0) continue;
      const left = this.#recordBytes[this.#pfn]! - this.#sent;
      const n = part(plan, left);
      if (n === 0) return;
      this.#page(plan, packets, this.#pfn, this.#sent, n);
      this.#sent += n;
      if (n === left) this.#pfn = -1;
    }
  }

  /** A fragment of an acknowledged packet. */
  acked(kind: number, pfn: number, version: number, length: number): void {
    if (kind === FRAME_ZERO) {
      for (let p = pfn; p < pfn + length; p++) if (this.#versions[p] === version) this.#records.delivered(p);
      return;
    }
    if (kind !== FRAME_PAGE || this.#versions[pfn] !== version) return;
    const missing = this.#missingBytes[pfn]! - length;
    this.#missingBytes[pfn] = missing;
    if (missing === 0) this.#records.delivered(pfn);
  }

  /** A fragment of a lost packet. One of an earlier round has arrived in another packet, or that round would not be over. */
  lost(kind: number, pfn: number, version: number, offset: number, length: number): void {
    if (kind === FRAME_END ? version !== this.round : version < this.#roundFirstVersion) return;
    this.#again.push(kind, pfn, version, offset, length);
  }

  /** Chooses what comes next. @returns false when there is nothing or it does not fit */
  #choose(plan: DatagramPlan, packets: SentPackets): boolean {
    if (this.#demanded.size > 0) {
      const pfn = this.#demanded.subject;
      if (!this.#start(plan, packets, pfn)) return false;
      this.#demanded.shift();
      return true;
    }
    if (this.#again.size > 0) return this.#repair(plan, packets);
    const next = this.#sequence?.next ?? -1;
    if (next >= 0) return this.#start(plan, packets, next);
    if (!this.#endDue || plan.room < END_FRAME_BYTES) return false;
    this.#end(plan, packets);
    this.#endDue = false;
    return true;
  }

  /** Reads a page and takes it in hand; zero pages that follow go along. @returns false when there is no room */
  #start(plan: DatagramPlan, packets: SentPackets, pfn: number): boolean {
    if (plan.room < PAGE_FRAME_BYTES + PART_BYTES_MIN) return false;
    const sequence = this.#sequence!;
    const inTurn = sequence.next === pfn;
    let at = pfn;
    let zeros = 0;
    const version = ++this.#version;
    while (zeros < ZERO_PAGES_MAX) {
      const bytes = this.#records.prepare(at);
      if (bytes > 0) {
        this.#take(at, zeros === 0 ? version : ++this.#version, bytes);
        this.dataPages++;
        this.recordBytes += bytes;
        if (inTurn) sequence.take();
        break;
      }
      this.#versions[at] = version;
      zeros++;
      this.zeroPages++;
      if (!inTurn) break;
      sequence.take();
      if (sequence.next !== at + 1) break;
      at++;
    }
    if (zeros > 0) this.#zero(plan, packets, pfn, zeros, version);
    return true;
  }

  #take(pfn: number, version: number, bytes: number): void {
    this.#versions[pfn] = version;
    this.#recordBytes[pfn] = Math.min(bytes, RECORD_BYTES_MAX);
    this.#missingBytes[pfn] = this.#recordBytes[pfn]!;
    this.#encodings[pfn] = this.#records.encoding;
    this.#pfn = pfn;
    this.#sent = 0;
  }

  /** Sends the head of what was lost again, if it still matters. @returns false when it does not fit */
  #repair(plan: DatagramPlan, packets: SentPackets): boolean {
    const again = this.#again;
    const pfn = again.subject;
    if (again.kind === FRAME_END) {
      if (plan.room < END_FRAME_BYTES) return false;
      this.#end(plan, packets);
      again.shift();
      return true;
    }
    if (this.#versions[pfn] !== again.version) {
      if (again.kind === FRAME_ZERO && again.length > 1) again.trim(1, 0, 1);
      else again.shift();
      return true;
    }
    if (again.kind === FRAME_ZERO) {
      if (!this.#anew(plan, packets, pfn)) return false;
      if (again.length > 1) again.trim(1, 0, 1);
      else again.shift();
      return true;
    }
    if (!this.#records.intact(pfn)) {
      if (!this.#anew(plan, packets, pfn)) return false;
      again.shift();
      this.superseded++;
      return true;
    }
    const n = part(plan, again.length);
    if (n === 0) return false;
    this.#page(plan, packets, pfn, again.offset, n);
    this.resentBytes += n;
    if (n === again.length) again.shift();
    else again.trim(0, n, n);
    return true;
  }

  /** Sends a page as it is now, under a new version. */
  #anew(plan: DatagramPlan, packets: SentPackets, pfn: number): boolean {
    if (plan.room < PAGE_FRAME_BYTES + PART_BYTES_MIN) return false;
    const version = ++this.#version;
    const bytes = this.#records.prepare(pfn);
    if (bytes > 0) this.#take(pfn, version, bytes);
    else {
      this.#versions[pfn] = version;
      this.#zero(plan, packets, pfn, 1, version);
    }
    return true;
  }

  #page(plan: DatagramPlan, packets: SentPackets, pfn: number, offset: number, length: number): void {
    const version = this.#versions[pfn]!;
    const recordBytes = this.#recordBytes[pfn]!;
    const at = plan.take(PAGE_FRAME_BYTES);
    writePageFrame(plan.view, at, this.#encodings[pfn]!, pfn, version, offset, length, recordBytes);
    const inMemory = this.#flat ? 0 : bytesInMemory(this.#encodings[pfn]!) - offset;
    const gathered = Math.min(length, Math.max(0, inMemory));
    if (gathered > 0) plan.cut(pfn, offset, gathered);
    const copied = length - gathered;
    if (copied > 0) this.#records.copy(pfn, offset + gathered, copied, plan.bytes, plan.take(copied));
    packets.note(FRAME_PAGE, pfn, version, offset, length);
  }

  #zero(plan: DatagramPlan, packets: SentPackets, pfn: number, count: number, version: number): void {
    writeZeroFrame(plan.view, plan.take(ZERO_FRAME_BYTES), pfn, count, version);
    packets.note(FRAME_ZERO, pfn, version, 0, count);
  }

  #end(plan: DatagramPlan, packets: SentPackets): void {
    writeEndFrame(plan.view, plan.take(END_FRAME_BYTES), this.pages);
    packets.note(FRAME_END, 0, this.round, 0, 0);
  }
}

/** How many of `left` bytes of a record to put into what is left of a datagram: all, whole units, or none. */
function part(plan: DatagramPlan, left: number): number {
  const room = plan.room - PAGE_FRAME_BYTES;
  if (left <= room) return left;
  const units = room - (room % FRAGMENT_UNIT);
  return units < PART_BYTES_MIN ? 0 : units;
}
