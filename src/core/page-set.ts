/**
 * A set of guest pages by page frame number (pfn): the dirty bitmap that harvests fill, rounds walk
 * and the switchover carries. One bit a page; 256 MiB of guest memory are 8 KiB of bitmap.
 *
 *   word w, bit b  ↔  pfn 32·w + b            (little-endian words on the wire: byte i holds pfns 8i…8i+7)
 */

/** Guest pages are always 4096 bytes. */
export const PAGE_SIZE = 4096;

export class PageSet {
  /** How many pages the memory has: pfns are 0..pages-1. */
  readonly pages: number;
  /** The bits, 32 pfns a word. Whoever writes here keeps bits past `pages` clear. */
  readonly words: Uint32Array;

  constructor(pages: number, words = new Uint32Array(Math.ceil(pages / 32))) {
    this.pages = pages;
    this.words = words;
  }

  /** A set that holds every page. */
  static full(pages: number): PageSet {
    const set = new PageSet(pages);
    set.addRange(0, pages);
    return set;
  }

  /** Reads the wire form (`toBytes`). `null` when the length is not that of `pages` pages or bits past the end are set. */
  static fromBytes(pages: number, bytes: Uint8Array): PageSet | null {
    const set = new PageSet(pages);
    if (bytes.length !== set.words.length * 4) return null;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let w = 0; w < set.words.length; w++) set.words[w] = view.getUint32(w * 4, true);
    const tail = pages & 31;
    if (tail !== 0 && set.words[set.words.length - 1]! >>> tail !== 0) return null;
    return set;
  }

  has(pfn: number): boolean {
    return (this.words[pfn >>> 5]! & (1 << (pfn & 31))) !== 0;
  }

  add(pfn: number): void {
    const w = pfn >>> 5;
    this.words[w] = this.words[w]! | (1 << (pfn & 31));
  }

  delete(pfn: number): void {
    const w = pfn >>> 5;
    this.words[w] = this.words[w]! & ~(1 << (pfn & 31));
  }

  /** Adds pfns start..end-1. */
  addRange(start: number, end: number): void {
    let pfn = start;
    for (; pfn < end && (pfn & 31) !== 0; pfn++) this.add(pfn);
    for (; pfn + 32 <= end; pfn += 32) this.words[pfn >>> 5] = 0xffffffff;
    for (; pfn < end; pfn++) this.add(pfn);
  }

  clear(): void {
    this.words.fill(0);
  }

  /** Adds every page of `other` (same size). */
  union(other: PageSet): void {
    for (let w = 0; w < this.words.length; w++) this.words[w] = this.words[w]! | other.words[w]!;
  }

  /** Removes every page of `other` (same size). */
  subtract(other: PageSet): void {
    for (let w = 0; w < this.words.length; w++) this.words[w] = this.words[w]! & ~other.words[w]!;
  }

  /** Keeps the pages that are in `other` as well (same size). */
  intersect(other: PageSet): void {
    for (let w = 0; w < this.words.length; w++) this.words[w] = this.words[w]! & other.words[w]!;
  }

  clone(): PageSet {
    return new PageSet(this.pages, this.words.slice());
  }

  /** How many pages it holds. O(pages / 32). */
  count(): number {
    let n = 0;
    for (let w = 0; w < this.words.length; w++) {
      let v = this.words[w]!;
      v -= (v >>> 1) & 0x55555555;
      v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
      n += Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
    }
    return n;
  }

  /** The smallest pfn ≥ `from` in the set, or -1. */
  next(from: number): number {
    if (from >= this.pages) return -1;
    let w = from >>> 5;
    let v = this.words[w]! & (0xffffffff << (from & 31));
    while (v === 0) {
      if (++w >= this.words.length) return -1;
      v = this.words[w]!;
    }
    return w * 32 + 31 - Math.clz32(v & -v);
  }

  /** The end (exclusive) of the run of consecutive members that begins at `from`, at most `from + limit`. */
  runEnd(from: number, limit: number): number {
    let pfn = from;
    const end = Math.min(this.pages, from + limit);
    while (pfn < end && this.has(pfn)) pfn++;
    return pfn;
  }

  /** The wire form: little-endian words. */
  toBytes(): Uint8Array {
    const bytes = new Uint8Array(this.words.length * 4);
    const view = new DataView(bytes.buffer);
    for (let w = 0; w < this.words.length; w++) view.setUint32(w * 4, this.words[w]!, true);
    return bytes;
  }
}
