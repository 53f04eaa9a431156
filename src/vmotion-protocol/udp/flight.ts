/**
 * Everything about packets that are under way: what each carried, when it counts as lost, how many more may leave, and
 * when. The connection puts content into packets and gets back what was acknowledged or lost.
 *
 *   mayLeave ─► begin ─► (content noted) ─► commit ─► under way ─► acknowledged · lost
 *      ▲                                       │                        │
 *      └── window, pacing ◄── congestion control, delivery rate, RTT ◄──┘
 */
import type { AckSample, CongestionControl } from './congestion/congestion-control.js';
import type { ConnectionOptions } from './connection-options.js';
import { DeliveryRate } from './delivery-rate.js';
import { LossDetection, type PacketFate } from './loss-detection.js';
import { Pacer } from './pacer.js';
import type { PacketReader } from './packet-codec.js';
import { PathMtu } from './path-mtu.js';
import { ACK_DELAY_MAX_NS, RttEstimator } from './rtt.js';
import { SentPackets } from './sent-packets.js';

/** Told of each fragment of a packet that was acknowledged or lost. */
export interface FragmentFate {
  fragmentAcked(kind: number, subject: number, version: number, length: number): void;
  fragmentLost(kind: number, subject: number, version: number, offset: number, length: number): void;
}

/** Packets sent without regard to the window when nothing was heard for a probe timeout (RFC 9002, 6.2.4). */
const PROBE_PACKETS = 2;
const BLACK_HOLE_TIMEOUTS = 3;
/** So many packets may be under way whatever congestion control says: it counts in bytes, and jumbo datagrams have many. */
const WINDOW_PACKETS_MIN = 4;

export class Flight implements PacketFate {
  readonly congestion: CongestionControl;
  readonly packets: SentPackets;
  readonly rtt = new RttEstimator();
  readonly mtu: PathMtu;
  readonly #overheadBytes: number;
  readonly #rateLimitBps: number;
  readonly #fate: FragmentFate;
  readonly #loss: LossDetection;
  readonly #rate = new DeliveryRate();
  readonly #pacer = new Pacer();
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
  #nowNs = 0;
  #lastSentNs = 0;
  #probesLeft = 0;
  #inBurst = false;
  /** Probe timeouts since anything was acknowledged, and all of them; packets lost. */
  timeoutsInARow = 0;
  timeouts = 0;
  lost = 0;

  constructor(options: Required<ConnectionOptions>, fate: FragmentFate) {
    this.congestion = options.congestion;
    this.#overheadBytes = options.wireOverheadBytes;
    this.#rateLimitBps = options.rateLimitBps;
    this.#fate = fate;
    this.mtu = new PathMtu(options.maxDatagramBytes);
    this.packets = new SentPackets(2 * options.packetsMax);
    this.#loss = new LossDetection(this.packets, this.rtt, this);
    this.#setRate();
  }

  get spurious(): number {
    return this.#loss.spurious;
  }

