/** Tests of fit for the tests of the fiber's draws. All figures are for fixed seeds: they hold or do not, for ever. */

/**
 * Pearson's statistic over expected counts, with bins of less than five joined to their neighbour.
 * @returns the statistic and its degrees of freedom
 */
export function chiSquare(
  seen: readonly number[],
  expected: readonly number[],
): { statistic: number; freedom: number } {
  let statistic = 0;
  let bins = 0;
  let s = 0;
  let e = 0;
  for (let i = 0; i < expected.length; i++) {
    s += seen[i] ?? 0;
    e += expected[i]!;
    const rest = expected.slice(i + 1).reduce((sum, n) => sum + n, 0);
    if (e < 5 || (rest < 5 && i < expected.length - 1)) continue;
    statistic += (s - e) ** 2 / e;
    bins++;
    s = 0;
    e = 0;
  }
  return { statistic, freedom: bins - 1 };
}

/** The value that a chi-square variable exceeds once in a thousand, by Wilson and Hilferty (1931); z = 3.09. */
export function chiSquareLimit(freedom: number): number {
  const spread = 2 / (9 * freedom);
  return freedom * (1 - spread + 3.09 * Math.sqrt(spread)) ** 3;
}

/**
 * Kolmogorov's distance between draws and a continuous distribution, times √n.
 * Beyond 1.95 it is seen once in a thousand.
 */
export function kolmogorov(draws: readonly number[], distribution: (x: number) => number): number {
  const sorted = Float64Array.from(draws).sort();
  const n = sorted.length;
  let distance = 0;
  for (let i = 0; i < n; i++) {
    const p = distribution(sorted[i]!);
    distance = Math.max(distance, p - i / n, (i + 1) / n - p);
  }
  return distance * Math.sqrt(n);
}

/** The normal distribution, by Zelen and Severo (Abramowitz and Stegun 26.2.17), good to 7.5e-8. */
export function normalDistribution(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const coefficients = [0.31938153, -0.356563782, 1.781477937, -1.821255978, 1.330274429];
  const series = coefficients.reduceRight((sum, c) => (sum + c) * t, 0);
  const tail = (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * series;
  return z >= 0 ? 1 - tail : tail;
}

export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, v) => sum + v, 0) / values.length;
}
