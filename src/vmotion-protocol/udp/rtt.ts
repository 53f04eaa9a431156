/**
 * Round trips of a connection: the smoothed estimate and timeout of `rto.ts`, and besides the smallest and the
 * latest, which loss detection and congestion control want. RFC 9002, section 5.
 */
import { NS_PER_MS } from '../../core/index.js';
import { RTO_FIRST_NS, RtoEstimator } from './rto.js';

/** How long a receiver may hold an acknowledgement back. */
export const ACK_DELAY_MAX_NS = NS_PER_MS;
/** Timers are no finer than this (RFC 9002, 6.1.2, kGranularity). */
const GRANULARITY_NS = NS_PER_MS;

export class RttEstimator {
  readonly #rto = new RtoEstimator();
  /** 0 before the first sample. */
  minNs = 0;
  latestNs = 0;

  /** Smoothed; 0 before the first sample. */
  get smoothedNs(): number {
    return this.#rto.srttNs;
  }

  /** Probe timeout: after this long without a word something is sent (RFC 9002, 6.2.1), backed off by `backOff`. */
  get probeTimeoutNs(): number {
    return this.#rto.srttNs === 0 ? RTO_FIRST_NS : this.#rto.rtoNs + ACK_DELAY_MAX_NS;
  }

  /** A packet sent this long before newer ones that have arrived is lost (6.1.2). */
  get lossDelayNs(): number {
    return Math.max((Math.max(this.smoothedNs, this.latestNs) * 9) / 8, GRANULARITY_NS);
  }

  /** @param ackDelayNs how long the peer says it held the acknowledgement back */
  sample(rttNs: number, ackDelayNs: number): void {
    this.minNs = this.minNs === 0 ? rttNs : Math.min(this.minNs, rttNs);
    this.latestNs = rttNs;
    // A delay that would push a sample below the smallest one seen is not believed (5.3).
    this.#rto.sample(rttNs - ackDelayNs >= this.minNs ? rttNs - ackDelayNs : rttNs);
  }

  backOff(): void {
    this.#rto.backOff();
  }
}
