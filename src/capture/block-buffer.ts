/**
 * Bytes of a capture on their way out: grows to what one packet needs, and is emptied by whoever writes files.
 * A block is begun, filled and ended; its length, which stands at both of its ends, is filled in at last.
 */
import { BLOCK_BODY, BLOCK_FRAME_BYTES, BLOCK_LENGTH, OPTION_END, padded } from './pcapng-format.js';

const LITTLE = true;
const text = new TextEncoder();

export class BlockBuffer {
  /** The bytes so far are the first `length` of these; a later `put` may replace the array. */
  bytes: Uint8Array;
  length = 0;
  #view: DataView;
  #blockAt = 0;
  #hasOptions = false;

  constructor(capacity = 2 ** 16) {
    this.bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.bytes.buffer);
  }

  clear(): void {
    this.length = 0;
  }

  u8(value: number): void {
    this.#need(1);
    this.bytes[this.length++] = value;
  }

  u16(value: number): void {
    this.#need(2);
    this.#view.setUint16(this.length, value, LITTLE);
    this.length += 2;
  }

  u32(value: number): void {
    this.#need(4);
    this.#view.setUint32(this.length, value, LITTLE);
    this.length += 4;
  }

  /** A 64-bit number below 2^53. */
  u64(value: number): void {
    this.u32(value % 0x1_0000_0000);
    this.u32(Math.floor(value / 0x1_0000_0000));
  }

  /** Bytes `start..end` of `from`, not padded. */
  put(from: Uint8Array, start = 0, end = from.length): void {
    const count = end - start;
    this.#need(count);
    if (count < 64) for (let i = 0; i < count; i++) this.bytes[this.length + i] = from[start + i]!;
    else this.bytes.set(start === 0 && end === from.length ? from : from.subarray(start, end), this.length);
    this.length += count;
  }

  /** Zeros up to the next multiple of four of the block. */
  pad(): void {
    const end = this.#blockAt + padded(this.length - this.#blockAt);
    while (this.length < end) this.u8(0);
  }

  begin(type: number): void {
    this.#blockAt = this.length;
    this.#hasOptions = false;
    this.u32(type);
    this.u32(0);
  }

  option(code: number, value: Uint8Array): void {
    this.beginOption(code, value.length);
    this.put(value);
    this.pad();
  }

  /** For a value that is put piece by piece: `bytes` of them, then `pad`. */
  beginOption(code: number, bytes: number): void {
    this.#hasOptions = true;
    this.u16(code);
    this.u16(bytes);
  }

  /** Nothing when it is empty; cut at what an option can hold. */
  textOption(code: number, value: string): void {
    if (value !== '') this.option(code, text.encode(value).subarray(0, 0xfffc));
  }

  end(): void {
    if (this.#hasOptions) this.u32(OPTION_END);
    this.u32(0);
    const length = this.length - this.#blockAt;
    this.#view.setUint32(this.#blockAt + BLOCK_LENGTH, length, LITTLE);
    this.#view.setUint32(this.length - (BLOCK_FRAME_BYTES - BLOCK_BODY), length, LITTLE);
  }

  #need(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.length + count));
    larger.set(this.bytes);
    this.bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}
