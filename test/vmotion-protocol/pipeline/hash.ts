/** A hash of pages for tests of the pipeline, which may use any: xxHash64 in halves. */
import xxhash from 'xxhash-wasm';
import { PAGE_SIZE } from '../../../src/core/index.js';
import type { PageDigest } from '../../../src/vmotion-protocol/index.js';

const { h64Raw } = await xxhash();

export class Xxh64 implements PageDigest {
  lo = 0;
  hi = 0;

  take(bytes: Uint8Array, at: number): void {
    const hash = h64Raw(bytes.subarray(at, at + PAGE_SIZE));
    this.lo = Number(hash & 0xffffffffn);
    this.hi = Number(hash >> 32n);
  }
}
