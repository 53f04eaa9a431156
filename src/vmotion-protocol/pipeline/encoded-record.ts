/**
 * Puts an ENCODED record together, page by page: what a sender fills from the pipeline (`encoding.ts` has the layout).
 *
 *   head │ header │ runs │ descriptors │        body │ bytes of each page, one behind the other │
 *
 * The two parts are sent one after the other, from where they stand; the next `begin` overwrites them.
 */
import { PAGE_SIZE } from '../../core/index.js';
import { HEADER_BYTES, MAX_RECORD_PAGES, RUN_BYTES, writeRecordHeader, writeRun } from '../page-stream.js';
import { DESCRIPTOR_BYTES, RECORD_ENCODED, writeDescriptor } from './encoding.js';

export class EncodedRecord {
  readonly head = new Uint8Array(
    new ArrayBuffer(HEADER_BYTES + MAX_RECORD_PAGES * (RUN_BYTES + DESCRIPTOR_BYTES)),
  );
  /** Each page has room for 4096 bytes from `bodyBytes` on. */
  readonly body = new Uint8Array(new ArrayBuffer(MAX_RECORD_PAGES * PAGE_SIZE));
  /** Bytes of `head` and `body` that are the record; of `head` after `finish`. */
  headBytes = 0;
  bodyBytes = 0;
  pages = 0;
  readonly #headView = new DataView(this.head.buffer);
  readonly #descriptors = new DataView(new ArrayBuffer(MAX_RECORD_PAGES * DESCRIPTOR_BYTES));
  readonly #descriptorBytes = new Uint8Array(this.#descriptors.buffer);
  #runs = 0;
  #runStart = 0;
  #runEnd = -1;

  get full(): boolean {
    return this.pages === MAX_RECORD_PAGES;
  }

  begin(): void {
    this.headBytes = 0;
    this.bodyBytes = 0;
    this.pages = 0;
    this.#runs = 0;
    this.#runEnd = -1;
  }

  /** Adds the page whose `length` bytes stand at body[bodyBytes …). Pfns ascend; not to be called when `full`. */
  add(pfn: number, encoding: number, length: number): void {
    if (pfn !== this.#runEnd) {
      this.#runs++;
      this.#runStart = pfn;
    }
    this.#runEnd = pfn + 1;
    const runAt = HEADER_BYTES + (this.#runs - 1) * RUN_BYTES;
    writeRun(this.#headView, runAt, this.#runStart, this.#runEnd - this.#runStart);
    writeDescriptor(this.#descriptors, this.pages * DESCRIPTOR_BYTES, encoding, length);
    this.pages++;
    this.bodyBytes += length;
  }

  /** Completes the head. @returns bytes of the whole record */
  finish(round: number): number {
    writeRecordHeader(this.#headView, 0, RECORD_ENCODED, round, this.#runs, this.pages);
    const at = HEADER_BYTES + this.#runs * RUN_BYTES;
    const bytes = this.pages * DESCRIPTOR_BYTES;
    this.head.set(this.#descriptorBytes.subarray(0, bytes), at);
    this.headBytes = at + bytes;
    return this.headBytes + this.bodyBytes;
  }
}
