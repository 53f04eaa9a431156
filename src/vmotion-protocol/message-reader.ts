/**
 * Cuts a byte stream into control messages. Any split of the stream gives the same messages; a length
 * over the limit is refused before a byte is reserved for it, and ends the stream: behind a wrong
 * length there is no next message to find.
 */
import { bad, type Decoded, decodeMessage, LENGTH_BYTES } from './message-codec.js';
import { MESSAGE_BYTES_MAX } from './messages.js';

const BUFFER_BYTES_MIN = 4096;

export class MessageReader {
  #buffer = new Uint8Array(BUFFER_BYTES_MIN);
  #view = new DataView(this.#buffer.buffer);
  #start = 0;
  #end = 0;
  #broken: Decoded | null = null;

  /** True after a length over the limit: nothing that follows can be read. */
  get broken(): boolean {
    return this.#broken !== null;
  }

  /** Bytes held of a message that is not complete yet. */
  get pendingBytes(): number {
    return this.#end - this.#start;
  }

  /** Takes bytes as they came; they are copied. Call `next` until it gives null before pushing more. */
  push(bytes: Uint8Array): void {
    if (this.#broken !== null) return;
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /**
   * The next complete message, the reason why it is refused, or null until more bytes come.
   * A refused body is skipped and reading goes on; a refused length is given once and then null.
   */
  next(): Decoded | null {
    if (this.#broken !== null || this.pendingBytes < LENGTH_BYTES) return null;
    const length = this.#view.getUint32(this.#start);
    if (length > MESSAGE_BYTES_MAX || length === 0) {
      this.#broken = bad(
        'VMOTION_MESSAGE_LENGTH',
        0,
        `a message of ${length} bytes is outside 1..${MESSAGE_BYTES_MAX}`,
      );
      this.#start = this.#end = 0;
      return this.#broken;
    }
    if (this.pendingBytes < LENGTH_BYTES + length) return null;
    const from = this.#start + LENGTH_BYTES;
    const decoded = decodeMessage(this.#buffer.subarray(from, from + length));
    this.#start = from + length;
    if (this.#start === this.#end) this.#start = this.#end = 0;
    return decoded;
  }

  /** Makes room after `#end`: moves what is pending to the front, doubles when that is not enough. */
  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.#buffer.length) return;
    const pending = this.pendingBytes;
    if (pending + bytes <= this.#buffer.length) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
    } else {
      const grown = new Uint8Array(2 ** Math.ceil(Math.log2(pending + bytes)));
      grown.set(this.#buffer.subarray(this.#start, this.#end));
      this.#buffer = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#start = 0;
    this.#end = pending;
  }
}
