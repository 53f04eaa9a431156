/**
 * What a host knows of each page's content: a 64-bit hash per page and the set-hash of them all, kept as pages
 * move, so that the digest is at hand when the pause comes. docs/design.md, "Protocol", rule 4.
 */

import type { PageSet } from '../core/index.js';
import type { GuestMemory } from '../guest/index.js';
import { PageHasher } from '../guest/memory/index.js';
import { SetHash } from '../vmotion-protocol/index.js';
import type { HashedContent, StagedContent } from '../vmotion-protocol/transport/index.js';

export class PageTable implements HashedContent, StagedContent {
  readonly setHash = new SetHash();
  readonly #hasher: PageHasher;
  readonly #words: Uint32Array;
  readonly #known: Uint8Array;
  #knownPages = 0;

  constructor(memory: GuestMemory) {
    this.#hasher = new PageHasher(memory);
    this.#words = this.#hasher.words;
    this.#known = new Uint8Array(memory.pages);
  }

  /** Reads the page as it is now and takes its hash into the set. @returns true when it holds only zeros */
  hash(pfn: number): boolean {
    const lo = this.#words[pfn * 2]!;
    const hi = this.#words[pfn * 2 + 1]!;
    this.#hasher.hash(pfn);
    this.#take(pfn, lo, hi);
    return this.#hasher.isZero(pfn);
  }

  hashStaged(
    pfn: number,
    bytes: Uint8Array,
    at: number,
    announced: DataView | null,
    announcedAt: number,
  ): boolean {
    const lo = this.#words[pfn * 2]!;
    const hi = this.#words[pfn * 2 + 1]!;
    this.#hasher.hashOther(pfn, bytes, at);
    const differs =
      announced !== null &&
      (this.#words[pfn * 2] !== announced.getUint32(announcedAt, true) ||
        this.#words[pfn * 2 + 1] !== announced.getUint32(announcedAt + 4, true));
    if (differs) {
      this.#words[pfn * 2] = lo;
      this.#words[pfn * 2 + 1] = hi;
      return false;
    }
    this.#take(pfn, lo, hi);
    return true;
  }

  hashZero(pfn: number): void {
    const lo = this.#words[pfn * 2]!;
    const hi = this.#words[pfn * 2 + 1]!;
    this.#hasher.hashZero(pfn);
    this.#take(pfn, lo, hi);
  }

  lo(pfn: number): number {
    return this.#words[pfn * 2]!;
  }

  hi(pfn: number): number {
    return this.#words[pfn * 2 + 1]!;
  }

  putHash(pfn: number, view: DataView, at: number): void {
    view.setUint32(at, this.#words[pfn * 2]!, true);
    view.setUint32(at + 4, this.#words[pfn * 2 + 1]!, true);
  }

  /** Takes these pages out of the set-hash: their content here is not what the guest starts with. */
  forget(pages: PageSet): void {
    if (this.#knownPages === 0) return;
    for (let pfn = pages.next(0); pfn >= 0; pfn = pages.next(pfn + 1)) {
      if (this.#known[pfn] === 0) continue;
      this.#known[pfn] = 0;
      this.#knownPages--;
      this.setHash.remove(pfn, this.#words[pfn * 2]!, this.#words[pfn * 2 + 1]!);
    }
  }

  /** The new hash of a page stands in the table: brings the set up to it. @param lo, hi the hash before */
  #take(pfn: number, lo: number, hi: number): void {
    const newLo = this.#words[pfn * 2]!;
    const newHi = this.#words[pfn * 2 + 1]!;
    if (this.#known[pfn] === 0) {
      this.#known[pfn] = 1;
      this.#knownPages++;
      this.setHash.add(pfn, newLo, newHi);
    } else if (lo !== newLo || hi !== newHi) {
      this.setHash.replace(pfn, lo, hi, newLo, newHi);
    }
  }

  /**
   * Reads the page as it is now and compares it with what it was when it was last hashed; what is new is taken into
   * the set, as `hash` does.
   */
  changed(pfn: number): boolean {
    const lo = this.#words[pfn * 2]!;
    const hi = this.#words[pfn * 2 + 1]!;
    this.hash(pfn);
    return lo !== this.#words[pfn * 2]! || hi !== this.#words[pfn * 2 + 1]!;
  }

  /** Hashes of consecutive pages as HASHES carries them: lo, hi, little-endian, 8 bytes a page. */
  hashesOf(firstPfn: number, pages: number): Uint8Array {
    const words = this.#words.subarray(firstPfn * 2, (firstPfn + pages) * 2);
    return new Uint8Array(words.buffer, words.byteOffset, words.byteLength).slice();
  }

  /**
   * Compares the page as it is now with the hash that the other side took.
   * @param theirs bytes of a HASHES message @param index page within it
   */
  matches(pfn: number, theirs: DataView, index: number): boolean {
    this.#hasher.hash(pfn);
    return (
      this.#words[pfn * 2] === theirs.getUint32(index * 8, true) &&
      this.#words[pfn * 2 + 1] === theirs.getUint32(index * 8 + 4, true)
    );
  }

  /** Forgets everything: the memory belongs to nobody now. */
  clear(): void {
    this.setHash.clear();
    this.#known.fill(0);
    this.#knownPages = 0;
  }
}
