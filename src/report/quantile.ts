/**
 * Quantiles by nearest rank (Hyndman & Fan 1996, definition 1): the answer is always a value that was
 * observed, so that the p99 of twenty pauses is the longest of them and not a figure nobody measured.
 */

/** Sorts a copy, ascending. */
export function sorted(values: Iterable<number>): number[] {
  return [...values].sort((a, b) => a - b);
}

/** @param ascending sorted values @param q 0..1 @returns NaN when there is none */
export function quantile(ascending: readonly number[], q: number): number {
  if (ascending.length === 0) return Number.NaN;
  const rank = Math.ceil(q * ascending.length);
  return ascending[Math.min(Math.max(rank, 1), ascending.length) - 1]!;
}

/** The middle observation of unsorted values; the lower of two. */
export function median(values: Iterable<number>): number {
  return quantile(sorted(values), 0.5);
}
