/**
 * Bytes to be moved, named and not copied: a chain of pieces of registered regions. A TCP link hands the
 * pieces to writev or readv by address; a datagram link copies them through its segments.
 */
import { addressOf } from '../../sys/index.js';

/** Memory at a stable address: guest memory, a staging buffer. */
export interface Region {
  readonly bytes: Uint8Array;
  readonly address: number;
}

/** Registers bytes as a region. The caller keeps the array alive as long as the region is used. */
export function regionOf(bytes: Uint8Array): Region {
  return { bytes, address: addressOf(bytes) };
}

/** A region of its own, outside the moving heap. */
export function newRegion(length: number): Region {
  return regionOf(new Uint8Array(new ArrayBuffer(Math.max(length, 4096))));
}

export class Chain {
  readonly #regions: Region[] = [];
  readonly #offsets: number[] = [];
  readonly #lengths: number[] = [];
  #first = 0;
  #bytes = 0;

  /** Bytes still to be moved. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Pieces still to be moved. */
  get pieces(): number {
    return this.#regions.length - this.#first;
  }

  clear(): void {
    this.#regions.length = 0;
    this.#offsets.length = 0;
    this.#lengths.length = 0;
    this.#first = 0;
    this.#bytes = 0;
  }

  push(region: Region, offset: number, length: number): void {
    this.#regions.push(region);
    this.#offsets.push(offset);
    this.#lengths.push(length);
    this.#bytes += length;
  }

  region(piece: number): Region {
    return this.#regions[this.#first + piece]!;
  }

  offset(piece: number): number {
    return this.#offsets[this.#first + piece]!;
  }

  length(piece: number): number {
    return this.#lengths[this.#first + piece]!;
  }

  /** Forgets the first `n` bytes: they have been moved. */
  drop(n: number): void {
    this.#bytes -= n;
    let left = n;
    while (left > 0) {
      const length = this.#lengths[this.#first]!;
      if (left < length) {
        this.#offsets[this.#first] = this.#offsets[this.#first]! + left;
        this.#lengths[this.#first] = length - left;
        return;
      }
      left -= length;
      this.#first++;
    }
    if (this.#bytes === 0) this.clear();
  }
}
