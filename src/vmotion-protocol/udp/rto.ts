/**
 * Retransmission timeout by RFC 6298: SRTT and RTTVAR by exponential averages, RTO = SRTT + 4 · RTTVAR.
 *
 * Differs on purpose in its bounds: RFC 6298 (2.4) asks for at least one second, meant for the Internet and for
 * delayed acknowledgements. Here nobody delays an acknowledgement, and round trips are from 0.02 to 200 ms; 5 ms is
 * what a busy machine may take to schedule the other process.
 */
import { NS_PER_MS, NS_PER_S } from '../../core/index.js';

export const RTO_MIN_NS = 5 * NS_PER_MS;
export const RTO_MAX_NS = 2 * NS_PER_S;
/** Before the first sample: covers a round trip of 150 ms. */
export const RTO_FIRST_NS = 250 * NS_PER_MS;

export class RtoEstimator {
  #srttNs = 0;
  #rttvarNs = 0;
  #rtoNs = RTO_FIRST_NS;

  /** Current timeout in nanoseconds, backoff included. */
  get rtoNs(): number {
    return this.#rtoNs;
  }

  /** Smoothed round trip in nanoseconds; 0 before the first sample. */
  get srttNs(): number {
    return this.#srttNs;
  }

  /** A round trip of a segment that was sent once (Karn's rule, RFC 6298 section 3). */
  sample(rttNs: number): void {
    if (this.#srttNs === 0) {
      this.#srttNs = rttNs;
      this.#rttvarNs = rttNs / 2;
    } else {
      this.#rttvarNs += (Math.abs(this.#srttNs - rttNs) - this.#rttvarNs) / 4;
      this.#srttNs += (rttNs - this.#srttNs) / 8;
    }
    this.#rtoNs = clamp(Math.ceil(this.#srttNs + 4 * this.#rttvarNs));
  }

  /** The timer expired: twice as long next time (5.5). */
  backOff(): void {
    this.#rtoNs = clamp(this.#rtoNs * 2);
  }
}

function clamp(ns: number): number {
  return Math.min(RTO_MAX_NS, Math.max(RTO_MIN_NS, ns));
}
