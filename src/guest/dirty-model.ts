/**
 * Which pages the guest writes, and how often.
 *
 *   idle      nothing
 *   sweep     each page of the range in order, over and over: every page is dirty again after pages/rate
 *   uniform   pages drawn evenly
 *   zipf      page of rank k drawn with probability ∝ k^-alpha: a hot set with a long tail
 *
 * Zipf by rejection-inversion (Hörmann and Derflinger, "Rejection-inversion to generate variates from monotone
 * discrete distributions", ACM TOMACS 6(3), 1996): no table, about one draw per page whatever the range.
 * Ranks are scattered over the range, so that hot pages are not neighbours.
 * Position, generator and debt of writes stand in the guest's header: the model goes on after a move.
 */
import { ConfigError, NS_PER_S, PAGE_SIZE } from '../core/index.js';
import type { GuestErrorCode } from './errors.js';
import { type GuestHeader, MAX_PAGES, PAGE_WORDS } from './layout.js';

export type DirtyModelName = 'idle' | 'sweep' | 'uniform' | 'zipf';

export interface DirtyOptions {
  readonly model: DirtyModelName;
  /** Page writes per second; 0 for `idle`. */
  readonly pagesPerS: number;
  /** pfn of the range's first page. */
  readonly firstPage: number;
  /** Pages of the range (the hot set). */
  readonly pages: number;
  /** Exponent of `zipf`, above 0; 0.99 where not said. */
  readonly alpha?: number;
}

const DEFAULT_ALPHA = 0.99;
const MAX_ALPHA = 10;
const MAX_PAGES_PER_S = 20e9 / PAGE_SIZE;
/** A guest that could not keep up owes at most this much time of writes: it lags, it does not queue for ever. */
const MAX_DEBT_NS = 20_000_000;

/** Writes to page `pfn`: one word of it counts up, so that no content of a page comes back. */
export function dirtyPage(words: Uint32Array, pfn: number, turn: number): void {
  const i = pfn * PAGE_WORDS + (turn % PAGE_WORDS);
  words[i] = words[i]! + 1;
}

export class DirtyModel {
  readonly options: DirtyOptions;
  readonly #header: GuestHeader;
  readonly #perNs: number;
  readonly #maxDebt: number;
  readonly #zipf: Zipf | null;
  readonly #stride: number;

  /**
   * @param header page 0 of the guest, formatted
   * @throws ConfigError `GUEST_DIRTY_RANGE`, `GUEST_DIRTY_SKEW`
   */
  constructor(header: GuestHeader, options: DirtyOptions) {
    checkOptions(options);
    this.options = options;
    this.#header = header;
    this.#perNs = options.model === 'idle' ? 0 : options.pagesPerS / NS_PER_S;
    this.#maxDebt = Math.max(1, this.#perNs * MAX_DEBT_NS);
    this.#zipf = options.model === 'zipf' ? new Zipf(options.pages, options.alpha ?? DEFAULT_ALPHA) : null;
    this.#stride = scatterStride(options.pages);
  }

  /** True when `plan` will never ask for a write. */
  get isIdle(): boolean {
    return this.#perNs === 0;
  }

