/**
 * How exactly packets left: the instant just before the write that carries one, minus when it was due.
 *
 * Drift is how much later the end of the replay is than its beginning, against the plan: the middle error of the last
 * hundred packets minus that of the first hundred, so that one packet behind a scheduler's pause does not decide it.
 */
import { build, type Histogram } from 'hdr-histogram-js';

const EDGE = 100;
const HIGHEST_NS = 3600e9;

/** Quantiles of durations, in ns; all 0 when there were none. */
export interface Distribution {
  readonly count: number;
  readonly min: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export class DurationHistogram {
  readonly #histogram: Histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: HIGHEST_NS,
    numberOfSignificantValueDigits: 3,
  });
  #min = Number.POSITIVE_INFINITY;

  /** @param ns below zero counts as zero: a stamp of another clock's reading may be some ns early */
  record(ns: number): void {
    const value = Math.min(HIGHEST_NS, Math.max(0, Math.round(ns)));
    if (value < this.#min) this.#min = value;
    this.#histogram.recordValue(value);
  }

  distribution(): Distribution {
    const h = this.#histogram;
    if (h.totalCount === 0) return { count: 0, min: 0, p50: 0, p99: 0, max: 0 };
    // The histogram answers with the upper end of a bucket, which may lie above the largest value seen.
    const at = (p: number): number => Math.min(h.getValueAtPercentile(p), h.maxValue);
    return { count: h.totalCount, min: this.#min, p50: at(50), p99: at(99), max: h.maxValue };
  }
}

export class PacingErrors {
  readonly #errors = new DurationHistogram();
  readonly #first: number[] = [];
  readonly #last = new Float64Array(EDGE);
  #count = 0;

  /** @param errorNs how late it left; below zero: early */
  record(errorNs: number): void {
    this.#errors.record(Math.abs(errorNs));
    if (this.#count < EDGE) this.#first.push(errorNs);
    this.#last[this.#count++ % EDGE] = errorNs;
  }

  distribution(): Distribution {
    return this.#errors.distribution();
  }

  /** 0 when there were none. */
  driftNs(): number {
    if (this.#count === 0) return 0;
    return Math.round(middle(this.#last.slice(0, Math.min(EDGE, this.#count))) - middle(this.#first));
  }
}

function middle(values: Iterable<number>): number {
  const ascending = Float64Array.from(values).sort();
  return ascending[ascending.length >> 1]!;
}
