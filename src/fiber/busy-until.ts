/**
 * When a transmitter comes free, exactly. The time of a bit is rarely a whole number of nanoseconds
 * (1538 bytes at 10 Gbit/s take 1230.4 ns), so the instant is kept as
 *
 *   ns + rest / rateBps        0 ≤ rest < rateBps, all integers
 *
 * and back-to-back frames never drift, however many. Numbers stay below 2^53 for frames up to 1 MiB
 * on the wire and rates up to 1 Tbit/s.
 */

/** Wire bytes × this ÷ (bit/s) = nanoseconds. */
const BIT_NS_PER_BYTE = 8e9;

export class BusyUntil {
  #ns = 0;
  #rest = 0;
  #rateBps = 1;

  /** The whole nanoseconds of the instant. */
  get floorNs(): number {
    return this.#ns;
  }

  /** The first whole nanosecond not before the instant. */
  get ceilNs(): number {
    return this.#rest > 0 ? this.#ns + 1 : this.#ns;
  }

  isBefore(nowNs: number): boolean {
    return this.#ns < nowNs;
  }

  isAt(nowNs: number): boolean {
    return this.#ns === nowNs && this.#rest === 0;
  }

  /** Moves the instant to a whole nanosecond, be it back: what was on the transmitter is no more. */
  set(ns: number): void {
    this.#ns = ns;
    this.#rest = 0;
  }

  /** Moves the instant on to a whole nanosecond, unless it is there or beyond already. */
  setAtLeast(ns: number): void {
    if (this.#ns < ns) this.set(ns);
  }

  /** Adds the time that `wireBytes` take at `rateBps` (whole, or Infinity for no time at all). */
  addBytes(wireBytes: number, rateBps: number): void {
    if (rateBps === Number.POSITIVE_INFINITY) return;
    if (rateBps !== this.#rateBps) {
      // The rest in units of the new rate; what this rounds away is less than one bit's billionth.
      this.#rest = Math.floor((this.#rest / this.#rateBps) * rateBps);
      this.#rateBps = rateBps;
    }
    const sum = wireBytes * BIT_NS_PER_BYTE + this.#rest;
    // Exact: below 2^53 a quotient lies at least 1/rateBps from the next whole number, farther than it is rounded.
    const ns = Math.floor(sum / rateBps);
    this.#ns += ns;
    this.#rest = sum - ns * rateBps;
  }
}
