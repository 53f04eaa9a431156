/**
 * When the fabric works by the beat and not frame by frame.
 *
 *   frame by frame   ──┬────┬──┬─────┬────┬──►   woken by each arrival, spinning to each release: exact, and a core
 *   by the beat      ────────┴────────┴──────►   asleep between beats; what came meanwhile is taken in together, what
 *                    ◄─ 50 µs ─►                 fell due is let out together: up to a beat late, never early
 *
 * Of two cores a thread that spins takes one from the very programs whose frames it waits for: a stream that wants
 * all of the machine then gets less of it, and releases are late by milliseconds when the scheduler has had enough.
 * So a fabric that is not to spin (`--spin never`), on few cores, gives exactness up while much passes, for less CPU:
 * 0.78 of a core where one that spins took 0.93, at the same throughput. Frames that a socket has stamped lose nothing by
 * being taken in late; those of ports without a stamp enter the fiber by up to a beat late.
 *
 * Pure: the engine tells it what passed and asks when to go on.
 */

/** Between two beats. */
export const BEAT_NS = 50_000;
/** What passes is looked at this often. */
const WINDOW_NS = 200_000;
/** From here on it is much: 4 Gbit/s, in bytes per ns. */
const MUCH = 0.5;

export class Beat {
  readonly #possible: boolean;
  #bytes = 0;
  #windowNs = 0;
  #much = false;
  #nextNs = 0;

  /** @param possible false where it never is */
  constructor(possible: boolean) {
    this.#possible = possible;
  }

  /** A frame of so many bytes came in. */
  passed(bytes: number): void {
    this.#bytes += bytes;
  }

  /** When to go on; 0 to work frame by frame. @param nowNs now, or a moment ago */
  nextNs(nowNs: number): number {
    const sinceNs = nowNs - this.#windowNs;
    if (sinceNs >= WINDOW_NS) {
      this.#much = this.#possible && this.#bytes > sinceNs * MUCH;
      this.#bytes = 0;
      this.#windowNs = nowNs;
    }
    if (!this.#much) return 0;
    // From beat to beat; after one that was missed, from where we are.
    this.#nextNs = Math.max(this.#nextNs + BEAT_NS, nowNs);
    if (this.#nextNs > nowNs + BEAT_NS) this.#nextNs = nowNs + BEAT_NS;
    return this.#nextNs;
  }
}
