/**
 * The bytes that blocks of a pcapng file are read from, in the byte order of their section. Reads and judges nothing.
 *
 *   option: code u16 │ length u16 │ value, padded to 4            code 0, or the block's end, ends the list
 */
import { OPTION_END, padded } from './pcapng-format.js';

const text = new TextDecoder();
const OPTION_HEADER_BYTES = 4;

/** Told of an option: where in the bytes its value is, and how long. */
export type TakeOption = (code: number, value: number, length: number) => void;

export class BlockView {
  bytes: Uint8Array = new Uint8Array(0);
  littleEndian = true;
  #view = new DataView(this.bytes.buffer);

  /** Looks at other bytes from here on. */
  show(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u16(at: number): number {
    return this.#view.getUint16(at, this.littleEndian);
  }

  u32(at: number): number {
    return this.#view.getUint32(at, this.littleEndian);
  }

  /** Exact below 2^53. */
  u64(at: number): number {
    const [low, high] = this.littleEndian ? [0, 4] : [4, 0];
    return this.u32(at + high) * 0x1_0000_0000 + this.u32(at + low);
  }

  /** Exact between ±2^53. */
  i64(at: number): number {
    return Number(this.#view.getBigInt64(at, this.littleEndian));
  }

  /** UTF-8, without the zeros that some writers put behind it. */
  text(at: number, length: number): string {
    return text.decode(this.bytes.subarray(at, at + length)).replace(/\0+$/, '');
  }

  /** Calls `take` for each option from `at` on. @returns the length of the one that does not fit before `end`; -1 when all do */
  options(at: number, end: number, take: TakeOption): number {
    for (let option = at; option + OPTION_HEADER_BYTES <= end; ) {
      const code = this.u16(option);
      const length = this.u16(option + 2);
      if (code === OPTION_END) return -1;
      const value = option + OPTION_HEADER_BYTES;
      option = value + padded(length);
      if (option > end) return length;
      take(code, value, length);
    }
    return -1;
  }
}
