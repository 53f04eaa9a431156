/**
 * BBR as a kernel's TCP has it (draft-cardwell-iccrg-bbr-congestion-control-00; Linux 4.9 and on, `tcp_bbr`), for links
 * that stand for kernel TCP. The UDP transport's (`vmotion-protocol/udp/congestion/bbr.ts`) is another one on purpose.
 *
 *   startup ─three rounds without a quarter more─► drain ─one BDP under way─► probe-bw ◄──► probe-rtt
 *     │ × 2.89                                      × 0.35                     1.25 0.75 1 …   10 s; 4 packets, 200 ms
 *     └ rounds in which the sender ran dry do not count: one whose send buffer is its limit never leaves
 *
 * On loss the window gives up what was lost; for the first round trip of a recovery it is what is under way and what
 * arrives, and after it what it was before. Left out: the policer's model, ECN, a start after idling.
 */
import { NS_PER_MS, NS_PER_S } from '../core/index.js';
import { type AckSample, type CongestionControl, RoundMax } from '../vmotion-protocol/index.js';
import { PACKET_PAYLOAD_BYTES, SEGMENT_PACKETS_MAX } from './link-frames.js';

const HIGH_GAIN = 2.885;
const CYCLE = [1.25, 0.75, 1, 1, 1, 1, 1, 1] as const;
const WINDOW_GAIN = 2;
const FULL_ROUNDS = 3;
const FULL_GROWTH = 1.25;
const RATE_ROUNDS = 10;
const MIN_RTT_NS = 10 * NS_PER_S;
const PROBE_RTT_NS = 200 * NS_PER_MS;
/** A little less than what was measured, so that no queue stands. */
const PACING_SHARE = 0.99;
const FIRST_WINDOW_BYTES = 10 * PACKET_PAYLOAD_BYTES;
const MIN_WINDOW_BYTES = 4 * PACKET_PAYLOAD_BYTES;
/** Room for super-frames under way at both ends. */
const BURSTS_BYTES = 3 * SEGMENT_PACKETS_MAX * PACKET_PAYLOAD_BYTES;

type State = 'startup' | 'drain' | 'probe-bw' | 'probe-rtt';

export class KernelBbr implements CongestionControl {
  readonly name = 'bbr';
  cwndBytes = FIRST_WINDOW_BYTES;
  pacingBps = Number.POSITIVE_INFINITY;
  #state: State = 'startup';
  readonly #rate = new RoundMax(RATE_ROUNDS);
  #minRttNs = Number.POSITIVE_INFINITY;
  #minRttAtNs = 0;
  #deliveredBytes = 0;
  #roundEndBytes = 0;
  #fullBps = 0;
  #fullRounds = 0;
  #filled = false;
  #phase = 0;
  #phaseAtNs = 0;
  #phaseLost = false;
  #probeRttDoneNs = -1;
  /** What had to be delivered for the recovery to be over; 0 when there is none. */
  #recoveryEndBytes = 0;
  /** The first round trip of a recovery. */
  #conserves = false;
  #windowBefore = 0;

  get state(): State {
    return this.#state;
  }

