/**
 * Pacing by time: each datagram moves the instant at which the next is due by its length over the rate.
 *
 *   due ≤ now ──► a burst opens: datagrams leave until they have paid `quantum` ahead ──► wait until due
 *
 * A burst is what one system call hands to the kernel's segmentation (UDP_SEGMENT), so the rate is kept exactly
 * and the calls are few. A thread that was late catches up, at most `CREDIT_NS`.
 */
const CREDIT_NS = 2_000_000;
/** A burst lasts at most this long at the rate, and has at most as many bytes as one segmented send. */
const BURST_NS = 250_000;
export const BURST_BYTES_MAX = 65_000;

export class Pacer {
  #dueNs = 0;
  #burstEndNs = 0;
  #rateBps = Number.POSITIVE_INFINITY;

  /** When the next burst may begin. */
  get dueNs(): number {
    return this.#rateBps === Number.POSITIVE_INFINITY ? 0 : this.#dueNs;
  }

  /** The rate from now on, bits of wire bytes a second; Infinity: no pacing. */
  setRate(bps: number): void {
    this.#rateBps = bps;
  }

  /** Begins a burst if one is due. @returns whether datagrams may leave now */
  open(nowNs: number): boolean {
    if (this.#rateBps === Number.POSITIVE_INFINITY) return true;
    if (nowNs < this.#dueNs) return false;
    this.#dueNs = Math.max(this.#dueNs, nowNs - CREDIT_NS);
    this.#burstEndNs = nowNs + Math.min(BURST_NS, (BURST_BYTES_MAX * 8e9) / this.#rateBps);
    return true;
  }

  /** Whether the burst that `open` began goes on. */
  get burstGoesOn(): boolean {
    return this.#rateBps === Number.POSITIVE_INFINITY || this.#dueNs < this.#burstEndNs;
  }

  spend(nowNs: number, wireBytes: number): void {
    if (this.#rateBps === Number.POSITIVE_INFINITY) {
      this.#dueNs = nowNs;
      return;
    }
    this.#dueNs += (wireBytes * 8e9) / this.#rateBps;
  }

  /** Nothing was sent although it might have been: idle time is no credit. */
  idle(nowNs: number): void {
    this.#dueNs = Math.max(this.#dueNs, nowNs);
  }
}
