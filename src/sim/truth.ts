/**
 * What a guest that never moved would hold: written with every write of the guest, wherever it runs, and read by
 * nothing but the judge. It also numbers the writes, so that no content of a page ever comes back.
 */
import { SimMemory } from './memory.js';

export class Truth {
  readonly memory: SimMemory;
  #writes = 0;

  constructor(pages: number) {
    this.memory = new SimMemory(pages);
  }

  /** @returns the number of this write, from 1 */
  nextWrite(): number {
    return ++this.#writes;
  }
}
