/**
 * What has come, and when that is to be said: after a few packets, at once behind a hole or when the sender asks, and
 * otherwise soon. RFC 9000, section 13.2.
 */
import { AckRanges } from './ack-ranges.js';
import type { DatagramPlan } from './datagram-plan.js';
import { ACK_FRAME_BYTES, ACK_RANGE_BYTES, writeAckFrame } from './packet-codec.js';
import { ACK_DELAY_MAX_NS } from './rtt.js';

/** Packets that ask for an acknowledgement before one leaves at once. */
const ACK_EVERY = 8;

export class Acknowledger {
  readonly #received = new AckRanges();
  #unacked = 0;
  #largestAtNs = 0;
  /** When an acknowledgement must leave; 0: at once, Infinity: none is owed. */
  dueNs = Number.POSITIVE_INFINITY;

  has(number: number): boolean {
    return this.#received.has(number);
  }

  /** Whether an acknowledgement is owed and can be written. */
  get owed(): boolean {
    return this.dueNs < Number.POSITIVE_INFINITY && this.#received.count > 0;
  }

  /** An acknowledgement is owed, whatever came. */
  owe(): void {
    if (this.#received.count > 0) this.dueNs = 0;
  }

  /** A packet has been taken in. @param eliciting it asks to be acknowledged @param atOnce without delay */
  note(nowNs: number, number: number, eliciting: boolean, atOnce: boolean): void {
    const hole = number > this.#received.largest + 1;
    if (number > this.#received.largest) this.#largestAtNs = nowNs;
    this.#received.add(number);
    if (!eliciting) return;
    this.#unacked++;
    if (atOnce || hole || this.#unacked >= ACK_EVERY) this.dueNs = 0;
    else if (this.dueNs === Number.POSITIVE_INFINITY) this.dueNs = nowNs + ACK_DELAY_MAX_NS;
  }

  /** Writes an ACK frame if there is room. @param controlAck, controlWindow of the control stream */
  write(nowNs: number, plan: DatagramPlan, controlAck: number, controlWindow: number): void {
    if (plan.room < ACK_FRAME_BYTES + ACK_RANGE_BYTES) return;
    const delayNs = nowNs - this.#largestAtNs;
    plan.take(
      writeAckFrame(plan.view, plan.end, plan.room, this.#received, delayNs, controlAck, controlWindow),
    );
    this.#unacked = 0;
    this.dueNs = Number.POSITIVE_INFINITY;
  }
}
