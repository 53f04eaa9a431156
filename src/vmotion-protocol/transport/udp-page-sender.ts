/**
 * Sends the pages of a round over a UDP link: the face of `PageSender`, so that a role drives either.
 *
 *   begin ─► outbox of the connection ─► records: read, hashed, gathered from guest memory by the kernel
 *
 * A page is read when its turn to leave has come, which is later than with TCP: nothing waits in a socket. When a part
 * of it is lost, it is hashed again: unchanged, only that part is repeated; changed, it goes anew as it is now.
 */
import { PAGE_SIZE, type PageSet } from '../../core/index.js';
import { ENCODING_RAW, PageOutbox, type PageRecords } from '../index.js';
import { newRegion, type Region } from './chain.js';
import type { PageContent } from './page-sender.js';
import type { UdpLink } from './udp-links.js';

/** What the sender knows of the pages' content, so that it can tell whether a page is still what was sent. */
export interface VersionedContent extends PageContent {
  /** Hashes the page as it is now. @returns whether it differs from what it was when it was last hashed */
  changed(pfn: number): boolean;
}

export class UdpPageSender implements PageRecords {
  readonly encoding = ENCODING_RAW;
  readonly #memory: Region;
  readonly #content: VersionedContent;
  readonly #link: UdpLink;
  readonly #outbox: PageOutbox;
  #busy = false;
  #corruptPfn = -1;
  #corrupted: Region | null = null;

  constructor(memory: Region, content: VersionedContent, link: UdpLink) {
    this.#memory = memory;
    this.#content = content;
    this.#link = link;
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

  /** Bytes of records; resends besides are `resentBytes`. */
  get bytes(): number {
    return this.#outbox.recordBytes;
  }

  get resentBytes(): number {
    return this.#outbox.resentBytes;
  }

  /** Pages that had changed when a lost part of them was to be sent again. */
  get superseded(): number {
    return this.#outbox.superseded;
  }

  /** Begins a round. @param final parity covers it and what the control channel says behind it */
  begin(round: number, pages: PageSet, final = false): void {
    this.#link.connection.protect(final);
    this.#outbox.begin(round, pages);
    this.#busy = true;
  }

  /** Whether a round is being sent. */
  get busy(): boolean {
    return this.#busy;
  }

  /** Never: what holds pages back is pacing or the window, and the poller wakes for both. */
  get eager(): boolean {
    return false;
  }

  /** A page of this round that is wanted now leaves next, if it has not left. */
  demand(pfn: number): void {
    this.#outbox.demand(pfn);
  }

  /** Sends what may leave. @returns as PageSender.pump: 'done' when every page has left once */
  pump(): 'done' | 'more' | 'broken' {
    if (!this.#busy) return 'done';
    this.#link.flush();
    const { state } = this.#link.connection;
    if (state === 'broken' || state === 'closed') return 'broken';
    if (!this.#outbox.handedOver) return 'more';
    this.#busy = false;
    return 'done';
  }

  /** PageRecords. */
  prepare(pfn: number): number {
    const zero = this.#content.hash(pfn);
    if (pfn === this.#corruptPfn) {
      const copy = this.#corrupted!.bytes;
      copy.set(this.#memory.bytes.subarray(pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE));
      copy[PAGE_SIZE / 2] = copy[PAGE_SIZE / 2]! ^ 0x01;
      return PAGE_SIZE;
    }
    return zero ? 0 : PAGE_SIZE;
  }

  intact(pfn: number): boolean {
    return !this.#content.changed(pfn);
  }

  copy(pfn: number, offset: number, length: number, into: Uint8Array, at: number): void {
    const from = pfn === this.#corruptPfn ? this.#corrupted!.bytes : this.#memory.bytes;
    const start = (pfn === this.#corruptPfn ? 0 : pfn * PAGE_SIZE) + offset;
    into.set(from.subarray(start, start + length), at);
  }

  delivered(): void {} // a raw record is kept nowhere but in guest memory
}
