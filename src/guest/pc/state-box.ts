/**
 * Where the host's thread and the machine's thread pass each other a machine's state: it is written by one while the
 * other waits for a command, and read after it.
 *
 *   bytes   0 length saved i32   4 length to load i32   8 state …
 */

/** Longest packed state; the protocol's own limit is a little lower, and the move would say so. */
export const STATE_BOX_BYTES = 512 * 1024;
const SAVED = 0;
const TO_LOAD = 1;
const DATA_OFFSET = 8;

export class StateBox {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  /** Where the machine packs to and the host puts what is to be loaded. */
  readonly room: Uint8Array<SharedArrayBuffer>;

  /** @param buffer of an existing box; omitted, a new one is made */
  constructor(buffer?: SharedArrayBuffer) {
    this.buffer = buffer ?? new SharedArrayBuffer(DATA_OFFSET + STATE_BOX_BYTES);
    this.#words = new Int32Array(this.buffer, 0, 2);
    this.room = new Uint8Array(this.buffer, DATA_OFFSET);
  }

  /** Machine: `length` bytes of `room` are its state; -1 when it did not fit. */
  saved(length: number): void {
    Atomics.store(this.#words, SAVED, length);
  }

  /** Host: a copy of what the machine saved when it came to stand last; null when it did not fit. */
  read(): Uint8Array | null {
    const length = Atomics.load(this.#words, SAVED);
    return length < 0 ? null : new Uint8Array(this.room.subarray(0, length));
  }

  /** Host: the machine is to begin from this state at its next start. */
  load(bytes: Uint8Array): void {
    this.room.set(bytes);
    Atomics.store(this.#words, TO_LOAD, bytes.length);
  }

  /** Machine: what it is to begin from, once; null for where it stands. */
  takeLoaded(): Uint8Array | null {
    const length = Atomics.exchange(this.#words, TO_LOAD, 0);
    return length === 0 ? null : new Uint8Array(this.room.subarray(0, length));
  }
}
