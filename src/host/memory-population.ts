/**
 * The memory of a guest that is to come, populated before the first page does: a page that is there takes its bytes at
 * the speed of a copy, one that is not costs a fault and is cleared first. Done in slices, so that the thread that
 * does it goes on answering its peer.
 */
import { freemem } from 'node:os';
import type { GuestMemory } from '../guest/index.js';
import { populatePages } from '../sys/index.js';

/** A turn takes some 3 ms. */
const SLICE_BYTES = 16 << 20;
/** A machine that has less than so many times what is wanted populates nothing: zero pages may never need it. */
const FREE_SHARE = 2;

export class MemoryPopulation {
  readonly #memory: GuestMemory;
  #done: number;

  /** @param wanted false for a guest whose pages are to be missing */
  constructor(memory: GuestMemory, wanted: boolean) {
    this.#memory = memory;
    const enough = wanted && freemem() >= FREE_SHARE * memory.bytes.length;
    this.#done = enough ? 0 : memory.bytes.length;
  }

  /** Populates the next slice. @returns whether all is done that will be */
  step(): boolean {
    const { address, bytes } = this.#memory;
    const length = Math.min(SLICE_BYTES, bytes.length - this.#done);
    if (length > 0 && !populatePages(address + this.#done, length)) this.#done = bytes.length;
    else this.#done += length;
    return this.#done >= bytes.length;
  }
}
