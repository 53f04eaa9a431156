/**
 * Virtual time: a heap of what is to happen, and a clock that jumps from one instant to the next.
 *
 *   at(t, body) ─► heap by (time, order of asking) ─► run: now = t, body()
 *
 * Nothing here waits. Two bodies of one instant run in the order in which they were asked for, which is what makes
 * a world the same on every run.
 */
import { TimeHeap } from '../core/index.js';

export class VirtualTime {
  readonly #heap = new TimeHeap<() => void>();
  #nowNs = 0;
  #steps = 0;

  get nowNs(): number {
    return this.#nowNs;
  }

  /** Bodies run so far. */
  get steps(): number {
    return this.#steps;
  }

  /** Runs `body` at `atNs`, or now where that is past. */
  at(atNs: number, body: () => void): void {
    this.#heap.push(atNs > this.#nowNs ? Math.round(atNs) : this.#nowNs, body);
  }

  /** Runs `body` in `afterNs` nanoseconds. */
  after(afterNs: number, body: () => void): void {
    this.at(this.#nowNs + afterNs, body);
  }

  /** Runs all that is due until `endNs`, or until `done` says so; the clock stands at the last instant that was run, or at the end. */
  run(endNs: number, done: () => boolean = () => false): void {
    while (!done()) {
      const nextNs = this.#heap.peekTimeNs();
      if (nextNs > endNs) {
        this.#nowNs = Math.max(this.#nowNs, endNs);
        return;
      }
      this.#nowNs = nextNs;
      this.#steps++;
      this.#heap.pop()!();
    }
  }
}

/** Keeps one wake-up of a machine in the heap: the earliest that it has asked for. */
export class Waker {
  readonly #time: VirtualTime;
  readonly #wake: () => void;
  #armedNs = Number.POSITIVE_INFINITY;

  /** @param wake called at an instant that was asked for; it calls `mind` again */
  constructor(time: VirtualTime, wake: () => void) {
    this.#time = time;
    this.#wake = wake;
  }

  /** Wakes at `nextNs`, or earlier where that was asked for before. */
  mind(nextNs: number): void {
    if (nextNs >= this.#armedNs) return;
    this.#armedNs = nextNs;
    this.#time.at(nextNs, () => {
      // An earlier wake-up was asked for since, and has taken this one's place.
      if (this.#armedNs !== nextNs) return;
      this.#armedNs = Number.POSITIVE_INFINITY;
      this.#wake();
    });
  }
}
