/**
 * Which page at the receiver holds which content: a bounded table from a page's 64-bit hash to a pfn.
 *
 *   bucket = low bits of hash lo     4 entries: │ lo │ hi │ pfn │ round │ stream │
 *
 * An entry says what the *receiver* holds, so it ends when that page is sent again, not when the guest writes it.
 * A full bucket gives up its oldest round. Memory: entries × 17 bytes and 4 bytes per page of the guest.
 */
const NONE = -1;
const WAYS = 4;

export class ContentIndex {
  readonly #mask: number;
  readonly #lo: Uint32Array;
  readonly #hi: Uint32Array;
  readonly #pfn: Int32Array;
  readonly #round: Uint32Array;
  readonly #stream: Int8Array;
  readonly #entryOf: Int32Array;
  #size = 0;

  /** @param pages of the guest @param entriesMax rounded down to a power of two, 4 at least */
  constructor(pages: number, entriesMax: number) {
    const entries = 2 ** Math.floor(Math.log2(Math.max(WAYS, entriesMax)));
    this.#mask = entries / WAYS - 1;
    this.#lo = new Uint32Array(entries);
    this.#hi = new Uint32Array(entries);
    this.#pfn = new Int32Array(entries).fill(NONE);
    this.#round = new Uint32Array(entries);
    this.#stream = new Int8Array(entries);
    this.#entryOf = new Int32Array(pages).fill(NONE);
  }

  get size(): number {
    return this.#size;
  }

  get memoryBytes(): number {
    return this.#pfn.length * 17 + this.#entryOf.byteLength;
  }

  /** An entry with this hash, or -1. */
  find(lo: number, hi: number): number {
    const first = (lo & this.#mask) * WAYS;
    for (let e = first; e < first + WAYS; e++) {
      if (this.#lo[e] === lo && this.#hi[e] === hi && this.#pfn[e] !== NONE) return e;
    }
    return NONE;
  }

  pfnOf(entry: number): number {
    return this.#pfn[entry]!;
  }

  roundOf(entry: number): number {
    return this.#round[entry]!;
  }

  streamOf(entry: number): number {
    return this.#stream[entry]!;
  }

  /** Page `pfn` was sent with this content. It takes the place of an entry with the same hash: it is the newer one. */
  put(pfn: number, lo: number, hi: number, round: number, stream: number): void {
    this.forget(pfn);
    let entry = this.find(lo, hi);
    if (entry === NONE) entry = this.#place((lo & this.#mask) * WAYS);
    if (this.#pfn[entry] !== NONE) this.forget(this.#pfn[entry]!);
    this.#lo[entry] = lo;
    this.#hi[entry] = hi;
    this.#pfn[entry] = pfn;
    this.#round[entry] = round;
    this.#stream[entry] = stream;
    this.#entryOf[pfn] = entry;
    this.#size++;
  }

  /** The receiver no longer holds at page `pfn` what it held. */
  forget(pfn: number): void {
    const entry = this.#entryOf[pfn]!;
    if (entry === NONE) return;
    this.#entryOf[pfn] = NONE;
    this.#pfn[entry] = NONE;
    this.#size--;
  }

  /** Forgets what was sent after `round`. */
  forgetAfter(round: number): void {
    for (let e = 0; e < this.#pfn.length; e++) {
      if (this.#pfn[e] !== NONE && this.#round[e]! > round) this.forget(this.#pfn[e]!);
    }
  }

  clear(): void {
    this.#pfn.fill(NONE);
    this.#entryOf.fill(NONE);
    this.#size = 0;
  }

  #place(first: number): number {
    let oldest = first;
    for (let e = first; e < first + WAYS; e++) {
      if (this.#pfn[e] === NONE) return e;
      if (this.#round[e]! < this.#round[oldest]!) oldest = e;
    }
    return oldest;
  }
}
