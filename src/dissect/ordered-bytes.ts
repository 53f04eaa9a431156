/**
 * One direction of a byte stream put together from pieces that come in any order, twice, or overlapping.
 *
 *   offset 0 … next ─► sink, in order          held: pieces beyond `next`, at most 4 MiB
 *
 * A hole that stays while 4 MiB wait behind it is a packet that the capture lacks: then the stream is broken, and what
 * follows is not guessed at.
 */

const HELD_BYTES_MAX = 4 * 2 ** 20;

export class OrderedBytes {
  readonly #sink: (bytes: Uint8Array) => void;
  readonly #held = new Map<number, Uint8Array>();
  #heldBytes = 0;
  #next = 0;
  /** Where the hole is that was never filled; -1 while there is none. */
  brokenAt = -1;

  /** @param sink is given every byte once, in order; what it is given is not kept */
  constructor(sink: (bytes: Uint8Array) => void) {
    this.#sink = sink;
  }

  /** Offset of the first byte that has not come. */
  get next(): number {
    return this.#next;
  }

  /** A piece that begins at this offset of the stream. */
  put(offset: number, bytes: Uint8Array): void {
    if (this.brokenAt >= 0 || bytes.length === 0) return;
    const end = offset + bytes.length;
    if (end <= this.#next) return;
    if (offset > this.#next) {
      this.#hold(offset, bytes);
      return;
    }
    this.#sink(bytes.subarray(this.#next - offset));
    this.#next = end;
    if (this.#held.size > 0) this.#release();
  }

  #hold(offset: number, bytes: Uint8Array): void {
    const before = this.#held.get(offset);
    if (before !== undefined && before.length >= bytes.length) return;
    this.#heldBytes += bytes.length - (before?.length ?? 0);
    this.#held.set(offset, bytes.slice());
    if (this.#heldBytes <= HELD_BYTES_MAX) return;
    this.brokenAt = this.#next;
    this.#held.clear();
  }

  #release(): void {
    for (const [offset, bytes] of [...this.#held].sort(([x], [y]) => x - y)) {
      if (offset > this.#next) return;
      this.#held.delete(offset);
      this.#heldBytes -= bytes.length;
      const end = offset + bytes.length;
      if (end <= this.#next) continue;
      this.#sink(bytes.subarray(this.#next - offset));
      this.#next = end;
    }
  }
}
