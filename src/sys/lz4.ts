/**
 * liblz4 through koffi: blocks of the LZ4 block format, no frames. `lz4.h`.
 * The library is Debian's and Fedora's own (`liblz4.so.1`, a dependency of systemd); where it is not, there is none.
 */
import koffi from 'koffi';
import { NativeStruct } from './native-struct.js';

type N = number;

export class Lz4 {
  readonly #compress: (state: N, src: N, dst: N, srcBytes: N, dstBytes: N, acceleration: N) => N;
  readonly #decompress: (src: N, dst: N, srcBytes: N, dstBytes: N) => N;
  /** The hash table: 16 KiB that would otherwise lie on the stack. */
  readonly #state: NativeStruct;

  private constructor(lib: ReturnType<typeof koffi.load>) {
    this.#compress = lib.func(
      'int LZ4_compress_fast_extState(uintptr_t state, uintptr_t src, uintptr_t dst, int srcSize, int dstCapacity, int acceleration)',
    ) as never;
    this.#decompress = lib.func(
      'int LZ4_decompress_safe(uintptr_t src, uintptr_t dst, int compressedSize, int dstCapacity)',
    ) as never;
    const stateBytes = lib.func('int LZ4_sizeofState()') as unknown as () => N;
    this.#state = new NativeStruct(stateBytes());
  }

  /** The library, or null where this machine has none. */
  static open(): Lz4 | null {
    try {
      return new Lz4(koffi.load('liblz4.so.1'));
    } catch {
      return null;
    }
  }

  /** @returns bytes written to `dst`; 0 when they would be more than `dstBytes` */
  compress(src: number, srcBytes: number, dst: number, dstBytes: number): number {
    return this.#compress(this.#state.address, src, dst, srcBytes, dstBytes, 1);
  }

  /** Safe for any input. @returns bytes written to `dst`; negative when the block is malformed or holds more */
  decompress(src: number, srcBytes: number, dst: number, dstBytes: number): number {
    return this.#decompress(src, dst, srcBytes, dstBytes);
  }
}
