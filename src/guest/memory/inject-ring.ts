/**
 * Frames that the host hands to the guest's thread: a ring in shared memory with one writer and one reader.
 *
 *   head u32 │ tail u32 │ … │ data: records {u16 length, bytes}, wrapping byte by byte
 *
 * head and tail count bytes and never wrap back; the writer alone moves tail, the reader alone moves head.
 */

/** Bytes that wait at most; a power of two. */
export const RING_SIZE = 256 * 1024;
/** Longest frame: a jumbo payload and its Ethernet header. */
export const MAX_FRAME = 9216 + 14;
const LENGTH_SIZE = 2;

export class InjectRing {
  readonly #words: Int32Array;
  readonly #head: number;
  readonly #tail: number;
  readonly #data: Uint8Array;

  /**
   * @param words shared words; `head` and `tail` are indexes into them
   * @param data RING_SIZE shared bytes
   */
  constructor(words: Int32Array, head: number, tail: number, data: Uint8Array) {
    this.#words = words;
    this.#head = head;
    this.#tail = tail;
    this.#data = data;
  }

  /** Appends a frame; false when there is no room, or the frame is longer than MAX_FRAME. */
  push(frame: Uint8Array): boolean {
    const tail = Atomics.load(this.#words, this.#tail);
    const used = (tail - Atomics.load(this.#words, this.#head)) | 0;
    const need = LENGTH_SIZE + frame.length;
    if (frame.length > MAX_FRAME || used + need > RING_SIZE) return false;
    const data = this.#data;
    const mask = RING_SIZE - 1;
    data[tail & mask] = frame.length;
    data[(tail + 1) & mask] = frame.length >>> 8;
    const at = (tail + LENGTH_SIZE) & mask;
    const first = Math.min(frame.length, RING_SIZE - at);
    data.set(first === frame.length ? frame : frame.subarray(0, first), at);
    if (first < frame.length) data.set(frame.subarray(first), 0);
    Atomics.store(this.#words, this.#tail, (tail + need) | 0);
    return true;
  }

  /** Takes the oldest frame to the beginning of `out` (MAX_FRAME bytes). @returns its length, -1 when there is none */
  shift(out: Uint8Array): number {
    const head = Atomics.load(this.#words, this.#head);
    if (head === Atomics.load(this.#words, this.#tail)) return -1;
    const data = this.#data;
    const mask = RING_SIZE - 1;
    const length = data[head & mask]! | (data[(head + 1) & mask]! << 8);
    const at = (head + LENGTH_SIZE) & mask;
    const first = Math.min(length, RING_SIZE - at);
    out.set(data.subarray(at, at + first), 0);
    if (first < length) out.set(data.subarray(0, length - first), first);
    Atomics.store(this.#words, this.#head, (head + LENGTH_SIZE + length) | 0);
    return length;
  }
}
