/**
 * The versions of pages that the receiver holds, for as many pages as there is room: what deltas are made against.
 *
 *   slot    0        1        …   n-1      spare
 *   bytes │ page   │ page   │ …  │ page   │ page │      `slotOf[pfn]` ↔ `pfnOf[slot]`
 *
 * A page is first copied to the spare slot, where the guest no longer changes it. When it is kept, that slot is its
 * own from then on, and the one it leaves (or another page's) is the spare.
 *
 * A slot may be taken from its page when that was not sent in this round nor in the one before (a CLOCK hand walks,
 * a bounded number of steps). So a set of hot pages larger than the cache does not drive itself out of it round by
 * round: what is in stays in while it pays. Memory: slots × (4096 + 9) bytes and 4 bytes per page of the guest.
 */
import { PAGE_SIZE } from '../../core/index.js';
import { PAGE_WORDS, wordsOf } from './page-words.js';

const NONE = -1;
/** Slots the hand looks at for one page. */
const STEPS_MAX = 32;

export class BaseCache {
  /** All slots. */
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly #slots: number;
  readonly #slotOf: Int32Array;
  readonly #pfnOf: Int32Array;
  readonly #roundOf: Uint32Array;
  readonly #streamOf: Int8Array;
  #spare: number;
  #used = 0;
  #hand = 0;

  /** @param pages of the guest @param bytesMax for the slots; fewer than one page: nothing is ever kept */
  constructor(pages: number, bytesMax: number) {
    this.#slots = Math.min(pages, Math.floor(bytesMax / PAGE_SIZE));
    this.bytes = new Uint8Array(new ArrayBuffer((this.#slots + 1) * PAGE_SIZE));
    this.words = wordsOf(this.bytes);
    this.#slotOf = new Int32Array(pages).fill(NONE);
    this.#pfnOf = new Int32Array(this.#slots + 1).fill(NONE);
    this.#roundOf = new Uint32Array(this.#slots + 1);
    this.#streamOf = new Int8Array(this.#slots + 1);
    this.#spare = this.#slots;
  }

  /** Pages held. */
  get size(): number {
    return this.#used;
  }

  get memoryBytes(): number {
    return this.bytes.length + this.#slotOf.byteLength + this.#pfnOf.length * 9;
  }

  /** Where in `bytes` the spare slot is. */
  get spareAt(): number {
    return this.#spare * PAGE_SIZE;
  }

  get spareWordsAt(): number {
    return this.#spare * PAGE_WORDS;
  }

  /** Copies a page to the spare slot. */
  copy(memory: Uint8Array, at: number): void {
    this.bytes.set(memory.subarray(at, at + PAGE_SIZE), this.#spare * PAGE_SIZE);
  }

  /** The page's slot, or -1. */
  find(pfn: number): number {
    return this.#slotOf[pfn]!;
  }

  roundOf(slot: number): number {
    return this.#roundOf[slot]!;
  }

  streamOf(slot: number): number {
    return this.#streamOf[slot]!;
  }

  /**
   * Keeps what the spare slot holds as the page's version, if there is a place for it.
   * @returns whether it is kept: then its bytes stay where they are, and the spare slot is another one
   */
  keep(pfn: number, round: number, stream: number): boolean {
    let free = this.#slotOf[pfn]!;
    if (free === NONE) {
      free = this.#place(round);
      if (free === NONE) return false;
      if (this.#pfnOf[free] !== NONE) this.forget(this.#pfnOf[free]!);
      this.#used++;
    }
    const slot = this.#spare;
    this.#spare = free;
    this.#pfnOf[free] = NONE;
    this.#pfnOf[slot] = pfn;
    this.#slotOf[pfn] = slot;
    this.#roundOf[slot] = round;
    this.#streamOf[slot] = stream;
    return true;
  }

  forget(pfn: number): void {
    const slot = this.#slotOf[pfn]!;
    if (slot === NONE) return;
    this.#slotOf[pfn] = NONE;
    this.#pfnOf[slot] = NONE;
    this.#used--;
  }

  /** Forgets what was sent after `round`. */
  forgetAfter(round: number): void {
    for (let slot = 0; slot <= this.#slots; slot++) {
      if (this.#pfnOf[slot] !== NONE && this.#roundOf[slot]! > round) this.forget(this.#pfnOf[slot]!);
    }
  }

  clear(): void {
    this.#slotOf.fill(NONE);
    this.#pfnOf.fill(NONE);
    this.#used = 0;
  }

  /** A slot that is free, or whose page was not sent lately; -1 when the hand finds none. */
  #place(round: number): number {
    for (let step = 0; step < STEPS_MAX && step <= this.#slots; step++) {
      const slot = this.#hand;
      this.#hand = slot === this.#slots ? 0 : slot + 1;
      if (slot === this.#spare) continue;
      if (this.#pfnOf[slot] === NONE || this.#roundOf[slot]! + 1 < round) return slot;
    }
    return NONE;
  }
}
