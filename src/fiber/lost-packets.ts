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
