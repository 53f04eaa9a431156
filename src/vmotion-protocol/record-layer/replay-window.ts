/**
 * Which packet numbers have been seen: a bitmap that slides with the highest one. RFC 6479 (the bitmap is a ring of
 * words, and whole words are cleared as it slides, so nothing is ever shifted); RFC 4303, 3.4.3 has the rule.
 *
 *        too old      │◄───────── window: seen or not ─────────►│      new
 *   ──────────────────┼──────────────────────────────────────────┼─────────────► number
 *              highest − size + 1                             highest
 *
 * A number is looked up before its packet is opened, and marked only when the tag was right: a forger must not be
 * able to move the window.
 */
const WORD_BITS = 32;

export const REPLAY_WINDOW_DEFAULT = 4096;

export class ReplayWindow {
  /** Numbers remembered: at least these. */
  readonly size: number;
  readonly #words: Uint32Array;
  readonly #mask: number;
  #highest = -1;

  /** @param sizeMin rounded up, so that with one word of slack the ring is a power of two of words */
  constructor(sizeMin = REPLAY_WINDOW_DEFAULT) {
    const words = 2 ** Math.ceil(Math.log2(sizeMin / WORD_BITS + 1));
    this.#words = new Uint32Array(words);
    this.#mask = words - 1;
    this.size = (words - 1) * WORD_BITS;
  }

  /** The highest number marked, -1 before the first. */
  get highest(): number {
    return this.#highest;
  }

  /** Whether a packet of this number may still be new. */
  fresh(number: number): boolean {
    if (number > this.#highest) return true;
    if (number <= this.#highest - this.size) return false;
    return (this.#words[this.#wordOf(number)]! & (1 << (number % WORD_BITS))) === 0;
  }

  /** Notes an authentic number for which `fresh` was true. */
  mark(number: number): void {
    if (number > this.#highest) {
      const from = Math.floor(this.#highest / WORD_BITS);
      const to = Math.floor(number / WORD_BITS);
      const cleared = Math.min(to - from, this.#words.length);
      for (let i = 0; i < cleared; i++) this.#words[(to - i) % this.#words.length] = 0;
      this.#highest = number;
    }
    const word = this.#wordOf(number);
    this.#words[word] = this.#words[word]! | (1 << (number % WORD_BITS));
  }

  #wordOf(number: number): number {
    return Math.floor(number / WORD_BITS) % (this.#mask + 1);
  }
}
