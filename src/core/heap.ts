/**
 * A binary min-heap ordered by (time, sequence): equal times leave in the order they came, which is
 * what makes a run reproducible. Push and pop are O(log n).
 */
export class TimeHeap<T> {
  readonly #times: number[] = [];
  readonly #seqs: number[] = [];
  readonly #values: T[] = [];
  #nextSeq = 0;

  get size(): number {
    return this.#values.length;
  }

  /** When the earliest entry is due; `Infinity` when empty. */
  peekTimeNs(): number {
    return this.#times.length === 0 ? Number.POSITIVE_INFINITY : this.#times[0]!;
  }

  push(timeNs: number, value: T): void {
    const seq = this.#nextSeq++;
    let i = this.#values.length;
    this.#times.push(timeNs);
    this.#seqs.push(seq);
    this.#values.push(value);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!this.#before(i, parent)) break;
      this.#swap(i, parent);
      i = parent;
    }
  }

  /** Removes and returns the earliest entry; `undefined` when empty. */
  pop(): T | undefined {
    const n = this.#values.length;
    if (n === 0) return undefined;
    const top = this.#values[0];
    this.#swap(0, n - 1);
    this.#times.pop();
    this.#seqs.pop();
    this.#values.pop();
    let i = 0;
    for (;;) {
      const left = 2 * i + 1;
      if (left >= n - 1) break;
      const right = left + 1;
      const child = right < n - 1 && this.#before(right, left) ? right : left;
      if (!this.#before(child, i)) break;
      this.#swap(i, child);
      i = child;
    }
    return top;
  }

  #before(i: number, j: number): boolean {
    const d = this.#times[i]! - this.#times[j]!;
    return d < 0 || (d === 0 && this.#seqs[i]! < this.#seqs[j]!);
  }

  #swap(i: number, j: number): void {
    const t = this.#times[i]!;
    this.#times[i] = this.#times[j]!;
    this.#times[j] = t;
    const s = this.#seqs[i]!;
    this.#seqs[i] = this.#seqs[j]!;
    this.#seqs[j] = s;
    const v = this.#values[i]!;
    this.#values[i] = this.#values[j]!;
    this.#values[j] = v;
  }
}
