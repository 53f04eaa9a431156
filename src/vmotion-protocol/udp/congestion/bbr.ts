/**
 * Model-based congestion control after BBR (draft-cardwell-iccrg-bbr-congestion-control-00): the path is a bottleneck
 * rate and a shortest round trip, both measured; loss by itself says nothing, so random loss costs little.
 *
 *   startup ──three rounds without a quarter more──► drain ──one BDP under way──► probe-bw ◄─┐
 *   pacing × 2.89                                    × 0.35                        1.25 0.75 1 1 1 1 1 1
 *                                                                    10 s without a shorter round trip │
 *                                                                    probe-rtt: half a BDP, 200 ms ────┘
 *
 * Differs: probing the round trip keeps half a BDP under way instead of four packets (as later drafts do), a window
 * has room for what receivers acknowledge in bulk, a timeout shrinks it only until the next acknowledgement, and startup
 * ends at a loss that a longer round trip explains: three rounds behind a full queue are long and lose most of what they
 * send, while a loss at the shortest round trip says nothing, however many there are.
 * Left out: long-term policer model, packet conservation in recovery, ECN, bounds from loss (draft 02's inflight_hi).
 */
import { NS_PER_MS, NS_PER_S } from '../../../core/index.js';
import {
  type AckSample,
  type CongestionControl,
  INITIAL_WINDOW_BYTES,
  MIN_WINDOW_BYTES,
} from './congestion-control.js';
import { RoundMax } from './round-max.js';

/** 2 / ln 2: the smallest gain that doubles the rate each round trip. */
const STARTUP_GAIN = 2.885;
const CYCLE = [1.25, 0.75, 1, 1, 1, 1, 1, 1] as const;
const WINDOW_GAIN = 2;
/** Startup is over when this many rounds brought less than a quarter more. */
const FULL_ROUNDS = 3;
const FULL_GROWTH = 1.25;
/** A queue stands on the path when the round trip is longer than the shortest by half of it and by what a peer may wait. */
const QUEUE_RTT_GAIN = 1.5;
/** Filter of the rate in rounds, of the round trip in time. */
const RATE_ROUNDS = 10;
const MIN_RTT_NS = 10 * NS_PER_S;
const PROBE_RTT_NS = 200 * NS_PER_MS;
const PROBE_RTT_GAIN = 0.5;
/** Room for three bursts (segmentation on both sides, an acknowledgement for each). */
const BURSTS_BYTES = 3 * 65_536;
/**
 * Room for what leaves while the peer's thread waits for a processor: its acknowledgements stand still so long, and a
 * window without that room would shrink the measured rate, and with the rate itself. Pacing keeps the queue short.
 */
const SCHEDULING_NS = 4 * NS_PER_MS;

type State = 'startup' | 'drain' | 'probe-bw' | 'probe-rtt';

export class Bbr implements CongestionControl {
  readonly name = 'bbr';
  cwndBytes = INITIAL_WINDOW_BYTES;
  pacingBps = Number.POSITIVE_INFINITY;
  #state: State = 'startup';
  readonly #rate = new RoundMax(RATE_ROUNDS);
  /** Bytes acknowledged beyond what the rate explains: acknowledgements that come in bulk. */
  readonly #extra = new RoundMax(RATE_ROUNDS);
  #extraSinceNs = 0;
  #extraBytes = 0;
  #minRttNs = Number.POSITIVE_INFINITY;
  #minRttAtNs = 0;
  #roundEndBytes = 0;
  #fullBps = 0;
  #fullRounds = 0;
  #phase = 0;
  #phaseAtNs = 0;
  #phaseLost = false;
  #probeRttDoneNs = -1;
  #filled = false;
  /** The round trip of the newest packet that an acknowledgement named. */
  #rttNs = 0;

  get state(): State {
    return this.#state;
  }

  /** The model: bottleneck rate, bits a second, and shortest round trip. */
  get bottleneckBps(): number {
    return this.#rate.value;
  }

  get minRttNs(): number {
    return this.#minRttNs;
  }

  onSent(nowNs: number, _bytes: number, inflightBytes: number): void {
    // After idling the old phase means nothing: cruise until acknowledgements come again.
    if (inflightBytes === 0 && this.#state === 'probe-bw') {
      this.#phase = 2;
      this.#phaseAtNs = nowNs;
    }
  }

