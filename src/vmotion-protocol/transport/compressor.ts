/**
 * The codecs of this machine: liblz4 and libzstd where they are installed, and the plain one that always is.
 *
 *   lz4      the fastest: text to two thirds in 10 µs; pays from about 2 Gbit/s downwards
 *   zstd     level -1: text to a half in 17 µs; pays on slow paths
 *   sparse   no library: only for pages that are mostly zeros (`pipeline/sparse-codec.ts`)
 */
import { PAGE_SIZE } from '../../core/index.js';
import { addressOf, Lz4, Zstd } from '../../sys/index.js';
import { type PageCodec, SparseCodec } from '../index.js';

const ZSTD_LEVEL = -1;
/** Below this rate a page of text takes longer on the wire, even in half its bytes, than zstd for making them. */
const SLOW_PATH_BPS = 1e9;

/** Compresses `srcBytes` at an address, as the libraries do it. */
interface BlockLibrary {
  compress(src: number, srcBytes: number, dst: number, dstBytes: number, level: number): number;
  decompress(src: number, srcBytes: number, dst: number, dstBytes: number): number;
  close?(): void;
}

/** The addresses of buffers seen before: asking costs more than looking up, and few buffers are ever used. */
class Addresses {
  readonly #known = new WeakMap<ArrayBufferLike, number>();

  of(bytes: Uint8Array, at: number): number {
    let address = this.#known.get(bytes.buffer);
    if (address === undefined) {
      address = addressOf(new Uint8Array(bytes.buffer));
      this.#known.set(bytes.buffer, address);
    }
    return address + bytes.byteOffset + at;
  }
}

class NativeCodec implements PageCodec {
  readonly name: string;
  readonly #library: BlockLibrary;
  readonly #addresses = new Addresses();

  constructor(name: string, library: BlockLibrary) {
    this.name = name;
    this.#library = library;
  }

  compress(src: Uint8Array, srcAt: number, dst: Uint8Array, dstAt: number, limitBytes: number): number {
    if (srcAt + PAGE_SIZE > src.length || dstAt + limitBytes > dst.length) return 0;
    const from = this.#addresses.of(src, srcAt);
    return this.#library.compress(from, PAGE_SIZE, this.#addresses.of(dst, dstAt), limitBytes, ZSTD_LEVEL);
  }

  decompress(src: Uint8Array, srcAt: number, srcBytes: number, dst: Uint8Array, dstAt: number): boolean {
    if (srcAt + srcBytes > src.length || dstAt + PAGE_SIZE > dst.length) return false;
    const from = this.#addresses.of(src, srcAt);
    const to = this.#addresses.of(dst, dstAt);
    return this.#library.decompress(from, srcBytes, to, PAGE_SIZE) === PAGE_SIZE;
  }

  close(): void {
    this.#library.close?.();
  }
}

/** A codec by name, with contexts of its own: one thread uses it. Null where this machine has none of this name. */
export function openCodec(name: string): PageCodec | null {
  switch (name) {
    case 'sparse':
      return new SparseCodec();
    case 'lz4': {
      const lz4 = Lz4.open();
      return lz4 === null ? null : new NativeCodec(name, lz4);
    }
    case 'zstd': {
      const zstd = Zstd.open();
      return zstd === null ? null : new NativeCodec(name, zstd);
    }
    default:
      return null;
  }
}

/** Codecs that one thread has opened: it is never in two calls of one at a time, so all its migrations share them. */
export class Codecs {
  readonly #opened = new Map<string, PageCodec | null>();
  readonly #names = new Map<boolean, readonly string[]>();

  /** As `availableCodecs`. */
  names(rateBps: number): readonly string[] {
    const slow = rateBps <= SLOW_PATH_BPS;
    let names = this.#names.get(slow);
    if (names === undefined) {
      names = availableCodecs(rateBps);
      this.#names.set(slow, names);
    }
    return names;
  }

  /** The codec of this name, null where this machine has none. It stays open until `close`. */
  get(name: string): PageCodec | null {
    let codec = this.#opened.get(name);
    if (codec === undefined) {
      codec = openCodec(name);
      this.#opened.set(name, codec);
    }
    return codec;
  }

  close(): void {
    for (const codec of this.#opened.values()) codec?.close();
    this.#opened.clear();
  }
}

/** The codecs that open here, the one wanted most at this rate first. @param rateBps Infinity where it is not known */
export function availableCodecs(rateBps: number): readonly string[] {
  const wanted = rateBps <= SLOW_PATH_BPS ? ['zstd', 'lz4', 'sparse'] : ['lz4', 'zstd', 'sparse'];
  return wanted.filter((name) => {
    const codec = openCodec(name);
    codec?.close();
    return codec !== null;
  });
}
