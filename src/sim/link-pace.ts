/**
 * How fast a link may go: a congestion control, fed with what a kernel's TCP would feed its own.
 *
 *   sent, acknowledged, lost ─► delivery rate, round trip ─► congestion control ─► window, instant of the next segment
 *
 * Bytes are those of a stream's payload, so rates are a little lower than on the wire, for all alike.
 * The delivery rate is draft-cheng-iccrg-delivery-rate-estimation-02, one sample an acknowledgement.
 */
import { NS_PER_S } from '../core/index.js';
import { FULL_PACKET_WIRE_BYTES } from '../fiber/index.js';
import { type AckSample, type CongestionControl, Cubic } from '../vmotion-protocol/index.js';
import { KernelBbr } from './kernel-bbr.js';
import { PACKET_PAYLOAD_BYTES } from './link-frames.js';

export type SimCongestion = 'bbr' | 'cubic';

/** A kernel's first window (RFC 6928); the UDP transport's own is larger. */
const FIRST_WINDOW_BYTES = 10 * PACKET_PAYLOAD_BYTES;

/** What was true when a segment left. */
export interface SentStamp {
  readonly sentNs: number;
  readonly firstSentNs: number;
  readonly deliveredNs: number;
  readonly deliveredBytes: number;
  readonly appLimited: boolean;
}

export class LinkPace {
  readonly #control: CongestionControl;
  readonly #mostBps: number;
  readonly #sample: AckSample = {
    nowNs: 0,
    ackedBytes: 0,
    inflightBytes: 0,
    deliveredBytes: 0,
    deliveredBeforeBytes: 0,
    deliveryRateBps: 0,
    appLimited: false,
    rttNs: 0,
    smoothedRttNs: 0,
  };
  #deliveredBytes = 0;
  #deliveredNs = 0;
  #firstSentNs = 0;
  /** What is sent until this much was delivered met a sender with nothing to send; 0 for none. */
  #appLimitedUntil = 0;
  #nextNs = 0;
  #minRttNs = Number.POSITIVE_INFINITY;

  /** @param mostWireBps on the wire; Infinity for no limit */
  constructor(congestion: SimCongestion, mostWireBps = Number.POSITIVE_INFINITY) {
    this.#mostBps = (mostWireBps * PACKET_PAYLOAD_BYTES) / FULL_PACKET_WIRE_BYTES;
    const control = congestion === 'bbr' ? new KernelBbr() : new Cubic();
    control.cwndBytes = FIRST_WINDOW_BYTES;
    this.#control = control;
  }

  get windowBytes(): number {
    return this.#control.cwndBytes;
  }

  /** The instant before which nothing leaves. */
  get nextNs(): number {
    return this.#nextNs;
  }

  /** @param inflightBytes before these bytes */
  sent(nowNs: number, bytes: number, inflightBytes: number): SentStamp {
    if (inflightBytes === 0) this.#firstSentNs = this.#deliveredNs = nowNs;
    this.#control.onSent(nowNs, bytes, inflightBytes);
    const pacingBps = Math.min(this.#control.pacingBps, this.#mostBps);
    if (pacingBps !== Number.POSITIVE_INFINITY)
      this.#nextNs = Math.max(this.#nextNs, nowNs) + Math.ceil((bytes * 8 * NS_PER_S) / pacingBps);
    return {
      sentNs: nowNs,
      firstSentNs: this.#firstSentNs,
      deliveredNs: this.#deliveredNs,
      deliveredBytes: this.#deliveredBytes,
      appLimited: this.#appLimitedUntil > 0,
    };
  }

  /** There is room, and nothing to send. */
  ranDry(inflightBytes: number): void {
    this.#appLimitedUntil = Math.max(1, this.#deliveredBytes + inflightBytes);
  }

  /**
   * An acknowledgement told of new bytes.
   * @param newest of the segments that it tells of, the one that left last @param rttNs 0 when that left twice
   */
  acknowledged(nowNs: number, bytes: number, newest: SentStamp, rttNs: number, inflightBytes: number): void {
    this.#deliveredBytes += bytes;
    this.#deliveredNs = nowNs;
    if (this.#appLimitedUntil > 0 && this.#deliveredBytes > this.#appLimitedUntil) this.#appLimitedUntil = 0;
    if (rttNs > 0) this.#minRttNs = Math.min(this.#minRttNs, rttNs);
    const s = this.#sample;
    s.nowNs = nowNs;
    s.ackedBytes = bytes;
    s.inflightBytes = inflightBytes;
    s.deliveredBytes = this.#deliveredBytes;
    s.deliveredBeforeBytes = newest.deliveredBytes;
    const intervalNs = Math.max(newest.sentNs - newest.firstSentNs, nowNs - newest.deliveredNs);
    s.deliveryRateBps =
      intervalNs < this.#minRttNs || intervalNs <= 0
        ? 0
        : ((this.#deliveredBytes - newest.deliveredBytes) * 8 * NS_PER_S) / intervalNs;
    this.#firstSentNs = newest.sentNs;
    s.appLimited = newest.appLimited;
    s.rttNs = rttNs;
    s.smoothedRttNs = s.smoothedRttNs === 0 ? rttNs : (7 * s.smoothedRttNs + rttNs) / 8;
    this.#control.onAck(s);
  }

  lost(nowNs: number, bytes: number, newestSentNs: number, inflightBytes: number): void {
    this.#control.onLoss(nowNs, bytes, newestSentNs, inflightBytes);
  }

  timedOut(nowNs: number): void {
    this.#control.onTimeout(nowNs);
  }
}
