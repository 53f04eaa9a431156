/**
 * A fixed rate, for links whose rate is known and ours alone. The window only bounds what a silent path can hold:
 * what the rate sends in two round trips and a quarter of a second.
 */
import { type AckSample, type CongestionControl, INITIAL_WINDOW_BYTES } from './congestion-control.js';

const SLACK_NS = 250_000_000;

export class FixedRate implements CongestionControl {
  readonly name = 'fixed';
  readonly pacingBps: number;
  cwndBytes: number;

  /** @param rateBps bits of wire bytes a second */
  constructor(rateBps: number) {
    this.pacingBps = rateBps;
    this.cwndBytes = this.#window(SLACK_NS);
  }

  onSent(): void {}

  onAck(sample: AckSample): void {
    this.cwndBytes = this.#window(sample.smoothedRttNs);
  }

  onLoss(): void {}

  onTimeout(): void {}

  #window(rttNs: number): number {
    return Math.max(INITIAL_WINDOW_BYTES, (this.pacingBps * (2 * rttNs + SLACK_NS)) / 8e9);
  }
}
