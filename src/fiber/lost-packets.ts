/**
 * Indices of lost packets across several losses. A super-frame keeps its original numbering from the
 * first queue to the last span, while each stage that loses packets sees only those that reached it:
 *
 *   original   0  1  2  3  4  5        gone = [1, 3]
 *   survivors  0     1     2  3        hits = [1]   ⇒   lost = [1, 2, 3]
 */

/**
 * Joins losses into one ascending list of original indices. O(|gone| + |hits|).
 * @param gone original indices lost before, ascending; null for none
 * @param hits positions among the survivors that are lost now, ascending; the array is not kept
 */
export function mergeLost(gone: readonly number[] | null, hits: readonly number[]): readonly number[] {
  if (gone === null) return hits.slice();
  const lost: number[] = [];
  let g = 0;
  for (const hit of hits) {
    // The survivor at position `hit` has `hit` survivors and all smaller gone indices before it.
    while (g < gone.length && gone[g]! <= hit + g) lost.push(gone[g++]!);
    lost.push(hit + g);
  }
  while (g < gone.length) lost.push(gone[g++]!);
  return lost;
}

/** The original indices of the survivors at `positions` (ascending). O(|gone| + |positions|). */
export function originalsAt(gone: readonly number[] | null, positions: readonly number[]): readonly number[] {
  if (gone === null) return positions.slice();
  let g = 0;
  return positions.map((position) => {
    while (g < gone.length && gone[g]! <= position + g) g++;
    return position + g;
  });
}

/** Both lists in one, ascending, each index once. */
export function union(a: readonly number[], b: readonly number[]): readonly number[] {
  return [...new Set([...a, ...b])].sort((x, y) => x - y);
}

/** What of `a` is not in `b`; null when nothing is left. */
export function without(a: readonly number[], b: readonly number[]): readonly number[] | null {
  const left = a.filter((index) => !b.includes(index));
  return left.length > 0 ? left : null;
}
