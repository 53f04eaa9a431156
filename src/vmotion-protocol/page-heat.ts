/**
 * Which pages the guest keeps writing: those found dirty by each of the last three harvests, or two where no more were. To send such a page in
 * another round is waste, since it will be dirty again; at the switchover it is wanted first.
 */
import { PageSet } from '../core/index.js';

/** Harvests in a row that make a page hot, and how many do where there were no more. */
const HARVESTS = 3;
const HARVESTS_MIN = 2;

export class PageHeat {
  readonly #sets: PageSet[] = [];

  /** The last harvests, oldest first. */
  get sets(): readonly PageSet[] {
    return this.#sets;
  }

  /** The pages of the newest harvest. Not changed, and not to be changed by others while it is among the last few. */
  harvested(dirty: PageSet): void {
    this.#sets.push(dirty);
    if (this.#sets.length > HARVESTS) this.#sets.shift();
  }

  /** Pages that each of the last harvests found; none before there were enough of them. */
  hot(pages: number): PageSet {
    const hot = new PageSet(pages);
    if (this.#sets.length < HARVESTS_MIN) return hot;
    hot.union(this.#sets[0]!);
    for (let i = 1; i < this.#sets.length; i++) {
      const { words } = this.#sets[i]!;
      for (let w = 0; w < words.length; w++) hot.words[w] = hot.words[w]! & words[w]!;
    }
    return hot;
  }
}

/**
 * Chooses at most `limit` pages of `from`, those of `preferred` first, each kind in ascending order.
 * What it chooses is taken out of `from`.
 */
export function takePages(from: PageSet, preferred: PageSet, limit: number): PageSet {
  const taken = new PageSet(from.pages);
  let room = limit;
  for (let pfn = preferred.next(0); pfn >= 0 && room > 0; pfn = preferred.next(pfn + 1)) {
    if (!from.has(pfn)) continue;
    taken.add(pfn);
    room--;
  }
  from.subtract(taken);
  for (let pfn = from.next(0); pfn >= 0 && room > 0; pfn = from.next(pfn + 1)) {
    taken.add(pfn);
    room--;
  }
  from.subtract(taken);
  return taken;
}
