/**
 * Seeded randomness, forked by purpose.
 *
 * The stream of `rng.fork('loss a→b')` depends on the seed and that label only, so one more draw in
 * one component shifts nothing in another. Generator: xoshiro128** 1.1 (Blackman and Vigna 2018), four
 * 32-bit words; seeding by SplitMix32-style mixing of an FNV-1a hash of the label path.
 * Not for keys: those come from node:crypto.
 */
export class Rng {
  readonly #path: string;
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /** @param seed any unsigned 32-bit integer or a longer text; equal seeds give equal streams. */
  constructor(seed: number | string) {
    this.#path = String(seed);
    let h = fnv1a(this.#path);
    const next = (): number => {
      h = (h + 0x9e3779b9) | 0;
      let z = h ^ (h >>> 16);
      z = Math.imul(z, 0x21f0aaad);
      z ^= z >>> 15;
      z = Math.imul(z, 0x735a2d97);
      return (z ^ (z >>> 15)) >>> 0;
    };
    this.#a = next();
    this.#b = next();
    this.#c = next();
    this.#d = next() || 1; // the all-zero state is the one state xoshiro never leaves
  }

  /** An independent stream named by purpose. Forking draws nothing from this one. */
  fork(purpose: string): Rng {
    return new Rng(`${this.#path}/${purpose}`);
  }

  /** A uniform unsigned 32-bit integer. */
  u32(): number {
    const b = this.#b;
    let r = Math.imul(b, 5);
    r = Math.imul((r << 7) | (r >>> 25), 9);
    const t = b << 9;
    this.#c ^= this.#a;
    this.#d ^= b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= t;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return r >>> 0;
  }

  /** A uniform number in [0, 1) with 53 random bits. */
  float(): number {
    return ((this.u32() >>> 5) * 0x4000000 + (this.u32() >>> 6)) / 0x20000000000000;
  }

  /** A uniform integer in [0, n). @param n 1..2^32 */
  below(n: number): number {
    // Multiply-shift with rejection (Lemire 2019), in doubles: exact while n ≤ 2^32 needs a 64-bit
    // product, so reject on the plain remainder instead.
    const limit = 0x100000000 - (0x100000000 % n);
    let v = this.u32();
    while (v >= limit) v = this.u32();
    return v % n;
  }

  /** True with probability `p` (0..1). Draws nothing when `p` is 0 or 1. */
  chance(p: number): boolean {
    return p > 0 && (p >= 1 || this.float() < p);
  }

  /**
   * Failures before the first success of independent trials with probability `p`, by inversion:
   * the number of packets that pass before the next one is lost. `Infinity` when `p` is 0.
   */
  geometric(p: number): number {
    if (p <= 0) return Number.POSITIVE_INFINITY;
    if (p >= 1) return 0;
    return Math.floor(Math.log1p(-this.float()) / Math.log1p(-p));
  }

  /** Fills `out` with random bytes. */
  fill(out: Uint8Array): void {
    let i = 0;
    for (; i + 4 <= out.length; i += 4) {
      const v = this.u32();
      out[i] = v;
      out[i + 1] = v >>> 8;
      out[i + 2] = v >>> 16;
      out[i + 3] = v >>> 24;
    }
    for (let v = this.u32(); i < out.length; i++, v >>>= 8) out[i] = v;
  }
}

function fnv1a(text: string): number {
  let h = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) h = Math.imul(h ^ byte, 0x01000193);
  return h;
}
