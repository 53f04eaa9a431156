/**
 * The place for a guest that is to come, made ready while nobody waits for it: a host that has no guest populates the
 * memory in its idle turns, so that an offer finds it there.
 *
 *   clear ─► populating, a slice in each idle turn ─► ready ─take─► the migration's; cleared again when its guest is gone
 */
import type { GuestMemory } from '../guest/index.js';
import { MemoryPopulation } from './memory-population.js';

export class StandbyPlace {
  readonly #memory: GuestMemory;
  readonly #drop: () => void;
  /** Of memory that nothing has been put into since it was dropped; null: it is in use, or was. */
  #fresh: MemoryPopulation | null = null;
  #ready = false;

  /** @param drop makes the memory as if it had never been touched */
  constructor(memory: GuestMemory, drop: () => void) {
    this.#memory = memory;
    this.#drop = drop;
  }

  /** Whether `step` has something to do. */
  get eager(): boolean {
    return this.#fresh !== null && !this.#ready;
  }

  /** Nobody's memory any more: it is dropped, and made ready for the next guest. */
  clear(): void {
    this.#drop();
    this.#fresh = new MemoryPopulation(this.#memory, true);
    this.#ready = false;
  }

  /** Populates a slice. */
  step(): void {
    if (this.#fresh !== null && !this.#ready) this.#ready = this.#fresh.step();
  }

  /**
   * Takes the place for a guest: what is returned is stepped until it is done.
   * @param populated false for a guest whose pages are to be missing
   */
  take(populated: boolean): MemoryPopulation {
    const fresh = populated ? this.#fresh : null;
    this.#fresh = null;
    if (fresh !== null) return fresh;
    this.#drop();
    return new MemoryPopulation(this.#memory, populated);
  }
}
