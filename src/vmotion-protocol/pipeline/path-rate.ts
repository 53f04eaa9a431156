/**
 * The rate of the path while it is what holds the sender up. What was sent in a stretch where the links always had
 * room says how fast this side makes records, not how fast the path is: taken for the path's rate it would keep a
 * slow compressor on for ever. So only stretches that begin and end with a link that refused bytes count.
 *
 *   refused ──── bytes sent ──── refused        rate = bits ÷ time, over 1 ms at least
 *           └─ the links ran empty: the stretch is void
 *
 * Left out: pacing. A transport with congestion control says its own rate (`udp/delivery-rate.ts`).
 */
const STRETCH_MIN_NS = 1_000_000;
const NEW_WEIGHT = 0.25;
/**
 * After so long without a refusal, nothing holds the sender up any more, and what was measured is stale: the first
 * stretches fall into TCP's slow start, and a sender that compresses because of them never fills the link again. What
 * is forgotten too early is learned again within a stretch.
 */
const FORGET_NS = 30_000_000;

export class PathRate {
  /** Bits per second; Infinity while the path was never, or is no longer, the slower part. */
  rateBps = Number.POSITIVE_INFINITY;
  #sinceNs = -1;
  #bytes = 0;
  #refusedNs = 0;

  /** Bytes were handed over. */
  sent(bytes: number): void {
    this.#bytes += bytes;
  }

  /** A link took no more. @returns whether `rateBps` has changed */
  refused(nowNs: number): boolean {
    this.#refusedNs = nowNs;
    if (this.#sinceNs < 0) {
      this.#begin(nowNs);
      return false;
    }
    const ns = nowNs - this.#sinceNs;
    // A link may refuse many times before it takes more, and a sealed one takes whole batches of records.
    if (ns < STRETCH_MIN_NS || this.#bytes === 0) return false;
    const measured = (this.#bytes * 8e9) / ns;
    const known = this.rateBps;
    this.rateBps = Number.isFinite(known) ? known + (measured - known) * NEW_WEIGHT : measured;
    this.#begin(nowNs);
    return true;
  }

  /** Every link has sent all it was given: this side is the slower one. @returns whether `rateBps` has changed */
  ranEmpty(nowNs: number): boolean {
    this.#sinceNs = -1;
    if (!Number.isFinite(this.rateBps) || nowNs - this.#refusedNs < FORGET_NS) return false;
    this.rateBps = Number.POSITIVE_INFINITY;
    return true;
  }

  #begin(nowNs: number): void {
    this.#sinceNs = nowNs;
    this.#bytes = 0;
  }
}
