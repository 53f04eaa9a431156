/**
 * CUBIC, RFC 9438: after a loss the window falls to 0.7 of what it was and returns along a cubic of the time since,
 * flat about the old maximum. For comparison, and for links shared with TCP. Differs in that it is paced
 * (1.25 windows a round trip, 2 in slow start). Left out: HyStart++, ECN, undo of a loss that was none.
 */
import {
  type AckSample,
  type CongestionControl,
  INITIAL_WINDOW_BYTES,
  MIN_WINDOW_BYTES,
  WIRE_PACKET_BYTES,
} from './congestion-control.js';

/** Sections 4.1 and 4.6: C in packets per second cubed, and the factor of a decrease. */
const C = 0.4;
const BETA = 0.7;
/** Section 4.3: additive increase that is as fair to Reno as a decrease to BETA allows. */
const ALPHA = (3 * (1 - BETA)) / (1 + BETA);

export class Cubic implements CongestionControl {
  readonly name = 'cubic';
  cwndBytes = INITIAL_WINDOW_BYTES;
  pacingBps = Number.POSITIVE_INFINITY;
  /** Slow start ends here. */
  #thresholdBytes = Number.POSITIVE_INFINITY;
  /** In packets: where the cubic is flat, and what Reno would have by now. */
  #maxPackets = 0;
  #renoPackets = 0;
  /** When this ascent began, seconds from there to the flat part; -1 before the first. */
  #epochNs = -1;
  #k = 0;
  /** Losses of packets sent before this belong to the decrease already made. */
  #recoveryNs = -1;

  onSent(): void {}

  onAck(sample: AckSample): void {
    const rttNs = Math.max(1, sample.smoothedRttNs);
    const slowStart = this.cwndBytes < this.#thresholdBytes;
    // A window that was not used says nothing of the path (RFC 7661).
    if (!sample.appLimited) {
      if (slowStart) this.cwndBytes += sample.ackedBytes;
      else this.#climb(sample, rttNs);
    }
    this.pacingBps = (this.cwndBytes * 8e9 * (slowStart ? 2 : 1.25)) / rttNs;
  }

  onLoss(nowNs: number, _lostBytes: number, newestSentNs: number): void {
    if (newestSentNs <= this.#recoveryNs) return;
    this.#recoveryNs = nowNs;
    const packets = this.cwndBytes / WIRE_PACKET_BYTES;
    // Fast convergence (4.7): below the last maximum, leave room to who is newer on the path.
    this.#maxPackets = packets < this.#maxPackets ? (packets * (1 + BETA)) / 2 : packets;
    this.cwndBytes = Math.max(MIN_WINDOW_BYTES, this.cwndBytes * BETA);
    this.#thresholdBytes = this.cwndBytes;
    this.#epochNs = -1;
  }

  onTimeout(nowNs: number): void {
    this.onLoss(nowNs, 0, nowNs);
    this.cwndBytes = MIN_WINDOW_BYTES;
  }

  #climb(sample: AckSample, rttNs: number): void {
    const packets = this.cwndBytes / WIRE_PACKET_BYTES;
    if (this.#epochNs < 0) {
      this.#epochNs = sample.nowNs;
      this.#maxPackets = Math.max(this.#maxPackets, packets);
      this.#k = Math.cbrt((this.#maxPackets - packets) / C);
      this.#renoPackets = packets;
    }
    const acked = sample.ackedBytes / WIRE_PACKET_BYTES;
    this.#renoPackets += (ALPHA * acked) / packets;
    const t = (sample.nowNs - this.#epochNs + rttNs) / 1e9;
    const cubic = C * (t - this.#k) ** 3 + this.#maxPackets;
    // At most half as much again in a round trip (4.2).
    const target = Math.min(Math.max(cubic, packets), packets * 1.5);
    const grown = packets + ((target - packets) / packets) * acked;
    this.cwndBytes = Math.max(grown, this.#renoPackets) * WIRE_PACKET_BYTES;
  }
}
