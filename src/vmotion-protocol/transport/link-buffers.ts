/**
 * Send and receive buffers of sealed links. A link that closes leaves its two for the next one: memory that was touched
 * is used again instead of left to the collector, which is slow to see what lies outside its heap.
 */
import { SEALED_RECORD_MAX } from '../index.js';
import { newRegion, type Region } from './chain.js';

/** Records sealed between two writes, and what one read may bring. */
export const BATCH_RECORDS = 4;
export const LINK_BUFFER_BYTES = BATCH_RECORDS * SEALED_RECORD_MAX;

/** Those of a migration with one page stream, at both ends of a rehearsal. */
const SPARE_MAX = 12;

export class LinkBuffers {
  readonly #spare: Region[] = [];

  take(): Region {
    return this.#spare.pop() ?? newRegion(LINK_BUFFER_BYTES);
  }

  /** @param region from `take`, of no more use to the giver */
  give(region: Region): void {
    if (this.#spare.length < SPARE_MAX) this.#spare.push(region);
  }
}
