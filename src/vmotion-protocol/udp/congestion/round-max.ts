/** The largest value of the last few rounds: exact, one slot a round. */
export class RoundMax {
  readonly #slots: Float64Array;
  #at = 0;
  value = 0;

  constructor(rounds: number) {
    this.#slots = new Float64Array(rounds);
  }

  add(value: number): void {
    if (value > this.#slots[this.#at]!) this.#slots[this.#at] = value;
    if (value > this.value) this.value = value;
  }

  /** A new round begins; the oldest is forgotten. */
  nextRound(): void {
    this.#at = (this.#at + 1) % this.#slots.length;
    this.#slots[this.#at] = 0;
    this.value = 0;
    for (const v of this.#slots) if (v > this.value) this.value = v;
  }
}
