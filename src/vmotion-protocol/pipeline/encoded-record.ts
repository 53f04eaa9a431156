/**
 * Puts an ENCODED record together, page by page: what a sender fills from the pipeline (`encoding.ts` has the layout).
 *
 *   head │ header │ runs │ (hashes) │ descriptors │        body │ bytes of each page, one behind the other │
 *
 * The two parts are sent one after the other, from where they stand; the next `begin` overwrites them.
 */
import { PAGE_SIZE } from '../../core/index.js';
import {
  HEADER_BYTES,
  MAX_RECORD_PAGES,
  PAGE_HASH_BYTES,
  RUN_BYTES,
  STAGING_BYTES,
  writeRecordHeader,
  writeRun,
} from '../page-stream.js';
import { DESCRIPTOR_BYTES, RECORD_ENCODED, RECORD_ENCODED_HASHED, writeDescriptor } from './encoding.js';

export class EncodedRecord {
  readonly head = new Uint8Array(new ArrayBuffer(STAGING_BYTES));
  /** Each page has room for 4096 bytes from `bodyBytes` on. */
  readonly body = new Uint8Array(new ArrayBuffer(MAX_RECORD_PAGES * PAGE_SIZE));
  /** Bytes of `head` and `body` that are the record; of `head` after `finish`. */
  headBytes = 0;
  bodyBytes = 0;
  pages = 0;
  readonly #headView = new DataView(this.head.buffer);
  readonly #descriptors = new DataView(new ArrayBuffer(MAX_RECORD_PAGES * DESCRIPTOR_BYTES));
  readonly #descriptorBytes = new Uint8Array(this.#descriptors.buffer);
  readonly #hashes = new DataView(new ArrayBuffer(MAX_RECORD_PAGES * PAGE_HASH_BYTES));
  readonly #hashBytes = new Uint8Array(this.#hashes.buffer);
  #runs = 0;
  #runStart = 0;
  #runEnd = -1;

  /** The lowest pfn that may be added. */
  get end(): number {
    return this.#runEnd;
  }

  begin(): void {
    this.headBytes = 0;
    this.bodyBytes = 0;
    this.pages = 0;
    this.#runs = 0;
    this.#runEnd = -1;
  }

  /**
   * Adds the page whose `length` bytes stand at body[bodyBytes …). Pfns ascend; at most MAX_RECORD_PAGES.
   * @param hashLo, hashHi of the page, where the record is finished with hashes
   */
  add(pfn: number, encoding: number, length: number, hashLo: number, hashHi: number): void {
    if (pfn !== this.#runEnd) {
      this.#runs++;
      this.#runStart = pfn;
    }
    this.#runEnd = pfn + 1;
    const runAt = HEADER_BYTES + (this.#runs - 1) * RUN_BYTES;
    writeRun(this.#headView, runAt, this.#runStart, this.#runEnd - this.#runStart);
    writeDescriptor(this.#descriptors, this.pages * DESCRIPTOR_BYTES, encoding, length);
    this.#hashes.setUint32(this.pages * PAGE_HASH_BYTES, hashLo, true);
    this.#hashes.setUint32(this.pages * PAGE_HASH_BYTES + 4, hashHi, true);
    this.pages++;
    this.bodyBytes += length;
  }

  /** Completes the head. @param hashed whether the pages' hashes go along @returns bytes of the whole record */
  finish(round: number, hashed: boolean): number {
    const kind = hashed ? RECORD_ENCODED_HASHED : RECORD_ENCODED;
    writeRecordHeader(this.#headView, 0, kind, round, this.#runs, this.pages);
    let at = HEADER_BYTES + this.#runs * RUN_BYTES;
    if (hashed) {
      this.head.set(this.#hashBytes.subarray(0, this.pages * PAGE_HASH_BYTES), at);
      at += this.pages * PAGE_HASH_BYTES;
    }
    const bytes = this.pages * DESCRIPTOR_BYTES;
    this.head.set(this.#descriptorBytes.subarray(0, bytes), at);
    this.headBytes = at + bytes;
    return this.headBytes + this.bodyBytes;
  }
}
