/**
 * Which packets have arrived and which are lost. RFC 9002, section 6: a packet is lost when one sent
 * `threshold` packets later has arrived, or one sent 9/8 of a round trip later; and when nothing is heard for a
 * probe timeout the oldest two are given up, so that their content is what the probe carries.
 *
 * Differs: the threshold learns. A packet that was given up and arrives after all shows by how far this path
 * reorders, and the threshold grows past it (RFC 8985 grows its window for the same reason).
 */
import type { PacketReader } from './packet-codec.js';
import type { RttEstimator } from './rtt.js';
import { FLYING, LOST, SETTLED, type SentPackets } from './sent-packets.js';

const THRESHOLD_FIRST = 3;
const THRESHOLD_MAX = 4096;
/** How far behind the oldest flying packet a late arrival is looked for. */
const LATE_PACKETS = 128;

/** Told of each packet once. The columns of `number` are valid during the call. */
export interface PacketFate {
  packetAcked(number: number): void;
  packetLost(number: number): void;
}

export class LossDetection {
  readonly #packets: SentPackets;
  readonly #rtt: RttEstimator;
  readonly #fate: PacketFate;
  #threshold = THRESHOLD_FIRST;
  #largestAcked = -1;
  /** When the oldest packet that newer ones overtook is given up by time. */
  lossTimeNs = Number.POSITIVE_INFINITY;
  /** Of the last acknowledgement: newest packet newly acknowledged (−1: none) and all their bytes. */
  newestAcked = -1;
  ackedBytes = 0;
  /** Of the last detection: bytes given up, and when the newest of them had been sent. */
  lostBytes = 0;
  lostNewestSentNs = 0;
  lostPackets = 0;
  /** Packets that were given up and arrived nevertheless. */
  spurious = 0;

  constructor(packets: SentPackets, rtt: RttEstimator, fate: PacketFate) {
    this.#packets = packets;
    this.#rtt = rtt;
    this.#fate = fate;
  }

  get threshold(): number {
    return this.#threshold;
  }

  /** Takes in the ACK that `reader` has in hand. @returns false when it names packets never sent */
  acknowledged(reader: PacketReader): boolean {
    const packets = this.#packets;
    this.newestAcked = -1;
    this.ackedBytes = 0;
    if (reader.largest >= packets.next) return false;
    if (reader.largest > this.#largestAcked) this.#largestAcked = reader.largest;
    const oldest = Math.max(0, packets.first - LATE_PACKETS, packets.next - packets.capacity);
    let end = reader.largest + 1;
    for (let i = 0; i < reader.count && end > oldest; i++) {
      const start = end - reader.rangeReceived(i);
      for (let n = end - 1; n >= start && n >= oldest; n--) {
        const state = packets.state[packets.slot(n)]!;
        if (state === FLYING) this.#arrived(n);
        else if (state === LOST) this.#arrivedLate(n);
      }
      end = start - reader.rangeMissing(i);
    }
    return true;
  }

  /** Gives up what newer arrivals have overtaken. Call after `acknowledged` and when `lossTimeNs` has come. */
  detect(nowNs: number): void {
    const packets = this.#packets;
    this.#clearLost();
    this.lossTimeNs = Number.POSITIVE_INFINITY;
    const delayNs = this.#rtt.lossDelayNs;
    for (let n = packets.first; n < this.#largestAcked; n++) {
      const slot = packets.slot(n);
      if (packets.state[slot] !== FLYING) continue;
      const dueNs = packets.sentNs[slot]! + delayNs;
      if (n + this.#threshold <= this.#largestAcked || dueNs <= nowNs) this.#giveUp(n);
      else {
        this.lossTimeNs = Math.min(this.lossTimeNs, dueNs);
        // All that follow were sent later and are nearer to the largest: none of them is lost.
        break;
      }
    }
    packets.advance();
  }

  /** The probe timeout came: the oldest `count` packets are sent anew. */
  giveUpOldest(count: number): void {
    const packets = this.#packets;
    this.#clearLost();
    let left = count;
    for (let n = packets.first; n < packets.next && left > 0; n++) {
      if (packets.state[packets.slot(n)] !== FLYING) continue;
      this.#giveUp(n);
      left--;
    }
    packets.advance();
  }

  #clearLost(): void {
    this.lostBytes = 0;
    this.lostPackets = 0;
    this.lostNewestSentNs = -1;
  }

  #arrived(number: number): void {
    const packets = this.#packets;
    if (number > this.newestAcked) this.newestAcked = number;
    this.ackedBytes += packets.wireBytes[packets.slot(number)]!;
    this.#fate.packetAcked(number);
    packets.settle(number, SETTLED);
  }

  #arrivedLate(number: number): void {
    this.spurious++;
    this.#packets.state[this.#packets.slot(number)] = SETTLED;
    const distance = this.#largestAcked - number + 1;
    if (distance > this.#threshold) this.#threshold = Math.min(THRESHOLD_MAX, distance);
  }

  #giveUp(number: number): void {
    const packets = this.#packets;
    const slot = packets.slot(number);
    this.lostBytes += packets.wireBytes[slot]!;
    this.lostPackets++;
    if (packets.sentNs[slot]! > this.lostNewestSentNs) this.lostNewestSentNs = packets.sentNs[slot]!;
    packets.settle(number, LOST);
    this.#fate.packetLost(number);
  }
}
