/**
 * A small C struct at a stable address, filled through a DataView. Linux on x86-64 and arm64: little-endian.
 * The buffer comes from outside V8's moving heap, so its address may be kept.
 */
import { addressOf } from './libc.js';

export class NativeStruct {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly address: number;

  /** @param size bytes; rounded up to 64 so that the backing store never lies in the moving heap */
  constructor(size: number) {
    const buffer = new ArrayBuffer(Math.max(128, (size + 63) & ~63));
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.address = addressOf(this.bytes);
  }

  /** Writes a pointer or size_t. @param value below 2^53 */
  setPointer(offset: number, value: number): void {
    this.view.setUint32(offset, value >>> 0, true);
    this.view.setUint32(offset + 4, Math.floor(value / 0x100000000), true);
  }

  /** Reads a u64 below 2^53. */
  getPointer(offset: number): number {
    return this.view.getUint32(offset + 4, true) * 0x100000000 + this.view.getUint32(offset, true);
  }

  /** Writes a NUL-terminated string. */
  setString(offset: number, text: string): void {
    for (let i = 0; i < text.length; i++) this.bytes[offset + i] = text.charCodeAt(i);
    this.bytes[offset + text.length] = 0;
  }
}
