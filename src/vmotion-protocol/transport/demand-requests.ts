/**
 * Reads requests for pages off the demand link. A request is four bytes, little-endian: the pfn, and `DEMAND_AGAIN`
 * when the page came damaged.
 */
import { Chain, newRegion } from './chain.js';
import type { Link } from './link.js';

/** Bytes of a request. */
export const DEMAND_BYTES = 4;
/** Set in a request for a page that has come before. */
export const DEMAND_AGAIN = 0x8000_0000;
/** What `next` says when no request waits, and when the link is broken. */
export const NO_REQUEST = -1;
export const LINK_BROKEN = -2;
/** Requests taken in at once. */
const REQUESTS = 256;

export class DemandRequests {
  readonly #link: Link;
  readonly #requests = newRegion(REQUESTS * DEMAND_BYTES);
  readonly #view = new DataView(this.#requests.bytes.buffer);
  readonly #in = new Chain();
  /** What stands in the buffer: requests that were handed out end at `#at`, bytes that came at `#end`. */
  #at = 0;
  #end = 0;

  constructor(link: Link) {
    this.#link = link;
  }

  /** @returns the next request, `NO_REQUEST`, or `LINK_BROKEN` */
  next(): number {
    if (this.#end - this.#at < DEMAND_BYTES) {
      // Bytes of a request that is not complete yet move to the front.
      this.#requests.bytes.copyWithin(0, this.#at, this.#end);
      this.#end -= this.#at;
      this.#at = 0;
      this.#in.clear();
      this.#in.push(this.#requests, this.#end, REQUESTS * DEMAND_BYTES - this.#end);
      const n = this.#link.receive(this.#in);
      if (n < 0) return LINK_BROKEN;
      this.#end += n;
      if (this.#end < DEMAND_BYTES) return NO_REQUEST;
    }
    const request = this.#view.getUint32(this.#at, true);
    this.#at += DEMAND_BYTES;
    return request;
  }
}
