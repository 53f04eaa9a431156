/**
 * Round trips over time in a bounded number of bins: when the last bin is passed, neighbours are joined and bins are
 * twice as wide from then on. So a move of a second and one of an hour both show their course, in a few kilobytes.
 *
 *   |▁▁▂▁▁█▅▂▁▁|  →  |▁▂█▂▁     |
 */

/** Plain arrays, one value a bin. */
export interface RttCourseSnapshot {
  /** The instant at which the first bin begins. */
  readonly startNs: number;
  readonly binNs: number;
  readonly count: number[];
  readonly minNs: number[];
  readonly meanNs: number[];
  readonly maxNs: number[];
}

const BINS = 240;
const FIRST_BIN_NS = 5_000_000;

export class RttCourse {
  #startNs = Number.NaN;
  #binNs = FIRST_BIN_NS;
  #used = 0;
  readonly #count = new Float64Array(BINS);
  readonly #min = new Float64Array(BINS);
  readonly #sum = new Float64Array(BINS);
  readonly #max = new Float64Array(BINS);

  /** @param sentNs when the request was sent; one sent before the first is counted with it */
  add(sentNs: number, rttNs: number): void {
    if (Number.isNaN(this.#startNs)) this.#startNs = sentNs;
    while (sentNs - this.#startNs >= BINS * this.#binNs) this.#joinNeighbours();
    const i = Math.max(0, Math.floor((sentNs - this.#startNs) / this.#binNs));
    this.#min[i] = this.#count[i] === 0 ? rttNs : Math.min(this.#min[i]!, rttNs);
    this.#max[i] = Math.max(this.#max[i]!, rttNs);
    this.#sum[i]! += rttNs;
    this.#count[i]!++;
    this.#used = Math.max(this.#used, i + 1);
  }

  clear(): void {
    this.#startNs = Number.NaN;
    this.#binNs = FIRST_BIN_NS;
    this.#used = 0;
    for (const bins of [this.#count, this.#min, this.#sum, this.#max]) bins.fill(0);
  }

  /** `null` before the first answer. */
  snapshot(): RttCourseSnapshot | null {
    if (this.#used === 0) return null;
    const list = (bins: Float64Array): number[] => Array.from(bins.subarray(0, this.#used));
    return {
      startNs: this.#startNs,
      binNs: this.#binNs,
      count: list(this.#count),
      minNs: list(this.#min),
      meanNs: list(this.#sum).map((sum, i) => (this.#count[i] === 0 ? 0 : Math.round(sum / this.#count[i]!))),
      maxNs: list(this.#max),
    };
  }

  #joinNeighbours(): void {
    for (let i = 0; i < BINS; i++) {
      const [a, b] = [2 * i, 2 * i + 1];
      const hasA = b < BINS && this.#count[a]! > 0;
      const hasB = b < BINS && this.#count[b]! > 0;
      this.#min[i] =
        hasA && hasB
          ? Math.min(this.#min[a]!, this.#min[b]!)
          : hasA
            ? this.#min[a]!
            : hasB
              ? this.#min[b]!
              : 0;
      this.#max[i] = b < BINS ? Math.max(this.#max[a]!, this.#max[b]!) : 0;
      this.#sum[i] = b < BINS ? this.#sum[a]! + this.#sum[b]! : 0;
      this.#count[i] = b < BINS ? this.#count[a]! + this.#count[b]! : 0;
    }
    this.#used = Math.ceil(this.#used / 2);
    this.#binNs *= 2;
  }
}
