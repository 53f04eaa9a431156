/**
 * Delivery rate by acknowledgement (draft-cheng-iccrg-delivery-rate-estimation-02): what was acknowledged between a
 * packet's departure and its acknowledgement, over the longer of the time it took to send that and to hear of it,
 * so that neither a burst of data nor one of acknowledgements looks like a fast path.
 */
import type { SentPackets } from './sent-packets.js';

export class DeliveryRate {
  deliveredBytes = 0;
  #deliveredNs = 0;
  #firstSentNs = 0;
  /** Packets sent before this many bytes were delivered met a sender with nothing to send; 0: none. */
  #appLimitedUntil = 0;

  /** The packet `number` is leaving; call before it counts as in flight. */
  sent(nowNs: number, packets: SentPackets, number: number): void {
    if (packets.inflightPackets === 0) {
      this.#firstSentNs = nowNs;
      this.#deliveredNs = nowNs;
    }
    const slot = packets.slot(number);
    packets.deliveredBytes[slot] = this.deliveredBytes;
    packets.deliveredNs[slot] = this.#deliveredNs;
    packets.firstSentNs[slot] = this.#firstSentNs;
    packets.appLimited[slot] = this.#appLimitedUntil > 0 ? 1 : 0;
  }

  /** There is room to send and nothing to send. */
  ranDry(inflightBytes: number): void {
    this.#appLimitedUntil = Math.max(1, this.deliveredBytes + inflightBytes);
  }

  /** Bytes of one acknowledgement, all of them. */
  delivered(nowNs: number, bytes: number): void {
    this.deliveredBytes += bytes;
    this.#deliveredNs = nowNs;
    if (this.#appLimitedUntil > 0 && this.deliveredBytes > this.#appLimitedUntil) this.#appLimitedUntil = 0;
  }

  /**
   * The rate seen by the newest packet just acknowledged, bits a second; 0 when the interval is shorter than any
   * round trip and so proves nothing.
   */
  sample(nowNs: number, packets: SentPackets, number: number, minRttNs: number): number {
    const slot = packets.slot(number);
    const sentNs = packets.sentNs[slot]!;
    const sendingNs = sentNs - packets.firstSentNs[slot]!;
    const hearingNs = nowNs - packets.deliveredNs[slot]!;
    this.#firstSentNs = sentNs;
    const intervalNs = Math.max(sendingNs, hearingNs);
    if (intervalNs < minRttNs || intervalNs <= 0) return 0;
    return ((this.deliveredBytes - packets.deliveredBytes[slot]!) * 8e9) / intervalNs;
  }
}
