/**
 * How sure a difference is. Pure; every random draw comes from a fixed seed, so a report says the same twice.
 *
 * Intervals: percentile bootstrap of the ratio of medians (Efron and Tibshirani 1993, chapter 13).
 * Test: Mann and Whitney 1947, normal approximation with the correction for ties; exact below nine a side.
 * Agreement of two orders: Spearman's rank correlation, mean ranks for ties.
 */
import { Rng } from '../core/index.js';
import { median, quantile, sorted } from './quantile.js';

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** A ratio of medians and where it lies with a confidence of 95 %. */
export interface Ratio extends Interval {
  /** median(b) / median(a). */
  readonly ratio: number;
}

export const CONFIDENCE = 0.95;
const RESAMPLES = 2000;

/** How much larger b is than a, by medians. NaN when either is empty. */
export function ratioOfMedians(a: readonly number[], b: readonly number[]): Ratio {
  const rng = new Rng('bootstrap');
  const ratios = sorted(
    Array.from({ length: RESAMPLES }, () => median(resample(b, rng)) / median(resample(a, rng))),
  );
  const tail = (1 - CONFIDENCE) / 2;
  return { ratio: median(b) / median(a), low: quantile(ratios, tail), high: quantile(ratios, 1 - tail) };
}

function resample(values: readonly number[], rng: Rng): number[] {
  return values.map(() => values[rng.below(values.length)]!);
}

/** Ranks from 1; equal values share the mean of theirs. */
export function ranksOf(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((i, j) => values[i]! - values[j]!);
  const ranks = new Array<number>(values.length);
  for (let from = 0; from < order.length; ) {
    let to = from + 1;
    while (to < order.length && values[order[to]!] === values[order[from]!]) to++;
    for (let k = from; k < to; k++) ranks[order[k]!] = (from + 1 + to) / 2;
    from = to;
  }
  return ranks;
}

/** Spearman's rank correlation, −1..1; NaN when one side does not vary or there are fewer than two pairs. */
export function rankCorrelation(a: readonly number[], b: readonly number[]): number {
  const [x, y] = [ranksOf(a), ranksOf(b)];
  const mean = (x.length + 1) / 2;
  let xy = 0;
  let xx = 0;
  let yy = 0;
  for (const [i, rank] of x.entries()) {
    const [dx, dy] = [rank - mean, y[i]! - mean];
    xy += dx * dy;
    xx += dx * dx;
    yy += dy * dy;
  }
  return xx > 0 && yy > 0 ? xy / Math.sqrt(xx * yy) : Number.NaN;
}

/** Two-sided p of "a and b are drawn from one distribution"; 1 when either is empty. */
export function mannWhitney(a: readonly number[], b: readonly number[]): number {
  const [n, m] = [a.length, b.length];
  if (n === 0 || m === 0) return 1;
  const ranks = ranksOf([...a, ...b]);
  const rankSum = ranks.slice(0, n).reduce((sum, r) => sum + r, 0);
  const u = rankSum - (n * (n + 1)) / 2;
  const tied = new Map<number, number>();
  for (const r of ranks) tied.set(r, (tied.get(r) ?? 0) + 1);
  const hasTies = tied.size < ranks.length;
  if (!hasTies && n <= EXACT && m <= EXACT) return exactP(u, n, m);
  const all = n + m;
  const ties = [...tied.values()].reduce((sum, t) => sum + t ** 3 - t, 0);
  const variance = ((n * m) / 12) * (all + 1 - ties / (all * (all - 1)));
  if (variance === 0) return 1;
  const distance = Math.max(0, Math.abs(u - (n * m) / 2) - 0.5);
  return Math.min(1, 2 * upperTail(distance / Math.sqrt(variance)));
}

const EXACT = 8;

/** By counting all ways to interleave n and m values. */
function exactP(u: number, n: number, m: number): number {
  const ways = waysToReach(n, m);
  const all = ways.reduce((sum, w) => sum + w, 0);
  const low = Math.min(u, n * m - u);
  const tail = ways.slice(0, Math.floor(low) + 1).reduce((sum, w) => sum + w, 0);
  return Math.min(1, (2 * tail) / all);
}

/** ways[u]: interleavings of n and m values in which u pairs stand the wrong way round. */
function waysToReach(n: number, m: number): number[] {
  if (n === 0 || m === 0) return [1];
  const ways = new Array<number>(n * m + 1).fill(0);
  for (const [u, w] of waysToReach(n - 1, m).entries()) ways[u + m]! += w;
  for (const [u, w] of waysToReach(n, m - 1).entries()) ways[u]! += w;
  return ways;
}

/** P(Z > z), z ≥ 0. Abramowitz and Stegun 7.1.26: absolute error below 1.5e-7. */
function upperTail(z: number): number {
  const x = z / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const poly =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return (poly * Math.exp(-x * x)) / 2;
}
