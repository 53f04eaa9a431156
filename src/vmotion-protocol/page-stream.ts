/**
 * The records of a page stream. Page bytes never pass through here: the writer makes the header and the
 * run list, the reader says where the payload belongs, and the driver moves the bytes.
 *
 *   0        2      3       4        8       10         12        16
 *   │ magic  │ kind │ flags │ round  │ runs  │ reserved │ pages   │ runs × 8 B       │ hashes       │ payload
 *   │ 'LP' u16      │ = 0   │ u32    │ u16   │ = 0      │ u32     │ pfn u32, count u32 │ pages × 8 B (HASHED) │ pages × 4096 B
 *
 *   DATA           = 1   the pages of the runs, in order; 1..64 pages
 *   ZERO           = 2   pages that hold only zeros; no payload
 *   END            = 3   nothing more of this round on this stream; runs = pages = 0
 *   HASHED         = 4   as DATA, with the hash of each page (lo u32, hi u32) ahead: post-copy verifies page by page
 *   ENCODED        = 5   each page says how it travels, in descriptors ahead of the payload (`pipeline/encoding.ts`)
 *   ENCODED_HASHED = 6   the same, with hashes ahead of the descriptors
 *
 * All fields little-endian, as the page hashes and the dirty bitmap are. Runs ascend and do not touch
 * an earlier one, so that no page stands twice in a record. Rounds count from 1, and each stream carries an
 * END for every round.
 */
import { PAGE_SIZE } from '../core/index.js';
import type { VmotionErrorCode } from './errors.js';
import { ROUND_MAX } from './messages.js';
import {
  checkDescriptors,
  DESCRIPTOR_BYTES,
  RECORD_ENCODED,
  RECORD_ENCODED_HASHED,
} from './pipeline/encoding.js';

export const RECORD_DATA = 1;
export const RECORD_ZERO = 2;
export const RECORD_END = 3;
export const RECORD_HASHED = 4;

/** Bytes of a record before its runs. */
export const HEADER_BYTES = 16;
/** Bytes of one run. */
export const RUN_BYTES = 8;
/** Pages of a record with payload: 256 KiB of it at most, so that streams take turns often. */
export const MAX_RECORD_PAGES = 64;
/** Runs of any record. */
export const MAX_RECORD_RUNS = 64;
/** Bytes of a page's hash. */
export const PAGE_HASH_BYTES = 8;
/** The longest header, run list, hashes and descriptors: what a staging buffer must hold. */
export const STAGING_BYTES =
  HEADER_BYTES + MAX_RECORD_RUNS * RUN_BYTES + MAX_RECORD_PAGES * (PAGE_HASH_BYTES + DESCRIPTOR_BYTES);

const MAGIC = 0x504c;
const MAGIC_AT = 0;
const KIND_AT = 2;
const FLAGS_AT = 3;
const ROUND_AT = 4;
const RUNS_AT = 8;
const RESERVED_AT = 10;
const PAGES_AT = 12;

/** Writes a record's header at `at`. @param pages the sum of the runs' counts; 0 for END */
export function writeRecordHeader(
  view: DataView,
  at: number,
  kind: number,
  round: number,
  runs: number,
  pages: number,
): void {
  view.setUint16(at + MAGIC_AT, MAGIC, true);
  view.setUint8(at + KIND_AT, kind);
  view.setUint8(at + FLAGS_AT, 0);
  view.setUint32(at + ROUND_AT, round, true);
  view.setUint16(at + RUNS_AT, runs, true);
  view.setUint16(at + RESERVED_AT, 0, true);
  view.setUint32(at + PAGES_AT, pages, true);
}

/** Writes one run at `at`; the i-th run of a record stands at HEADER_BYTES + i · RUN_BYTES. */
export function writeRun(view: DataView, at: number, pfn: number, count: number): void {
  view.setUint32(at, pfn, true);
  view.setUint32(at + 4, count, true);
}

/**
 * What `taken` found:
 * `more`: go on reading; `data`: a DATA record begins, its runs are known, its payload comes next;
 * `data-done`: that payload is complete; `encoded`: the descriptors of encoded pages are known, their bytes come next;
 * `encoded-done`: those are complete, or there were none; `zero`: the runs' pages are zero; `end`: the round's end;
 * `bad`: see `failure`.
 */
export type PageEvent = 'more' | 'data' | 'data-done' | 'encoded' | 'encoded-done' | 'zero' | 'end' | 'bad';

/** Why a stream is refused. `at` is the offset in the stream of the record's first byte. */
export interface PageFailure {
  readonly code: VmotionErrorCode;
  readonly at: number;
  readonly text: string;
}

