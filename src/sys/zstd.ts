/**
 * libzstd through koffi: single frames, one context for all calls. `zstd.h`; the format is RFC 8878.
 * The library is Debian's and Fedora's own (`libzstd.so.1`, a dependency of dpkg and rpm); where it is not, there is none.
 */
import koffi from 'koffi';

type N = number;

export class Zstd {
  readonly #compress: (cctx: N, dst: N, dstBytes: N, src: N, srcBytes: N, level: N) => N;
  readonly #decompress: (dctx: N, dst: N, dstBytes: N, src: N, srcBytes: N) => N;
  readonly #freeC: (cctx: N) => N;
  readonly #freeD: (dctx: N) => N;
  #cctx: number;
  #dctx: number;

  private constructor(lib: ReturnType<typeof koffi.load>) {
    // The results are size_t, and errors the highest of its values: as `long` they are negative numbers.
    this.#compress = lib.func(
      'long ZSTD_compressCCtx(uintptr_t cctx, uintptr_t dst, ulong dstCapacity, uintptr_t src, ulong srcSize, int level)',
    ) as never;
    this.#decompress = lib.func(
      'long ZSTD_decompressDCtx(uintptr_t dctx, uintptr_t dst, ulong dstCapacity, uintptr_t src, ulong srcSize)',
    ) as never;
    this.#freeC = lib.func('long ZSTD_freeCCtx(uintptr_t cctx)') as never;
    this.#freeD = lib.func('long ZSTD_freeDCtx(uintptr_t dctx)') as never;
    this.#cctx = (lib.func('uintptr_t ZSTD_createCCtx()') as unknown as () => N)();
    this.#dctx = (lib.func('uintptr_t ZSTD_createDCtx()') as unknown as () => N)();
  }

  /** The library, or null where this machine has none. */
  static open(): Zstd | null {
    try {
      return new Zstd(koffi.load('libzstd.so.1'));
    } catch {
      return null;
    }
  }

  /** @returns bytes written to `dst`; 0 when they would be more than `dstBytes` @param level -7 fast … 19 small */
  compress(src: number, srcBytes: number, dst: number, dstBytes: number, level: number): number {
    return Math.max(0, this.#compress(this.#cctx, dst, dstBytes, src, srcBytes, level));
  }

  /** Safe for any input. @returns bytes written to `dst`; negative when the frame is malformed or holds more */
  decompress(src: number, srcBytes: number, dst: number, dstBytes: number): number {
    return this.#decompress(this.#dctx, dst, dstBytes, src, srcBytes);
  }

  /** Frees both contexts; no call may follow. */
  close(): void {
    if (this.#cctx !== 0) this.#freeC(this.#cctx);
    if (this.#dctx !== 0) this.#freeD(this.#dctx);
    this.#cctx = 0;
    this.#dctx = 0;
  }
}
