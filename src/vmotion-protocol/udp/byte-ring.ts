/**
 * Bytes of a stream kept by their offset in it: the byte at offset o stands at o modulo the capacity, a power of
 * two. Offsets are whole numbers up to 2^53; who uses the ring keeps track of which are valid.
 */
export class ByteRing {
  readonly capacity: number;
  readonly #bytes: Uint8Array;
  readonly #mask: number;

  /** @param capacityMin rounded up to a power of two, at most 2^30 */
  constructor(capacityMin: number) {
    this.capacity = 2 ** Math.ceil(Math.log2(capacityMin));
    this.#bytes = new Uint8Array(this.capacity);
    this.#mask = this.capacity - 1;
  }

  /** Copies from[at … at+length) to stream offset `offset`. */
  put(offset: number, from: Uint8Array, at: number, length: number): void {
    const to = offset & this.#mask; // ToInt32 is exact modulo 2^32, and the capacity divides that
    const first = Math.min(length, this.capacity - to);
    this.#bytes.set(from.subarray(at, at + first), to);
    if (first < length) this.#bytes.set(from.subarray(at + first, at + length), 0);
  }

  /** Copies `length` bytes from stream offset `offset` to into[at …). */
  get(offset: number, into: Uint8Array, at: number, length: number): void {
    const from = offset & this.#mask;
    const first = Math.min(length, this.capacity - from);
    into.set(this.#bytes.subarray(from, from + first), at);
    if (first < length) into.set(this.#bytes.subarray(0, length - first), at + first);
  }
}
