/**
 * What is between the ends of a span: frames by their instant of arrival, then by the order in which
 * they left. As long as none overtakes another that is a queue; with reordering it is a heap.
 */
import { Ring, TimeHeap } from '../core/index.js';
import type { HeldFrame } from './held-frame.js';

export class Glass {
  readonly #ring = new Ring<HeldFrame>(64);
  /** In use while frames may overtake each other; then the ring is empty. */
  #heap: TimeHeap<HeldFrame> | null = null;

  /** When the next frame arrives; Infinity when there is none. O(1). */
  firstDueNs(): number {
    if (this.#heap !== null) return this.#heap.peekTimeNs();
    const first = this.#ring.peek();
    return first === undefined ? Number.POSITIVE_INFINITY : first.dueNs;
  }

  /** Takes a frame by its `dueNs`; without reordering that is not before the last one's. */
  push(held: HeldFrame): void {
    if (this.#heap !== null) this.#heap.push(held.dueNs, held);
    else this.#ring.push(held);
  }

  /** Removes the frame that arrives next; there must be one. */
  shift(): HeldFrame {
    return (this.#heap !== null ? this.#heap.pop() : this.#ring.shift())!;
  }

  /** Whether frames that enter from here on may overtake those before them. */
  setReorder(reorder: boolean): void {
    if (reorder && this.#heap === null) {
      const heap = new TimeHeap<HeldFrame>();
      for (let held = this.#ring.shift(); held !== undefined; held = this.#ring.shift()) {
        heap.push(held.dueNs, held);
      }
      this.#heap = heap;
    } else if (!reorder && this.#heap !== null) {
      for (let held = this.#heap.pop(); held !== undefined; held = this.#heap.pop()) this.#ring.push(held);
      this.#heap = null;
    }
  }
}
