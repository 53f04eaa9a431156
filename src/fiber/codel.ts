/**
 * CoDel: a queue that is judged by how long its packets have waited, not by how many they are.
 *
 *   a packet waits less than target, or the queue holds less than one packet ──► all is well
 *   every packet of a whole interval has waited longer                       ──► drop one, and the
 *     next after interval / √1, then interval / √2, interval / √3, … until one waits less than target
 *
 * Source: RFC 8289, sections 5.5 and 5.6 (dequeue and its helpers), 4.3 and 4.4 (the two parameters).
 * The pseudo-code pulls packets until one is sent; here the queue asks about one packet after another.
 * Instants are those at which the transmitter takes a packet. A super-frame is judged by its first
 * packet and loses one packet at a time, so offload changes an outcome by no more than the time the
 * super-frame takes on the wire.
 *
 * Left out on purpose: marking ECN-capable packets instead of dropping them; the fiber does not write
 * into frames.
 */
import type { Backlog, Candidate, DropTailLimits, QueueDiscipline } from './queue-discipline.js';
import { DropTail } from './queue-discipline.js';

export interface CodelSettings {
  readonly kind: 'codel';
  /** Standing delay that is acceptable, whole nanoseconds; 5 ms (RFC 8289, 4.4). */
  readonly targetNs: number;
  /** How long it may be exceeded, about a worst-case round trip, whole nanoseconds; 100 ms (4.3). */
  readonly intervalNs: number;
}

/** Within so many intervals of the last drop, the drop rate goes on where it was (RFC 8289, 5.5). */
const REENTRY_INTERVALS = 16;

/** One queue's state; limits in bytes and frames hold beside it, as drop-tail. */
export class Codel implements QueueDiscipline {
  readonly #tail: DropTail;
  readonly #targetNs: number;
  readonly #intervalNs: number;
  /** The largest packet seen, wire bytes: a queue that holds no more is no standing queue. */
  #largestBytes = 0;
  /** When the wait will have exceeded the target for an interval; 0 while it does not. */
  #firstAboveNs = 0;
  #dropping = false;
  #dropNextNs = 0;
  /** Drops since this drop phase began. */
  #count = 0;
  /** `#count` when it began. */
  #lastCount = 0;
  /** What the packet after a dropped one means: it is let through, or it moves the time of the next drop. */
  #after: 'nothing' | 'entering' | 'dropping' = 'nothing';

  constructor({ targetNs, intervalNs }: CodelSettings, limits: () => DropTailLimits) {
    this.#tail = new DropTail(limits);
    this.#targetNs = targetNs;
    this.#intervalNs = intervalNs;
  }

  admits(frame: Candidate, backlog: Backlog): number {
    return this.#tail.admits(frame, backlog);
  }

  keeps(frame: Candidate, backlog: Backlog, startNs: number): boolean {
    const headBytes = frame.packets > 1 ? frame.packetBytes : frame.wireBytes;
    const behindBytes = backlog.wireBytes + frame.wireBytes - headBytes;
    if (headBytes > this.#largestBytes) this.#largestBytes = headBytes;
    const mayDrop = this.#standsTooLong(startNs - frame.offeredNs, behindBytes, startNs);
    const after = this.#after;
    this.#after = 'nothing';
    if (after === 'entering') return true;
    if (!this.#dropping) {
      if (!mayDrop) return true;
      this.#enter(startNs);
    } else {
      if (!mayDrop) {
        this.#dropping = false;
        return true;
      }
      if (after === 'dropping') this.#dropNextNs = this.#controlLaw(this.#dropNextNs);
      if (startNs < this.#dropNextNs) return true;
      this.#count++;
      this.#after = 'dropping';
    }
    return false; // there is a next packet: what may be dropped has more than one behind it
  }

  #standsTooLong(waitNs: number, behindBytes: number, nowNs: number): boolean {
    if (waitNs < this.#targetNs || behindBytes <= this.#largestBytes) {
      this.#firstAboveNs = 0;
      return false;
    }
    if (this.#firstAboveNs !== 0) return nowNs >= this.#firstAboveNs;
    this.#firstAboveNs = nowNs + this.#intervalNs;
    return false;
  }

  #enter(nowNs: number): void {
    this.#dropping = true;
    this.#after = 'entering';
    const delta = this.#count - this.#lastCount;
    const soon = nowNs - this.#dropNextNs < REENTRY_INTERVALS * this.#intervalNs;
    this.#count = delta > 1 && soon ? delta : 1;
    this.#dropNextNs = this.#controlLaw(nowNs);
    this.#lastCount = this.#count;
  }

  #controlLaw(fromNs: number): number {
    return fromNs + this.#intervalNs / Math.sqrt(this.#count);
  }
}
