/**
 * What decides how much may be under way and how fast it leaves. One object a connection; all bytes are bytes on
 * the wire (datagram, UDP, IP and Ethernet), so that a rate means what the fiber means by it.
 */

/** What one acknowledgement taught. Reused from one to the next. */
export interface AckSample {
  nowNs: number;
  /** Wire bytes that this acknowledgement newly reported. */
  ackedBytes: number;
  /** Under way after it. */
  inflightBytes: number;
  /** All that was ever acknowledged. */
  deliveredBytes: number;
  /** `deliveredBytes` at the time the newest packet acknowledged here was sent: tells round trips apart. */
  deliveredBeforeBytes: number;
  /** Delivery rate over the newest packet's flight, bits a second; 0 when there is no sample. */
  deliveryRateBps: number;
  /** The sender had nothing to send in that time: the rate is a lower bound. */
  appLimited: boolean;
  /** Round trip of the newest packet; 0 when it is not among those newly acknowledged. */
  rttNs: number;
  smoothedRttNs: number;
}

export interface CongestionControl {
  readonly name: string;
  /** Wire bytes that may be under way. */
  readonly cwndBytes: number;
  /** Rate at which they leave, bits a second; Infinity: as fast as they can. */
  readonly pacingBps: number;
  onSent(nowNs: number, bytes: number, inflightBytes: number): void;
  onAck(sample: AckSample): void;
  /** Packets are known lost. @param newestSentNs when the newest of them had been sent */
  onLoss(nowNs: number, lostBytes: number, newestSentNs: number, inflightBytes: number): void;
  /** Nothing was heard for a probe timeout. */
  onTimeout(nowNs: number): void;
}

/** A full packet of MTU 1500 on the wire: the unit that windows are counted in. */
export const WIRE_PACKET_BYTES = 1538;
/**
 * RFC 6928: ten packets to begin with. A path this house is built for takes more, and what ends the pause must fit: 16
 * pages, FINAL and parity, on a connection that may have carried nothing but messages yet (post-copy).
 */
export const INITIAL_WINDOW_BYTES = 64 * WIRE_PACKET_BYTES;
export const MIN_WINDOW_BYTES = 4 * WIRE_PACKET_BYTES;