  /** Takes note that the guest ran for `elapsedNs` and says how many page writes are due. */
  plan(elapsedNs: number): number {
    const due = Math.min(this.#header.writesDue + elapsedNs * this.#perNs, this.#maxDebt);
    this.#header.writesDue = due;
    return Math.floor(due);
  }

  /** Takes note that `n` of the writes due were made; the rest stays due. */
  made(n: number): void {
    this.#header.writesDue -= n;
    this.#header.pagesWritten += n;
  }

  /** The page to write next, by pfn. */
  nextPfn(): number {
    const { model, firstPage, pages } = this.options;
    const header = this.#header;
    if (model === 'sweep') {
      const at = header.sweep < pages ? header.sweep : 0;
      header.sweep = at + 1;
      return firstPage + at;
    }
    // A bias of pages / 2^32 is of no account here, and one multiplication is all it costs.
    if (this.#zipf === null) return firstPage + Math.floor((header.u32() * pages) / 0x100000000);
    return firstPage + (((this.#zipf.draw(header) - 1) * this.#stride) % pages);
  }
}

/** Ranks 1..n with probability ∝ rank^-alpha. Names as in the paper: H is the integral of h(x) = x^-alpha. */
class Zipf {
  readonly #n: number;
  readonly #alpha: number;
  readonly #hX1: number;
  readonly #hN: number;
  readonly #s: number;

  constructor(n: number, alpha: number) {
    this.#n = n;
    this.#alpha = alpha;
    this.#hX1 = this.#H(1.5) - 1;
    this.#hN = this.#H(n + 0.5);
    this.#s = 2 - this.#inverseH(this.#H(2.5) - this.#h(2));
  }

  draw(header: GuestHeader): number {
    for (;;) {
      const unit = ((header.u32() >>> 5) * 0x4000000 + (header.u32() >>> 6)) / 0x20000000000000;
      const u = this.#hN + unit * (this.#hX1 - this.#hN);
      const x = this.#inverseH(u);
      const k = Math.max(1, Math.min(this.#n, Math.floor(x + 0.5)));
      if (k - x <= this.#s || u >= this.#H(k + 0.5) - this.#h(k)) return k;
    }
  }

  #h(x: number): number {
    return Math.exp(-this.#alpha * Math.log(x));
  }

  // Written with expm1 and log1p so that alpha = 1, where the integral is the logarithm, needs no case of its own.
  #H(x: number): number {
    const log = Math.log(x);
    const t = (1 - this.#alpha) * log;
    return (Math.abs(t) > 1e-8 ? Math.expm1(t) / t : 1 + t / 2) * log;
  }

  #inverseH(x: number): number {
    const t = Math.max(-1, x * (1 - this.#alpha));
    return Math.exp((Math.abs(t) > 1e-8 ? Math.log1p(t) / t : 1 - t / 2) * x);
  }
}

/** A stride near the golden section of `n` and coprime with it: rank·stride mod n visits every page once. */
function scatterStride(n: number): number {
  let stride = Math.max(1, Math.floor(n * 0.618));
  while (gcd(stride, n) !== 1) stride++;
  return stride;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

function checkOptions(o: DirtyOptions): void {
  const whole = Number.isInteger(o.firstPage) && Number.isInteger(o.pages);
  if (!whole || o.firstPage < 1 || o.pages < 1 || o.firstPage + o.pages > MAX_PAGES) {
    throw new ConfigError<GuestErrorCode>(
      'GUEST_DIRTY_RANGE',
      `the dirty range of ${o.pages} pages from ${o.firstPage} is outside 1..${MAX_PAGES}`,
      { details: { ...o }, hint: 'choose a hot set within the guest memory' },
    );
  }
  if (!(o.pagesPerS >= 0 && o.pagesPerS <= MAX_PAGES_PER_S)) {
    throw new ConfigError<GuestErrorCode>(
      'GUEST_DIRTY_RANGE',
      `a dirty rate of ${o.pagesPerS} pages/s is outside 0..${Math.floor(MAX_PAGES_PER_S)}`,
      { details: { ...o }, hint: 'choose a rate in 0..20GB/s' },
    );
  }
  const alpha = o.alpha ?? DEFAULT_ALPHA;
  if (o.model === 'zipf' && !(alpha > 0 && alpha <= MAX_ALPHA)) {
    throw new ConfigError<GuestErrorCode>(
      'GUEST_DIRTY_SKEW',
      `a zipf exponent of ${alpha} is outside 0..${MAX_ALPHA} (above 0)`,
      { details: { ...o }, hint: 'use 0.99, or the uniform model for no skew' },
    );
  }
}