  onSent(nowNs: number, _bytes: number, inflightBytes: number): void {
    if (inflightBytes > 0 || this.#state !== 'probe-bw') return;
    this.#phase = 2;
    this.#phaseAtNs = nowNs;
  }

  onAck(sample: AckSample): void {
    const { nowNs, deliveredBytes } = sample;
    this.#deliveredBytes = deliveredBytes;
    const isNewRound = sample.deliveredBeforeBytes >= this.#roundEndBytes;
    if (isNewRound) {
      this.#roundEndBytes = deliveredBytes;
      this.#rate.nextRound();
      this.#conserves = false;
    }
    if (sample.deliveryRateBps > 0 && (!sample.appLimited || sample.deliveryRateBps >= this.#rate.value))
      this.#rate.add(sample.deliveryRateBps);
    if (this.#state === 'probe-bw') this.#cycle(sample);
    if (!this.#filled && isNewRound && !sample.appLimited) this.#checkFull();
    if (this.#state === 'startup' && this.#filled) this.#state = 'drain';
    if (this.#state === 'drain' && sample.inflightBytes <= this.#bdpBytes(1)) this.#cruise(nowNs);
    this.#noteRtt(sample);
    this.#setPacing();
    this.#setWindow(sample);
  }

  onLoss(_nowNs: number, lostBytes: number, _newestSentNs: number, inflightBytes: number): void {
    this.#phaseLost = true;
    this.cwndBytes = Math.max(PACKET_PAYLOAD_BYTES, this.cwndBytes - lostBytes);
    if (this.#recoveryEndBytes > 0) return;
    this.#windowBefore = this.cwndBytes + lostBytes;
    this.#recoveryEndBytes = this.#deliveredBytes + inflightBytes + lostBytes;
    this.#roundEndBytes = this.#deliveredBytes;
    this.#conserves = true;
    this.cwndBytes = inflightBytes + PACKET_PAYLOAD_BYTES;
  }

  onTimeout(): void {
    if (this.#recoveryEndBytes === 0) this.#windowBefore = this.cwndBytes;
    this.#recoveryEndBytes = Math.max(this.#recoveryEndBytes, this.#deliveredBytes + 1);
    this.#fullBps = 0;
    this.cwndBytes = PACKET_PAYLOAD_BYTES;
  }

  #bdpBytes(gain: number): number {
    if (this.#minRttNs === Number.POSITIVE_INFINITY) return FIRST_WINDOW_BYTES;
    return (gain * this.#rate.value * this.#minRttNs) / (8 * NS_PER_S);
  }

  #checkFull(): void {
    if (this.#rate.value >= this.#fullBps * FULL_GROWTH) {
      this.#fullBps = this.#rate.value;
      this.#fullRounds = 0;
      return;
    }
    this.#filled = ++this.#fullRounds >= FULL_ROUNDS;
  }

  #cruise(nowNs: number): void {
    this.#state = this.#filled ? 'probe-bw' : 'startup';
    this.#phase = 2;
    this.#phaseAtNs = nowNs;
  }

  #cycle({ nowNs, inflightBytes }: AckSample): void {
    const elapsed = nowNs - this.#phaseAtNs > this.#minRttNs;
    const gain = CYCLE[this.#phase]!;
    let next = elapsed;
    if (gain > 1) next = elapsed && (this.#phaseLost || inflightBytes >= this.#bdpBytes(gain));
    else if (gain < 1) next = elapsed || inflightBytes <= this.#bdpBytes(1);
    if (!next) return;
    this.#phase = (this.#phase + 1) % CYCLE.length;
    this.#phaseAtNs = nowNs;
    this.#phaseLost = false;
  }

  #noteRtt({ nowNs, rttNs, inflightBytes }: AckSample): void {
    const stale = nowNs - this.#minRttAtNs > MIN_RTT_NS;
    if (rttNs > 0 && (rttNs <= this.#minRttNs || stale)) {
      this.#minRttNs = rttNs;
      this.#minRttAtNs = nowNs;
    }
    if (stale && this.#filled && this.#state !== 'probe-rtt') {
      this.#state = 'probe-rtt';
      this.#windowBefore = Math.max(this.#windowBefore, this.cwndBytes);
      this.#probeRttDoneNs = -1;
    }
    if (this.#state !== 'probe-rtt') return;
    if (this.#probeRttDoneNs < 0 && inflightBytes <= MIN_WINDOW_BYTES)
      this.#probeRttDoneNs = nowNs + PROBE_RTT_NS;
    if (this.#probeRttDoneNs < 0 || nowNs < this.#probeRttDoneNs) return;
    this.#minRttAtNs = nowNs;
    this.cwndBytes = Math.max(this.cwndBytes, this.#windowBefore);
    this.#cruise(nowNs);
  }

  #setPacing(): void {
    if (this.#rate.value === 0) return;
    let gain = 1;
    if (this.#state === 'startup') gain = HIGH_GAIN;
    else if (this.#state === 'drain') gain = 1 / HIGH_GAIN;
    else if (this.#state === 'probe-bw') gain = CYCLE[this.#phase]!;
    const bps = PACING_SHARE * gain * this.#rate.value;
    if (this.#filled) this.pacingBps = bps;
    else {
      // Until the path is known to be full, what was measured is what was offered: the least is the first window a round trip.
      const least = (HIGH_GAIN * FIRST_WINDOW_BYTES * 8 * NS_PER_S) / this.#minRttNs;
      const before = this.pacingBps === Number.POSITIVE_INFINITY ? 0 : this.pacingBps;
      this.pacingBps = Math.max(before, bps, least);
    }
  }

  #setWindow({ ackedBytes, inflightBytes }: AckSample): void {
    if (this.#recoveryEndBytes > 0 && this.#deliveredBytes >= this.#recoveryEndBytes) {
      this.#recoveryEndBytes = 0;
      this.#conserves = false;
      this.cwndBytes = Math.max(this.cwndBytes, this.#windowBefore);
    }
    if (this.#conserves) {
      this.cwndBytes = Math.max(this.cwndBytes, inflightBytes + ackedBytes);
      return;
    }
    const gain = this.#filled && this.#state !== 'drain' ? WINDOW_GAIN : HIGH_GAIN;
    const target = this.#bdpBytes(gain) + BURSTS_BYTES;
    if (this.#filled) this.cwndBytes = Math.min(this.cwndBytes + ackedBytes, target);
    else if (this.cwndBytes < target || this.#deliveredBytes < FIRST_WINDOW_BYTES)
      this.cwndBytes += ackedBytes;
    this.cwndBytes = Math.max(this.cwndBytes, MIN_WINDOW_BYTES);
    if (this.#state === 'probe-rtt') this.cwndBytes = Math.min(this.cwndBytes, MIN_WINDOW_BYTES);
  }
}
