/**
 * Inputs from good ones: bytes flipped, set to the values that hurt, taken out, doubled, two inputs joined; and noise.
 * Seeded, so that any input can be made again from its number.
 */
import type { Rng } from '../../src/core/index.js';

const HURTING = [0, 1, 0x7f, 0x80, 0xff, 0xc0, 0xc1, 0xdc, 0xdd, 0xde, 0xdf];

/** @param scratch holds the input; it is overwritten by the next call */
export class Mutator {
  readonly #rng: Rng;
  readonly #scratch: Uint8Array;

  constructor(rng: Rng, longest: number) {
    this.#rng = rng;
    this.#scratch = new Uint8Array(longest);
  }

  /** The next input: a view of bytes that the following call overwrites. */
  next(samples: readonly Uint8Array[], inputMax: number): Uint8Array {
    const rng = this.#rng;
    const b = this.#scratch;
    if (rng.below(16) === 0) {
      const length = rng.below(Math.min(inputMax, 64) + 1);
      for (let i = 0; i < length; i++) b[i] = rng.u32();
      return b.subarray(0, length);
    }
    const sample = samples[rng.below(samples.length)]!;
    let length = Math.min(sample.length, inputMax);
    b.set(sample.subarray(0, length));
    for (let n = 1 + rng.below(4); n > 0; n--) length = this.#change(length, inputMax, samples);
    return b.subarray(0, length);
  }

  #change(length: number, inputMax: number, samples: readonly Uint8Array[]): number {
    const rng = this.#rng;
    const b = this.#scratch;
    if (length === 0) return 0;
    const at = rng.below(length);
    switch (rng.below(8)) {
      case 0:
      case 1:
        b[at] = b[at]! ^ (1 << rng.below(8));
        return length;
      case 2:
        b[at] = rng.u32();
        return length;
      case 3:
        b[at] = HURTING[rng.below(HURTING.length)]!;
        return length;
      case 4: // four bytes at once: a length or a count
        for (let i = at; i < Math.min(length, at + 4); i++) b[i] = HURTING[rng.below(HURTING.length)]!;
        return length;
      case 5:
        return at;
      case 6: {
        const cut = Math.min(length - at, 1 + rng.below(8));
        b.copyWithin(at, at + cut, length);
        return length - cut;
      }
      default: {
        const other = samples[rng.below(samples.length)]!;
        const part = other.subarray(rng.below(other.length));
        const end = Math.min(inputMax, at + part.length);
        b.set(part.subarray(0, Math.max(0, end - at)), at);
        return Math.max(length, end);
      }
    }
  }
}
