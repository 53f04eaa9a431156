/**
 * Sends the pages of a round over a UDP link: the face of `PageSender`, so that a role drives either.
 *
 *   begin ─► outbox of the connection ─► records: read, hashed, gathered from guest memory by the kernel
 *   serve ─► the same in post-copy: each page with its hash behind it (udp-page-server.ts)
 *
 * A page is read when its turn to leave has come, which is later than with TCP: nothing waits in a socket. When a part
 * of it is lost, it is hashed again: unchanged, only that part is repeated; changed, it goes anew as it is now.
 */
import { PAGE_SIZE, PageSet } from '../../core/index.js';
import {
  ENCODING_HASHED,
  ENCODING_RAW,
  HASHED_BYTES,
  PageOutbox,
  type PageRecords,
  type PushedPages,
} from '../index.js';
import { newRegion, type Region } from './chain.js';
import type { HashedContent } from './page-server.js';
import type { RoundSender } from './page-ways.js';
import type { UdpLink } from './udp-links.js';

/** What the sender knows of the pages' content, so that it can tell whether a page is still what was sent. */
export interface VersionedContent extends HashedContent {
  /** Hashes the page as it is now. @returns whether it differs from what it was when it was last hashed */
  changed(pfn: number): boolean;
}

export class UdpPageSender implements PageRecords, RoundSender {
  encoding = ENCODING_RAW;
  readonly #memory: Region;
  readonly #content: VersionedContent;
  readonly #link: UdpLink;
  readonly #outbox: PageOutbox;
  readonly #parity: boolean;
  readonly #hash = newRegion(HASHED_BYTES - PAGE_SIZE);
  readonly #hashView = new DataView(this.#hash.bytes.buffer);
  readonly #given: PageSet;
  #busy = false;
  #corruptPfn = -1;
  #corrupted: Region | null = null;

  /** @param parity whether the final flight, and what the control channel says behind it, is covered by parity */
  constructor(memory: Region, content: VersionedContent, link: UdpLink, parity = true) {
    this.#parity = parity;
    this.#memory = memory;
    this.#content = content;
    this.#link = link;
    this.#given = new PageSet(memory.bytes.length / PAGE_SIZE);
    this.#outbox = new PageOutbox(memory.bytes.length / PAGE_SIZE, this);
    link.sendPages(this.#outbox, (pfn) =>
      pfn === this.#corruptPfn ? this.#corrupted!.address : memory.address + pfn * PAGE_SIZE,
    );
  }

  /** Test hook: one byte of this page is changed on its way, after it was hashed; −1 for none. */
  set corruptPfn(pfn: number) {
    this.#corruptPfn = pfn;
    if (pfn >= 0) this.#corrupted = newRegion(PAGE_SIZE);
  }

  get pagesSent(): number {
    return this.#outbox.dataPages;
  }

  get zeroPages(): number {
    return this.#outbox.zeroPages;
  }

  /** Bytes of records; what was sent again is not among them. */
  get bytes(): number {
    return this.#outbox.recordBytes;
  }

  begin(round: number, pages: PageSet, final: boolean): void {
    this.#link.connection.protect(final && this.#parity);
    this.encoding = ENCODING_RAW;
    this.#given.clear();
    this.#outbox.begin(round, pages);
    this.#busy = true;
  }

  /** Sends the pages that the destination lacks; the round before has been applied. @param count of the pages */
  serve(round: number, pages: PushedPages, count: number): void {
    this.#link.connection.protect(false);
    this.encoding = ENCODING_HASHED;
    this.#given.clear();
    this.#outbox.beginWith(round, pages, count);
  }

  handedOver(): PageSet {
    return this.#given.clone();
  }

  /** Whether everything that was sent has arrived, FINAL included. */
  get settled(): boolean {
    return this.#link.connection.settled;
  }

  /** Whether a round is being sent. */
  get busy(): boolean {
    return this.#busy;
  }

  /** Never: what holds pages back is pacing or the window, and the poller wakes for both. */
  get eager(): boolean {
    return false;
  }

  /** A page of this round that is wanted now leaves next. @returns false when it has left already */
  demand(pfn: number): boolean {
    return this.#outbox.demand(pfn);
  }

  /** A page that arrived damaged leaves next, as it is. */
  again(pfn: number): void {
    if (pfn === this.#corruptPfn) this.#corruptPfn = -1;
    this.#outbox.again(pfn);
  }

  /** Sends what may leave. @returns false when the link is broken */
  push(): boolean {
    this.#link.flush();
    const { state } = this.#link.connection;
    return state !== 'broken' && state !== 'closed';
  }

  /** @returns 'done' when every page has left once */
  pump(): 'done' | 'more' | 'broken' {
    if (!this.#busy) return 'done';
    if (!this.push()) return 'broken';
    if (!this.#outbox.handedOver) return 'more';
    this.#busy = false;
    return 'done';
  }

  /** PageRecords. */
  prepare(pfn: number): number {
    this.#given.add(pfn);
    const zero = this.#content.hash(pfn);
    const recordBytes = this.encoding === ENCODING_HASHED ? HASHED_BYTES : PAGE_SIZE;
    if (pfn === this.#corruptPfn) {
      const copy = this.#corrupted!.bytes;
      copy.set(this.#memory.bytes.subarray(pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE));
      copy[PAGE_SIZE / 2] = copy[PAGE_SIZE / 2]! ^ 0x01;
      return recordBytes;
    }
    return zero ? 0 : recordBytes;
  }

  intact(pfn: number): boolean {
    return !this.#content.changed(pfn);
  }

  copy(pfn: number, offset: number, length: number, into: Uint8Array, at: number): void {
    const ofPage = Math.min(length, Math.max(0, PAGE_SIZE - offset));
    if (ofPage > 0) {
      const from = pfn === this.#corruptPfn ? this.#corrupted!.bytes : this.#memory.bytes;
      const start = (pfn === this.#corruptPfn ? 0 : pfn * PAGE_SIZE) + offset;
      into.set(from.subarray(start, start + ofPage), at);
    }
    if (ofPage === length) return;
    this.#content.putHash(pfn, this.#hashView, 0);
    const start = Math.max(0, offset - PAGE_SIZE);
    into.set(this.#hash.bytes.subarray(start, start + length - ofPage), at + ofPage);
  }

  delivered(): void {} // a raw record is kept nowhere but in guest memory
}
