/**
 * The sending half of the control stream: bytes kept until the peer has them in order. `ControlInbox` is the
 * other half.
 *
 *   acknowledged ── sent ──────── next ── written ──────── end, FIN
 *        │ kept: some of it may be lost and queued again    │
 */
import { ByteRing } from './byte-ring.js';
import type { DatagramPlan } from './datagram-plan.js';
import { FragmentQueue } from './fragment-queue.js';
import { CONTROL_FRAME_BYTES, FRAME_CONTROL, writeControlFrame } from './packet-codec.js';
import { FRAGMENTS_MAX, type SentPackets } from './sent-packets.js';

/** Assumed of the peer until it says; every control buffer is at least this large. */
export const PEER_WINDOW_FIRST_BYTES = 65_536;
/** Less is no use to begin a frame for. */
const PART_BYTES_MIN = 64;

export class ControlOutbox {
  readonly #ring: ByteRing;
  readonly #lost = new FragmentQueue();
  #acked = 0;
  #next = 0;
  #end = 0;
  #limit = PEER_WINDOW_FIRST_BYTES;
  #finWanted = false;
  #finSent = false;
  #finLost = false;

  constructor(bufferBytes: number) {
    this.#ring = new ByteRing(bufferBytes);
  }

  /** Bytes that `write` would take. */
  get writable(): number {
    return this.#finWanted ? 0 : this.#ring.capacity - (this.#end - this.#acked);
  }

  /** Something can be sent now. */
  get pending(): boolean {
    return (
      this.#lost.size > 0 ||
      this.#finLost ||
      (this.#next < this.#end && this.#next < this.#limit) ||
      (this.#finWanted && !this.#finSent && this.#next === this.#end)
    );
  }

  /** Everything and the FIN has arrived. */
  get done(): boolean {
    return this.#finSent && this.#acked > this.#end;
  }

  /** Written bytes that the peer is not known to have. */
  get unacknowledged(): number {
    return Math.max(0, this.#end - this.#acked);
  }

  write(bytes: Uint8Array): number {
    const n = Math.min(bytes.length, this.writable);
    if (n > 0) this.#ring.put(this.#end, bytes, 0, n);
    this.#end += n;
    return n;
  }

  finish(): void {
    this.#finWanted = true;
  }

  /** The peer has everything below `ack` and room for `window` more. @returns false when it claims what was never sent */
  acknowledged(ack: number, window: number): boolean {
    if (ack > this.#next + (this.#finSent ? 1 : 0)) return false;
    if (ack > this.#acked) this.#acked = ack;
    if (ack + window > this.#limit) this.#limit = ack + window;
    return true;
  }

  lost(offset: number, fin: boolean, length: number): void {
    if (fin) this.#finLost = true;
    if (length > 0) this.#lost.push(FRAME_CONTROL, offset, 0, 0, length);
  }

  /** Puts as much as fits into the datagram, what was lost first. */
  fill(plan: DatagramPlan, packets: SentPackets): void {
    while (this.#lost.size > 0 && packets.noted < FRAGMENTS_MAX) {
      const offset = this.#lost.subject;
      if (offset + this.#lost.length <= this.#acked) {
        this.#lost.shift();
        continue;
      }
      const n = this.#part(plan, this.#lost.length);
      if (n === 0) return;
      this.#frame(plan, packets, offset, n, false);
      if (n === this.#lost.length) this.#lost.shift();
      else this.#lost.trim(n, 0, n);
    }
    if (this.#next < Math.min(this.#end, this.#limit) && packets.noted < FRAGMENTS_MAX) {
      const n = this.#part(plan, Math.min(this.#end, this.#limit) - this.#next);
      if (n === 0) return;
      this.#frame(plan, packets, this.#next, n, false);
      this.#next += n;
    }
    const fin = this.#finLost || (this.#finWanted && !this.#finSent && this.#next === this.#end);
    if (fin && packets.noted < FRAGMENTS_MAX && plan.room >= CONTROL_FRAME_BYTES) {
      this.#frame(plan, packets, this.#end, 0, true);
      this.#finSent = true;
      this.#finLost = false;
    }
  }

  #part(plan: DatagramPlan, length: number): number {
    const room = plan.room - CONTROL_FRAME_BYTES;
    if (length <= room) return length;
    return room < PART_BYTES_MIN ? 0 : room;
  }

  #frame(plan: DatagramPlan, packets: SentPackets, offset: number, length: number, fin: boolean): void {
    writeControlFrame(plan.view, plan.take(CONTROL_FRAME_BYTES), offset, length, fin);
    const at = plan.take(length);
    this.#ring.get(offset, plan.bytes, at, length);
    packets.note(FRAME_CONTROL, offset, fin ? 1 : 0, 0, length);
  }
}