  onAck(sample: AckSample): void {
    const newRound = sample.deliveredBeforeBytes >= this.#roundEndBytes;
    if (newRound) {
      this.#roundEndBytes = sample.deliveredBytes;
      this.#extra.nextRound();
      // What a sender with little to send has seen does not make a known rate old: the last flight needs it.
      if (!sample.appLimited) this.#rate.nextRound();
    }
    if (sample.deliveryRateBps > 0 && (!sample.appLimited || sample.deliveryRateBps >= this.#rate.value)) {
      this.#rate.add(sample.deliveryRateBps);
    }
    this.#noteBulk(sample);
    this.#noteRtt(sample);
    if (this.#state === 'startup' && newRound && !sample.appLimited) this.#checkFull();
    if (this.#state === 'drain' && sample.inflightBytes <= this.#bdpBytes(1)) this.#cruise(sample.nowNs);
    if (this.#state === 'probe-bw') this.#cycle(sample);
    this.#set(sample);
  }

  onLoss(): void {
    this.#phaseLost = true;
    if (this.#state !== 'startup' || this.#rttNs <= QUEUE_RTT_GAIN * this.#minRttNs + SCHEDULING_NS) return;
    this.#filled = true;
    this.#state = 'drain';
  }

  onTimeout(): void {
    this.cwndBytes = MIN_WINDOW_BYTES;
  }

  #bdpBytes(gain: number): number {
    if (this.#minRttNs === Number.POSITIVE_INFINITY) return INITIAL_WINDOW_BYTES;
    return (gain * this.#rate.value * this.#minRttNs) / 8e9;
  }

  #noteBulk(sample: AckSample): void {
    const expected = (this.#rate.value * (sample.nowNs - this.#extraSinceNs)) / 8e9;
    if (this.#extraBytes <= expected) {
      this.#extraBytes = 0;
      this.#extraSinceNs = sample.nowNs;
    }
    this.#extraBytes += sample.ackedBytes;
    const beyond = this.#extraBytes - (this.#rate.value * (sample.nowNs - this.#extraSinceNs)) / 8e9;
    this.#extra.add(Math.min(beyond, this.cwndBytes));
  }

  #noteRtt(sample: AckSample): void {
    const { nowNs, rttNs } = sample;
    if (rttNs > 0) this.#rttNs = rttNs;
    const stale = nowNs - this.#minRttAtNs > MIN_RTT_NS;
    if (rttNs > 0 && (rttNs <= this.#minRttNs || stale)) {
      this.#minRttNs = rttNs;
      this.#minRttAtNs = nowNs;
    }
    if (stale && this.#filled && this.#state !== 'probe-rtt') {
      this.#state = 'probe-rtt';
      this.#probeRttDoneNs = -1;
    }
    if (this.#state !== 'probe-rtt') return;
    if (
      this.#probeRttDoneNs < 0 &&
      sample.inflightBytes <= this.#bdpBytes(PROBE_RTT_GAIN) + MIN_WINDOW_BYTES
    ) {
      this.#probeRttDoneNs = nowNs + Math.max(PROBE_RTT_NS, this.#minRttNs);
    }
    if (rttNs > 0) this.#minRttNs = Math.min(this.#minRttNs, rttNs);
    if (this.#probeRttDoneNs < 0 || nowNs < this.#probeRttDoneNs) return;
    this.#minRttAtNs = nowNs;
    this.#cruise(nowNs);
  }

  #checkFull(): void {
    if (this.#rate.value >= this.#fullBps * FULL_GROWTH) {
      this.#fullBps = this.#rate.value;
      this.#fullRounds = 0;
      return;
    }
    if (++this.#fullRounds < FULL_ROUNDS) return;
    this.#filled = true;
    this.#state = 'drain';
  }

  #cruise(nowNs: number): void {
    this.#state = 'probe-bw';
    this.#phase = 2;
    this.#phaseAtNs = nowNs;
  }

  #cycle(sample: AckSample): void {
    const elapsed = sample.nowNs - this.#phaseAtNs > this.#minRttNs;
    const gain = CYCLE[this.#phase]!;
    let next = elapsed;
    // Probing up lasts until the extra quarter is under way, or the queue shows its end; down until it is gone.
    if (gain > 1) next = elapsed && (this.#phaseLost || sample.inflightBytes >= this.#bdpBytes(gain));
    else if (gain < 1) next = elapsed || sample.inflightBytes <= this.#bdpBytes(1);
    if (!next) return;
    this.#phase = (this.#phase + 1) % CYCLE.length;
    this.#phaseAtNs = sample.nowNs;
    this.#phaseLost = false;
  }

  #set(sample: AckSample): void {
    const rateBps = this.#rate.value;
    if (rateBps === 0) return;
    const startup = this.#state === 'startup';
    let gain = 1;
    if (startup) gain = STARTUP_GAIN;
    else if (this.#state === 'drain') gain = 1 / STARTUP_GAIN;
    else if (this.#state === 'probe-bw') gain = CYCLE[this.#phase]!;
    const pacing = gain * rateBps;
    if (this.#filled) this.pacingBps = pacing;
    else {
      // Until the path is known to be full, what was measured is what was offered: a few control bytes in one slow
      // round trip would make everything behind them crawl. The first window a round trip is the least.
      const first = (STARTUP_GAIN * INITIAL_WINDOW_BYTES * 8e9) / this.#minRttNs;
      this.pacingBps = Math.max(this.pacingBps === Infinity ? 0 : this.pacingBps, pacing, first);
    }
    const roomBytes = BURSTS_BYTES + (rateBps * SCHEDULING_NS) / 8e9;
    const target = this.#bdpBytes(startup ? STARTUP_GAIN : WINDOW_GAIN) + this.#extra.value + roomBytes;
    if (this.#state === 'probe-rtt') {
      this.cwndBytes = Math.max(MIN_WINDOW_BYTES, this.#bdpBytes(PROBE_RTT_GAIN));
    } else if (this.#filled) this.cwndBytes = Math.min(this.cwndBytes + sample.ackedBytes, target);
    else this.cwndBytes = Math.max(this.cwndBytes + sample.ackedBytes, MIN_WINDOW_BYTES);
  }
}
