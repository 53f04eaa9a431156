/**
 * What a host knows of each page's content: a 64-bit hash per page and the set-hash of them all, kept as pages
 * move, so that the digest is at hand when the pause comes. docs/design.md, "Protocol", rule 4.
 */

import type { GuestMemory } from '../guest/index.js';
import { PageHasher } from '../guest/memory/index.js';
import { SetHash } from '../vmotion-protocol/index.js';
import type { PageContent } from '../vmotion-protocol/transport/index.js';

export class PageTable implements PageContent {
  readonly setHash = new SetHash();
  readonly #hasher: PageHasher;
  readonly #words: Uint32Array;
  readonly #known: Uint8Array;

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
    const newLo = this.#words[pfn * 2]!;
    const newHi = this.#words[pfn * 2 + 1]!;
    if (this.#known[pfn] === 0) {
      this.#known[pfn] = 1;
      this.setHash.add(pfn, newLo, newHi);
    } else if (lo !== newLo || hi !== newHi) {
      this.setHash.replace(pfn, lo, hi, newLo, newHi);
    }
    return this.#hasher.isZero(pfn);
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
  }
}
