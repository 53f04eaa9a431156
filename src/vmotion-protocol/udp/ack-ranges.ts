/**
 * Which packet numbers have come: ascending, disjoint ranges, the newest of them. A packet number is used once, so
 * a hole left by a loss never fills; the oldest range is forgotten when there are too many, and the peer has by
 * then long decided what to make of it.
 *
 *   start 0 ─── end 0   hole   start 1 ─── end 1   hole   start 2 ─── end 2 = largest + 1
 */
const RANGES_KEPT = 256;

export class AckRanges {
  readonly #starts = new Float64Array(RANGES_KEPT);
  readonly #ends = new Float64Array(RANGES_KEPT);
  #count = 0;
  /** Below this nothing is known any more: it counts as having come. */
  #floor = 0;

  get count(): number {
    return this.#count;
  }

  /** The largest packet number that has come; -1 before the first. */
  get largest(): number {
    return this.#count === 0 ? -1 : this.#ends[this.#count - 1]! - 1;
  }

  start(i: number): number {
    return this.#starts[i]!;
  }

  /** Exclusive. */
  end(i: number): number {
    return this.#ends[i]!;
  }

  has(number: number): boolean {
    if (number < this.#floor) return true;
    for (let i = this.#count - 1; i >= 0; i--) {
      if (number >= this.#ends[i]!) return false;
      if (number >= this.#starts[i]!) return true;
    }
    return false;
  }

  /** Takes a number in. @returns false when it had come before. O(1) for the next number in order */
  add(number: number): boolean {
    const last = this.#count - 1;
    if (last >= 0 && number === this.#ends[last]!) {
      this.#ends[last] = number + 1;
      return true;
    }
    if (this.has(number)) return false;
    let i = this.#count;
    while (i > 0 && this.#starts[i - 1]! > number) i--;
    // Range i−1 ends at or before the number, range i begins after it.
    const joinsBelow = i > 0 && this.#ends[i - 1]! === number;
    const joinsAbove = i < this.#count && this.#starts[i]! === number + 1;
    if (joinsBelow && joinsAbove) {
      this.#ends[i - 1] = this.#ends[i]!;
      this.#remove(i);
    } else if (joinsBelow) this.#ends[i - 1] = number + 1;
    else if (joinsAbove) this.#starts[i] = number;
    else this.#insert(i, number);
    return true;
  }

  #insert(at: number, number: number): void {
    let i = at;
    if (this.#count === RANGES_KEPT) {
      this.#floor = this.#ends[0]!;
      if (i === 0) return; // older than all that is kept
      this.#remove(0);
      i--;
    }
    this.#starts.copyWithin(i + 1, i, this.#count);
    this.#ends.copyWithin(i + 1, i, this.#count);
    this.#starts[i] = number;
    this.#ends[i] = number + 1;
    this.#count++;
  }

  #remove(i: number): void {
    this.#starts.copyWithin(i, i + 1, this.#count);
    this.#ends.copyWithin(i, i + 1, this.#count);
    this.#count--;
  }
}
