/**
 * The page pipeline at the source: in how few bytes a page can travel, given what the receiver holds.
 *
 *   page ─► zero? ─► known content? ─► base held? ─► worth compressing? ─► as it is
 *            ZERO        SAME            DELTA          COMPRESSED           RAW
 *
 * The guest runs while its pages are read. Delta and codec work on a copy, so that a record is whole in itself; where
 * the copy is newer than the hash taken before it, the receiver reports a miss. Such a page was written after the
 * harvest, so the dirty log has it and the next round sends it in any case. In the last flight the guest stands.
 *
 * A hit by hash is compared byte by byte with the other page as it is here, and the receiver hashes its own: two pages
 * whose hashes collide do not become one. Left out: a delta that is compressed on top.
 */
import { PAGE_SIZE, PageSet } from '../../core/index.js';
import { requireRange } from '../errors.js';
import { BaseCache } from './base-cache.js';
import type { PageCodec } from './codec.js';
import { ContentIndex } from './content-index.js';
import { encodeDelta } from './delta.js';
import {
  AS_COMPRESSED,
  AS_DELTA,
  AS_RAW,
  AS_SAME,
  AS_ZERO,
  DELTA_AT,
  ENCODINGS,
  SAME_BYTES,
} from './encoding.js';
import { Rounds } from './held.js';
import { isZeroPage, PAGE_WORDS, samePage, wordsOf } from './page-words.js';
import { type Savings, SavingsCounter } from './savings.js';
import { SAMPLE_EVERY, type Switch, Worth } from './worth.js';

export interface PipelineOptions {
  readonly compress: Switch;
  readonly delta: Switch;
  readonly dedup: Switch;
  /** What was agreed with the receiver; null: nothing is compressed. Closed by whoever opened it. */
  readonly codec: PageCodec | null;
  /** Memory for versions of pages that deltas are made against. */
  readonly deltaCacheBytes: number;
  /** Contents remembered for dedup, 17 bytes each. */
  readonly dedupEntries: number;
  /** Nanoseconds a page takes here without any of this: hashing and system calls. */
  readonly basePageNs: number;
  /** Nanoseconds that never decrease: what a try costs is measured with it, and nothing else. */
  readonly clockNs: () => number;
}

/** All `auto`, without a codec and a clock: those are the driver's. */
export const PIPELINE_DEFAULTS = Object.freeze({
  compress: 'auto',
  delta: 'auto',
  dedup: 'auto',
  deltaCacheBytes: 8 << 20,
  dedupEntries: 1 << 16,
  basePageNs: 1_500,
} as const);

/** What the pipeline did, for the result. Bytes are those of the pages' encodings, without record headers. */
export interface PipelineSavings {
  readonly pages: number;
  readonly bytes: number;
  /** Pages by encoding, named as `ENCODINGS`. */
  readonly pagesByEncoding: Readonly<Record<(typeof ENCODINGS)[number], number>>;
  readonly zero: Savings;
  readonly dedup: Savings;
  readonly delta: Savings;
  readonly compress: Savings;
  readonly memoryBytes: number;
}

/** More entries than this find nothing more: each page has one at most. */
const DEDUP_ENTRIES_A_PAGE = 2;
/** Tries that a verdict rests on. A hit by content is rare and a try of it cheap. */
const DEDUP_WINDOW = 1024;
const DELTA_WINDOW = 64;
const COMPRESS_WINDOW = 64;
/** A delta is given up beyond these: with a codec at hand it may do better, without one anything shorter will do. */
const DELTA_MAX_BESIDE_CODEC = PAGE_SIZE / 2;
const DELTA_MAX_ALONE = PAGE_SIZE - PAGE_SIZE / 8;
/** A compressed page longer than this travels raw: it saves the receiver the work. */
const COMPRESSED_MAX = PAGE_SIZE - PAGE_SIZE / 8;
/** Of a 32-bit hash: whether it is one of SAMPLE_EVERY. */
const SAMPLE_SHIFT = 32 - Math.log2(SAMPLE_EVERY);

export class PagePipeline {
  /** Bytes of the page that `encode` dealt with last. */
  length = 0;
  /** After RAW: nothing was written; the page may travel from guest memory as it is when it is sent. */
  live = false;