/**
 * Reads one page stream without touching page bytes. The driver reads `needBytes` bytes (or fewer) to
 * where `phase` says, and tells with `taken`:
 *
 *                    ┌──────── zero, end ───────────────────────────┐
 *                    ▼                                              │
 *   staging(header 16 B) ──► staging(runs, hashes, descriptors) ────┤
 *                    ▲                                              ▼ data
 *                    ├─────── data-done ─── payload(memory at `memoryOffset`)
 *                    └─────── encoded-done ─── encoded(a buffer of the driver's, 256 KiB)
 *
 * What of the record in hand stands in `staging` stays there until bytes of the next one come. A record is checked as a whole before any of it is accepted. Any split of the stream reads the same.
 * Once `bad`, a reader stays so.
 */
export class PageStreamReader {
  /** Where headers and runs are read to, from `stagingOffset` on. */
  readonly staging = new Uint8Array(STAGING_BYTES);
  /** The runs of the record in hand: pfns and counts, `runs` of them. */
  readonly pfns = new Uint32Array(MAX_RECORD_RUNS);
  readonly counts = new Uint32Array(MAX_RECORD_RUNS);
  runs = 0;
  /** Pages of the record in hand. */
  pages = 0;
  /** The round of the record in hand; after `end`, the round that ended. */
  round = 1;
  phase: 'staging' | 'payload' | 'encoded' = 'staging';
  /** Bytes wanted next: of the header or runs, of the current run's payload, or of all encoded pages. 0 after `bad`. */
  needBytes = HEADER_BYTES;
  /** Where in `staging` they go. */
  stagingOffset = 0;
  /** Where in guest memory they go, when `phase` is `payload`. */
  memoryOffset = 0;
  failure: PageFailure | null = null;

  readonly #pagesTotal: number;
  readonly #view = new DataView(this.staging.buffer);
  #kind = 0;
  #run = 0;
  #streamRound: number;
  #recordAt = 0;
  #encodedBytes = 0;
  /** Where in `staging` the hashes of the pages begin; 0 when the record in hand has none. */
  hashesAt = 0;
  /** Where in `staging` the descriptors of encoded pages begin; 0 when the record in hand has none. */
  descriptorsAt = 0;

  /**
   * @param pagesTotal pages of the guest: no run may reach beyond
   * @param firstRound the round that the stream begins with
   */
  constructor(pagesTotal: number, firstRound = 1) {
    this.#pagesTotal = pagesTotal;
    this.#streamRound = firstRound;
  }

  /** The round that the next record belongs to. */
  get streamRound(): number {
    return this.#streamRound;
  }

  /** Run of the payload in hand, an index into `pfns` and `counts`. */
  get run(): number {
    return this.#run;
  }

  /** Bytes of payload still to come in this record, over all its runs. */
  get payloadBytesLeft(): number {
    if (this.phase === 'staging') return 0;
    if (this.phase === 'encoded') return this.needBytes;
    let bytes = this.needBytes;
    for (let i = this.#run + 1; i < this.runs; i++) bytes += this.counts[i]! * PAGE_SIZE;
    return bytes;
  }

  /** `bytes` (at most `needBytes`) have been read to where they were wanted. */
  taken(bytes: number): PageEvent {
    if (this.failure !== null) return 'bad';
    this.needBytes -= bytes;
    if (this.phase === 'payload') return this.#payloadTaken(bytes);
    if (this.phase === 'encoded') return this.needBytes > 0 ? 'more' : this.#encodedOver();
    this.stagingOffset += bytes;
    if (this.needBytes > 0) return 'more';
    if (this.stagingOffset === HEADER_BYTES) return this.#headerRead();
    return this.hashesAt + this.descriptorsAt > 0 ? this.#payloadBegins() : this.#runsRead();
  }

  #payloadTaken(bytes: number): PageEvent {
    this.memoryOffset += bytes;
    if (this.needBytes > 0) return 'more';
    if (++this.#run < this.runs) {
      this.#aimAtRun();
      return 'more';
    }
    this.#nextRecord(this.stagingOffset + this.pages * PAGE_SIZE);
    return 'data-done';
  }