  /** Whether the window (or a probe) allows another packet. */
  get roomForOne(): boolean {
    if (!this.packets.room) return false;
    if (this.#probesLeft > 0) return true;
    const packetBytes = this.mtu.datagramBytes + this.#overheadBytes;
    const window = Math.max(WINDOW_PACKETS_MIN * packetBytes, this.congestion.cwndBytes);
    return this.packets.inflightBytes + packetBytes <= window;
  }

  /** Whether a packet may leave now, window and pacing considered. */
  mayLeave(nowNs: number): boolean {
    this.#inBurst = this.roomForOne && (this.#inBurst ? this.#pacer.burstGoesOn : this.#pacer.open(nowNs));
    return this.#inBurst;
  }

  /** Nothing more leaves at this instant. @param dry there was nothing to send */
  rest(dry: boolean): void {
    this.#inBurst = false;
    if (dry && this.packets.inflightBytes < this.congestion.cwndBytes)
      this.#rate.ranDry(this.packets.inflightBytes);
  }

  /** The packet in hand leaves and asks to be acknowledged. @param bytes of the datagram @param paced counts against the rate */
  commit(nowNs: number, bytes: number, paced: boolean): void {
    const { packets } = this;
    const wireBytes = bytes + this.#overheadBytes;
    this.#rate.sent(nowNs, packets, packets.next);
    if (paced) {
      this.congestion.onSent(nowNs, wireBytes, packets.inflightBytes);
      this.#pacer.spend(nowNs, wireBytes);
    }
    packets.commit(nowNs, wireBytes);
    this.#lastSentNs = nowNs;
    if (this.#probesLeft > 0) this.#probesLeft--;
  }

  /** The packet in hand leaves and nobody will miss it. */
  commitSettled(nowNs: number, bytes: number, paced: boolean): void {
    this.packets.commitSettled(nowNs);
    if (paced) this.#pacer.spend(nowNs, bytes + this.#overheadBytes);
  }

  /** Takes in the ACK that `reader` has in hand. */
  acknowledged(nowNs: number, reader: PacketReader): void {
    const loss = this.#loss;
    const { packets } = this;
    this.#nowNs = nowNs;
    if (!loss.acknowledged(reader)) return;
    const sample = this.#sample;
    sample.rttNs = 0;
    if (loss.newestAcked >= 0) {
      if (loss.newestAcked === reader.largest) {
        sample.rttNs = Math.max(1, nowNs - packets.sentNs[packets.slot(reader.largest)]!);
        this.rtt.sample(sample.rttNs, Math.min(reader.delayNs, 2 * ACK_DELAY_MAX_NS));
      }
      this.timeoutsInARow = 0;
      this.#probesLeft = 0;
      this.#rate.delivered(nowNs, loss.ackedBytes);
    }
    loss.detect(nowNs);
    if (loss.newestAcked >= 0) {
      const slot = packets.slot(loss.newestAcked);
      sample.nowNs = nowNs;
      sample.ackedBytes = loss.ackedBytes;
      sample.inflightBytes = packets.inflightBytes;
      sample.deliveredBytes = this.#rate.deliveredBytes;
      sample.deliveredBeforeBytes = packets.deliveredBytes[slot]!;
      sample.deliveryRateBps = this.#rate.sample(nowNs, packets, loss.newestAcked, this.rtt.minNs);
      sample.appLimited = packets.appLimited[slot] === 1;
      sample.smoothedRttNs = this.rtt.smoothedNs;
      this.congestion.onAck(sample);
    }
    this.#tellLoss(nowNs);
    this.#setRate();
  }

  /** Lets time pass. @returns whether a probe timeout came: something must be sent now */
  timePassed(nowNs: number): boolean {
    this.#nowNs = nowNs;
    if (this.#loss.lossTimeNs <= nowNs) {
      this.#loss.detect(nowNs);
      this.#tellLoss(nowNs);
      this.#setRate();
    }
    if (this.#probeTimeoutAtNs() > nowNs) return false;
    this.timeouts++;
    this.timeoutsInARow++;
    this.#loss.giveUpOldest(PROBE_PACKETS);
    this.rtt.backOff();
    this.#lastSentNs = nowNs;
    this.#probesLeft = PROBE_PACKETS;
    if (this.timeoutsInARow >= 2) this.congestion.onTimeout(nowNs);
    if (this.timeoutsInARow === BLACK_HOLE_TIMEOUTS) this.mtu.blackHole();
    return true;
  }

  /** When time must pass at the latest. @param work there is something to send */
  nextWakeNs(work: boolean): number {
    const timerNs = Math.min(this.#loss.lossTimeNs, this.#probeTimeoutAtNs());
    return work && this.roomForOne ? Math.min(timerNs, this.#pacer.dueNs) : timerNs;
  }

  /** PacketFate. */
  packetAcked(number: number): void {
    const { packets } = this;
    const probe = packets.probeBytes[packets.slot(number)]!;
    if (probe > 0) this.mtu.probeAcked(this.#nowNs, probe);
    for (let i = packets.fragments(number) - 1; i >= 0; i--) {
      const f = packets.fragment(number, i);
      this.#fate.fragmentAcked(
        packets.kind[f]!,
        packets.subject[f]!,
        packets.version[f]!,
        packets.length[f]!,
      );
    }
  }

  packetLost(number: number): void {
    const { packets } = this;
    this.lost++;
    const probe = packets.probeBytes[packets.slot(number)]!;
    if (probe > 0) this.mtu.probeLost(this.#nowNs, probe);
    const n = packets.fragments(number);
    for (let i = 0; i < n; i++) {
      const f = packets.fragment(number, i);
      this.#fate.fragmentLost(
        packets.kind[f]!,
        packets.subject[f]!,
        packets.version[f]!,
        packets.offset[f]!,
        packets.length[f]!,
      );
    }
  }

  #tellLoss(nowNs: number): void {
    const loss = this.#loss;
    if (loss.lostBytes === 0) return;
    this.congestion.onLoss(nowNs, loss.lostBytes, loss.lostNewestSentNs, this.packets.inflightBytes);
  }

  #setRate(): void {
    this.#pacer.setRate(Math.min(this.congestion.pacingBps, this.#rateLimitBps));
  }

  #probeTimeoutAtNs(): number {
    return this.packets.inflightPackets === 0
      ? Number.POSITIVE_INFINITY
      : this.#lastSentNs + this.rtt.probeTimeoutNs;
  }
}