  readonly #memory: Uint8Array;
  readonly #words: Int32Array;
  readonly #codec: PageCodec | null;
  readonly #clockNs: () => number;
  readonly #rounds = new Rounds();
  readonly #bases: BaseCache;
  readonly #contents: ContentIndex;
  /** Pages sent at least once: only these are worth keeping a version of. */
  readonly #sent: PageSet;
  readonly #dedup: Worth;
  readonly #delta: Worth;
  readonly #compress: Worth;
  readonly #savings = {
    zero: new SavingsCounter(),
    dedup: new SavingsCounter(),
    delta: new SavingsCounter(),
    compress: new SavingsCounter(),
  };
  readonly #pagesAs = new Float64Array(ENCODINGS.length);
  #bytes = 0;
  #peerRuns = false;
  #untilPackSample = 0;

  /**
   * @param memory the guest's; its place in its buffer is a multiple of four
   * @throws ConfigError VMOTION_CONFIG_RANGE
   */
  constructor(memory: Uint8Array, options: PipelineOptions) {
    const pages = Math.floor(memory.length / PAGE_SIZE);
    const { basePageNs: baseNs } = options;
    requireRange('deltaCacheBytes', options.deltaCacheBytes, 0, 2 ** 31);
    requireRange('dedupEntries', options.dedupEntries, 4, 2 ** 26);
    requireRange('basePageNs', baseNs, 0, 1e9);
    this.#memory = memory;
    this.#words = wordsOf(memory);
    this.#codec = options.codec;
    this.#clockNs = options.clockNs;
    this.#bases = new BaseCache(pages, options.delta === 'off' ? 0 : options.deltaCacheBytes);
    this.#contents = new ContentIndex(
      pages,
      options.dedup === 'off' ? 0 : Math.min(options.dedupEntries, DEDUP_ENTRIES_A_PAGE * pages),
    );
    this.#sent = new PageSet(pages);
    this.#dedup = new Worth(options.dedup, { windowTries: DEDUP_WINDOW, baseNs });
    this.#delta = new Worth(options.delta, { windowTries: DELTA_WINDOW, baseNs });
    this.#compress = new Worth(options.codec === null ? 'off' : options.compress, {
      windowTries: COMPRESS_WINDOW,
      baseNs,
    });
    this.pathRate(Number.POSITIVE_INFINITY);
  }

  /** The rate of the path, bits per second; Infinity where this side is the slower one (`path-rate.ts`). */
  pathRate(rateBps: number): void {
    this.#dedup.pathRate(rateBps);
    this.#delta.pathRate(rateBps);
    this.#compress.pathRate(rateBps);
  }

  /** A round begins. @param pages what it sends: read while it lasts, not changed */
  beginRound(round: number, pages: PageSet): void {
    this.#rounds.begin(round, pages);
  }

  /** Everything up to this round lies in the receiver's memory, but for the pages that it missed: `forget` those next. */
  acknowledged(round: number): void {
    this.#rounds.acknowledged = round;
  }

  /** The receiver has not, or no longer, what was sent of these pages: misses, pages dropped. O(pages / 32 + members). */
  forget(pages: PageSet): void {
    for (let pfn = pages.next(0); pfn >= 0; pfn = pages.next(pfn + 1)) this.#forgetPage(pfn);
  }

  /** Page `pfn` is sent as it is, past the pipeline: what is known of it is no longer so. */
  sentPast(pfn: number): void {
    this.#sent.add(pfn);
    this.#forgetPage(pfn);
    this.#pagesAs[AS_RAW]!++;
    this.#bytes += PAGE_SIZE;
  }

  /** Page `pfn`, all zeros, is sent as a number, past `encode`. */
  sentZero(pfn: number): void {
    this.#sent.add(pfn);
    this.#forgetPage(pfn);
    this.#pagesAs[AS_ZERO]!++;
    const { zero } = this.#savings;
    zero.tried++;
    zero.hit(PAGE_SIZE, 0);
  }

  /** The links broke: what arrived of the rounds not acknowledged is unknown. */
  linksLost(): void {
    this.#bases.forgetAfter(this.#rounds.acknowledged);
    this.#contents.forgetAfter(this.#rounds.acknowledged);
  }

  /** From now on the guest runs at the receiver and writes its pages: nothing may refer to them any more. */
  peerRuns(): void {
    this.#peerRuns = true;
    this.#bases.clear();
    this.#contents.clear();
  }

  /**
   * Chooses how page `pfn` travels and writes its bytes to out[outAt …): 4096 at most, `length` of them. After RAW with
   * `live` set nothing was written, and the page is to be sent from guest memory.
   * @param hashLo, hashHi hash of the page, taken just before
   * @param stream that carries it; what is encoded for a stream is sent on it in this order. Or UNORDERED
   * @returns AS_RAW, AS_ZERO, AS_SAME, AS_DELTA or AS_COMPRESSED
   */
  encode(
    pfn: number,
    hashLo: number,
    hashHi: number,
    stream: number,
    out: Uint8Array,
    outAt: number,
  ): number {
    const encoding = this.#choose(pfn, hashLo, hashHi, stream, out, outAt);
    this.#pagesAs[encoding]!++;
    this.#bytes += this.length;
    return encoding;
  }

  savings(): PipelineSavings {
    const as = this.#pagesAs;
    const { zero, dedup, delta, compress } = this.#savings;
    return {
      pages: as.reduce((sum, n) => sum + n, 0),
      bytes: this.#bytes,
      pagesByEncoding: {
        raw: as[AS_RAW]!,
        zero: as[AS_ZERO]!,
        same: as[AS_SAME]!,
        delta: as[AS_DELTA]!,
        compressed: as[AS_COMPRESSED]!,
      },
      zero: zero.value(),
      dedup: dedup.value(),
      delta: delta.value(),
      compress: compress.value(),
      memoryBytes: this.#bases.memoryBytes + this.#contents.memoryBytes + this.#sent.words.byteLength,
    };
  }

  #choose(pfn: number, lo: number, hi: number, stream: number, out: Uint8Array, outAt: number): number {
    const again = this.#sent.has(pfn);
    this.#sent.add(pfn);
    this.live = false;
    const { zero } = this.#savings;
    zero.tried++;
    if (isZeroPage(this.#words, pfn * PAGE_WORDS)) {
      this.#forgetPage(pfn);
      this.length = 0;
      zero.hit(PAGE_SIZE, 0);
      return AS_ZERO;
    }
    if (this.#same(pfn, lo, hi, stream, out, outAt)) return AS_SAME;

    // A multiplicative hash: every stride of pfns has its share of samples, and a page is always or never one.
    const sampled = Math.imul(pfn, 0x9e3779b1) >>> SAMPLE_SHIFT === 0;
    const keeps = again && !this.#peerRuns && this.#delta.takes(sampled);
    const packs = this.#packsNext();
    if (keeps || packs) this.#bases.copy(this.#memory, pfn * PAGE_SIZE);
    let encoding = AS_RAW;
    if (keeps && this.#writeDelta(pfn, lo, hi, stream, out, outAt)) encoding = AS_DELTA;
    else if (packs && this.#pack(out, outAt)) encoding = AS_COMPRESSED;
    if (encoding === AS_RAW) this.length = PAGE_SIZE;
    const copyAt = this.#bases.spareAt;
    const kept = keeps && this.#bases.keep(pfn, this.#rounds.current, stream);
    if (!kept) this.#bases.forget(pfn);
    this.live = encoding === AS_RAW && !kept;
    // What is kept is what the receiver must get, to the byte: not what the guest may write meanwhile.
    if (encoding === AS_RAW && kept) {
      out.set(this.#bases.bytes.subarray(copyAt, copyAt + PAGE_SIZE), outAt);
    }
    return encoding;
  }

  #same(pfn: number, lo: number, hi: number, stream: number, out: Uint8Array, outAt: number): boolean {
    const contents = this.#contents;
    // Sampled by content, so that pages that hold the same are samples together.
    if (this.#peerRuns || !this.#dedup.takes(hi >>> SAMPLE_SHIFT === 0)) {
      contents.forget(pfn);
      return false;
    }
    const savings = this.#savings.dedup;
    const fromNs = this.#dedup.timesNext ? this.#clockNs() : -1;
    const entry = contents.find(lo, hi);
    const other = entry < 0 ? -1 : contents.pfnOf(entry);
    const hit = other >= 0 && this.#refersTo(other, pfn, entry, stream);
    if (!hit) {
      contents.put(pfn, lo, hi, this.#rounds.current, stream);
    } else if (other !== pfn) {
      this.#forgetPage(pfn);
    }
    if (hit) {
      putU32(out, outAt, other);
      putU32(out, outAt + 4, lo);
      putU32(out, outAt + 8, hi);
      this.length = SAME_BYTES;
      savings.hit(PAGE_SIZE, SAME_BYTES);
    }
    this.#account(this.#dedup, savings, hit ? PAGE_SIZE - SAME_BYTES : 0, fromNs);
    return hit;
  }

  /** Whether page `pfn`, whose hash the entry has, may travel as the receiver's page `other`. */
  #refersTo(other: number, pfn: number, entry: number, stream: number): boolean {
    const round = this.#contents.roundOf(entry);
    if (!this.#rounds.holds(round, this.#contents.streamOf(entry), stream)) return false;
    if (other === pfn) return true;
    if (this.#rounds.willChange(other, round)) return false;
    return samePage(this.#words, other * PAGE_WORDS, this.#words, pfn * PAGE_WORDS);
  }

  /** The copy in the spare slot against the version that the receiver holds, if it is known to. */
  #writeDelta(pfn: number, lo: number, hi: number, stream: number, out: Uint8Array, outAt: number): boolean {
    const bases = this.#bases;
    const slot = bases.find(pfn);
    if (slot < 0 || !this.#rounds.holds(bases.roundOf(slot), bases.streamOf(slot), stream)) return false;
    const savings = this.#savings.delta;
    const fromNs = this.#delta.timesNext ? this.#clockNs() : -1;
    const limit = (this.#compress.active ? DELTA_MAX_BESIDE_CODEC : DELTA_MAX_ALONE) - DELTA_AT;
    const { words } = bases;
    const n = encodeDelta(words, slot * PAGE_WORDS, words, bases.spareWordsAt, out, outAt + DELTA_AT, limit);
    if (n >= 0) {
      putU32(out, outAt, lo);
      putU32(out, outAt + 4, hi);
      this.length = DELTA_AT + n;
      savings.hit(PAGE_SIZE, this.length);
    }
    this.#account(this.#delta, savings, n < 0 ? 0 : PAGE_SIZE - this.length, fromNs);
    return n >= 0;
  }

  /** While compression is off, one page of SAMPLE_EVERY shows whether it would pay. */
  #packsNext(): boolean {
    if (this.#compress.active) return this.#codec !== null;
    if (--this.#untilPackSample > 0) return false;
    this.#untilPackSample = SAMPLE_EVERY;
    return this.#compress.takes(true);
  }

  #pack(out: Uint8Array, outAt: number): boolean {
    const savings = this.#savings.compress;
    const fromNs = this.#compress.timesNext ? this.#clockNs() : -1;
    const n = this.#codec!.compress(this.#bases.bytes, this.#bases.spareAt, out, outAt, COMPRESSED_MAX);
    if (n > 0) {
      this.length = n;
      savings.hit(PAGE_SIZE, n);
    }
    this.#account(this.#compress, savings, n > 0 ? PAGE_SIZE - n : 0, fromNs);
    return n > 0;
  }

  #account(worth: Worth, savings: SavingsCounter, savedBytes: number, fromNs: number): void {
    savings.tried++;
    const costNs = fromNs < 0 ? -1 : this.#clockNs() - fromNs;
    if (costNs >= 0) savings.cpuNs += costNs * worth.timedWeight;
    worth.tried(savedBytes, costNs);
  }

  #forgetPage(pfn: number): void {
    this.#bases.forget(pfn);
    this.#contents.forget(pfn);
  }
}

function putU32(out: Uint8Array, at: number, value: number): void {
  out[at] = value;
  out[at + 1] = value >>> 8;
  out[at + 2] = value >>> 16;
  out[at + 3] = value >>> 24;
}