  #encodedOver(): PageEvent {
    this.#nextRecord(this.stagingOffset + this.#encodedBytes);
    return 'encoded-done';
  }

  #headerRead(): PageEvent {
    const view = this.#view;
    const magic = view.getUint16(MAGIC_AT, true);
    const kind = view.getUint8(KIND_AT);
    const flags = view.getUint8(FLAGS_AT);
    const round = view.getUint32(ROUND_AT, true);
    const runs = view.getUint16(RUNS_AT, true);
    const pages = view.getUint32(PAGES_AT, true);
    if (magic !== MAGIC)
      return this.#refuse('VMOTION_PAGE_MAGIC', `a record begins with 0x${magic.toString(16)}`);
    if (kind < RECORD_DATA || kind > RECORD_ENCODED_HASHED) {
      return this.#refuse(
        'VMOTION_PAGE_KIND',
        `kind ${kind} is none of DATA, ZERO, END, HASHED, ENCODED, ENCODED_HASHED`,
      );
    }
    if (flags !== 0 || view.getUint16(RESERVED_AT, true) !== 0) {
      return this.#refuse(
        'VMOTION_PAGE_FLAGS',
        `flags 0x${flags.toString(16)} or the reserved field are not 0`,
      );
    }
    if (round !== this.#streamRound || round > ROUND_MAX) {
      return this.#refuse('VMOTION_PAGE_ROUND', `round ${round} came in round ${this.#streamRound}`);
    }
    const payload = kind !== RECORD_ZERO && kind !== RECORD_END;
    const pagesMax = payload ? Math.min(MAX_RECORD_PAGES, this.#pagesTotal) : this.#pagesTotal;
    const wrongCount = kind === RECORD_END ? runs + pages > 0 : pages < 1 || pages > pagesMax;
    if (wrongCount) return this.#refuse('VMOTION_PAGE_COUNT', `${pages} pages in a record of kind ${kind}`);
    if (kind !== RECORD_END && (runs < 1 || runs > MAX_RECORD_RUNS || runs > pages)) {
      return this.#refuse(
        'VMOTION_PAGE_RUNS',
        `${runs} runs for ${pages} pages; 1..${MAX_RECORD_RUNS} are allowed`,
      );
    }
    this.#kind = kind;
    this.hashesAt = this.descriptorsAt = 0;
    this.runs = runs;
    this.pages = pages;
    this.round = round;
    if (kind === RECORD_END) {
      this.#streamRound++;
      this.#nextRecord(HEADER_BYTES);
      return 'end';
    }
    this.needBytes = runs * RUN_BYTES;
    return 'more';
  }

  #runsRead(): PageEvent {
    let sum = 0;
    let free = 0; // the first pfn that the next run may begin with
    for (let i = 0; i < this.runs; i++) {
      const at = HEADER_BYTES + i * RUN_BYTES;
      const pfn = this.#view.getUint32(at, true);
      const count = this.#view.getUint32(at + 4, true);
      if (count < 1 || pfn < free || pfn + count > this.#pagesTotal) {
        return this.#refuse(
          'VMOTION_PAGE_RANGE',
          `run ${i} (pfn ${pfn}, ${count} pages) is outside ${free}..${this.#pagesTotal - 1} or empty`,
        );
      }
      free = pfn + count;
      sum += count;
      this.pfns[i] = pfn;
      this.counts[i] = count;
    }
    if (sum !== this.pages) {
      return this.#refuse('VMOTION_PAGE_COUNT', `the runs hold ${sum} pages, the header says ${this.pages}`);
    }
    if (this.#kind === RECORD_ZERO) {
      this.#nextRecord(HEADER_BYTES + this.runs * RUN_BYTES);
      return 'zero';
    }
    if (this.#kind === RECORD_DATA) return this.#payloadBegins();
    let behind = this.stagingOffset;
    if (this.#kind !== RECORD_ENCODED) {
      this.hashesAt = behind;
      behind += this.pages * PAGE_HASH_BYTES;
    }
    if (this.#kind !== RECORD_HASHED) {
      this.descriptorsAt = behind;
      behind += this.pages * DESCRIPTOR_BYTES;
    }
    this.needBytes = behind - this.stagingOffset;
    return 'more';
  }

  #payloadBegins(): PageEvent {
    if (this.descriptorsAt > 0) return this.#encodedBegins();
    this.phase = 'payload';
    this.#run = 0;
    this.#aimAtRun();
    return 'data';
  }

  #encodedBegins(): PageEvent {
    const bytes = checkDescriptors(this.#view, this.descriptorsAt, this.pages);
    if (bytes < 0) {
      return this.#refuse(
        'VMOTION_PAGE_ENCODING',
        'a descriptor names no encoding, or a length it cannot have',
      );
    }
    this.#encodedBytes = bytes;
    if (bytes === 0) return this.#encodedOver();
    this.phase = 'encoded';
    this.needBytes = bytes;
    return 'encoded';
  }

  #aimAtRun(): void {
    this.memoryOffset = this.pfns[this.#run]! * PAGE_SIZE;
    this.needBytes = this.counts[this.#run]! * PAGE_SIZE;
  }

  #nextRecord(recordBytes: number): void {
    this.#recordAt += recordBytes;
    this.phase = 'staging';
    this.stagingOffset = 0;
    this.needBytes = HEADER_BYTES;
  }

  #refuse(code: VmotionErrorCode, text: string): PageEvent {
    this.failure = { code, at: this.#recordAt, text };
    this.needBytes = 0;
    return 'bad';
  }
}
