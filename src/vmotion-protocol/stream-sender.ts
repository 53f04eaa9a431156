/**
 * The sending half of a reliable stream: bytes to be sent, segments in flight, loss recovery, congestion window.
 *
 *   una ──── segments in flight ──── next ──── written, not yet sent ──── end
 *    │ flying │ sacked │ lost │ …      │                                   │
 *
 * A segment keeps its boundaries for life. Each transmission gets the next *order* number. A segment is lost when
 * three transmissions with higher orders have arrived: this is the rule of three duplicate acknowledgements, and it
 * holds for retransmissions as well (after RACK, RFC 8985, with counts in the place of times).
 * Window: slow start and additive increase by segments that arrived, halved once per window with loss (RFC 5681),
 * not grown while the application gives less than it allows (RFC 7661).
 */
import { ByteRing } from './byte-ring.js';
import { RtoEstimator } from './rto.js';
import { expandOffset, STREAM_BLOCK_BYTES } from './stream-datagram.js';

const FLYING = 0;
const SACKED = 1;
const LOST = 2;

const WINDOW_FIRST = 10; // RFC 6928
const WINDOW_MIN = 2;
/** Until the peer says its own: every receiver holds at least this. */
export const PEER_WINDOW_FIRST_BYTES = 64 << 10;

export class StreamSender {
  readonly rto = new RtoEstimator();
  readonly #ring: ByteRing;
  readonly #mss: number;
  readonly #windowMax: number;
  /** Segment n stands in slot n & mask; segments head..tail-1 are not acknowledged. */
  readonly #mask: number;
  readonly #seqs: Float64Array;
  readonly #lengths: Uint32Array;
  readonly #sentNs: Float64Array;
  readonly #orders: Float64Array;
  readonly #states: Uint8Array;
  readonly #resent: Uint8Array;
  #head = 0;
  #tail = 0;
  #sacked = 0;
  #lost = 0;
  #una = 0;
  #next = 0;
  #end = 0;
  #finWanted = false;
  #finSent = false;
  #peerLimit = PEER_WINDOW_FIRST_BYTES;
  #order = 0;
  /** The highest three orders that arrived, highest first. */
  #arrived1 = -1;
  #arrived2 = -1;
  #arrived3 = -1;
  #window = WINDOW_FIRST;
  #threshold = Number.POSITIVE_INFINITY;
  /** Losses of segments sent before this order belong to a reduction already made. */
  #recoverOrder = 0;
  /** Of the segment that `take` chose. */
  seq = 0;
  length = 0;
  fin = false;
  segments = 0;
  retransmissions = 0;
  timeouts = 0;

  /** @param windowMax segments in flight at most */
  constructor(mss: number, windowMax: number, bufferBytesMin: number) {
    this.#mss = mss;
    this.#windowMax = windowMax;
    this.#window = Math.min(WINDOW_FIRST, windowMax);
    this.#ring = new ByteRing(bufferBytesMin);
    const slots = 2 ** Math.ceil(Math.log2(windowMax * 4));
    this.#mask = slots - 1;
    this.#seqs = new Float64Array(slots);
    this.#lengths = new Uint32Array(slots);
    this.#sentNs = new Float64Array(slots);
    this.#orders = new Float64Array(slots);
    this.#states = new Uint8Array(slots);
    this.#resent = new Uint8Array(slots);
  }

  /** The offset of the next byte that was never sent. */
  get next(): number {
    return this.#next;
  }

  get writable(): number {
    return this.#finWanted ? 0 : this.#ring.capacity - (this.#end - this.#una);
  }

  get windowSegments(): number {
    return this.#window;
  }

  /** Something sent is not acknowledged. */
  get outstanding(): boolean {
    return this.#head !== this.#tail;
  }

  /** Everything written, and the FIN, is acknowledged. */
  get done(): boolean {
    return this.#finSent && !this.outstanding;
  }

  /** Every byte is acknowledged, and only the FIN is not. */
  get onlyFinLeft(): boolean {
    return this.#finSent && this.#una === this.#end;
  }

  /** There are bytes, nothing is in flight, and the peer's window is what holds them. */
  get blockedByPeer(): boolean {
    return !this.outstanding && this.#next < this.#end && !this.#fitsPeer();
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

  /** Whether `take` would give a segment now. */
  get ready(): boolean {
    const flying = this.#tail - this.#head - this.#sacked - this.#lost;
    if (flying >= Math.floor(this.#window)) return false;
    if (this.#lost > 0) return true;
    if (this.#tail - this.#head > this.#mask) return false;
    if (this.#next < this.#end) return this.#fitsPeer();
    return this.#finWanted && !this.#finSent;
  }

  /** A whole segment fits the peer's window, or all there is: no slivers (RFC 1122, 4.2.3.4). */
  #fitsPeer(): boolean {
    return this.#next + Math.min(this.#mss, this.#end - this.#next) <= this.#peerLimit;
  }

  /** Chooses the next segment to send, a lost one before a new one: sets `seq`, `length`, `fin`. Only when `ready`. */
  take(nowNs: number): void {
    let n = this.#tail;
    if (this.#lost > 0) {
      n = this.#head;
      while (this.#states[n & this.#mask] !== LOST) n++;
      this.#lost--;
      this.#resent[n & this.#mask] = 1;
      this.retransmissions++;
    } else {
      const slot = n & this.#mask;
      const length = Math.min(this.#mss, this.#end - this.#next);
      this.#seqs[slot] = this.#next;
      this.#lengths[slot] = length;
      this.#resent[slot] = 0;
      this.#next += length;
      if (length === 0) this.#finSent = true;
      this.#tail++;
    }
    const slot = n & this.#mask;
    this.#states[slot] = FLYING;
    this.#orders[slot] = this.#order++;
    this.#sentNs[slot] = nowNs;
    this.seq = this.#seqs[slot]!;
    this.length = this.#lengths[slot]!;
    this.fin = this.length === 0;
    this.segments++;
  }

  /** Copies the chosen segment's bytes. */
  copy(into: Uint8Array, at: number): void {
    this.#ring.get(this.seq, into, at, this.length);
  }

  /**
   * An acknowledgement: `ack` and `limit` as full offsets, `blocks` of them from `at` in `view`.
   * @returns whether the oldest segment was acknowledged, so that the timer starts anew
   */
  acknowledged(
    nowNs: number,
    ack: number,
    limit: number,
    view: DataView,
    at: number,
    blocks: number,
  ): boolean {
    if (ack > this.#next + (this.#finSent ? 1 : 0)) return false; // for bytes never sent
    if (limit > this.#peerLimit) this.#peerLimit = limit;
    const wasFull = this.#tail - this.#head - this.#sacked - this.#lost + 1 >= Math.floor(this.#window);
    let arrived = 0;
    let rttNs = -1;
    const headBefore = this.#head;
    while (this.#head !== this.#tail) {
      const slot = this.#head & this.#mask;
      if (this.#segmentEnd(slot) > ack) break;
      if (this.#states[slot] === SACKED) this.#sacked--;
      else {
        if (this.#states[slot] === LOST) this.#lost--;
        if (this.#resent[slot] === 0) rttNs = nowNs - this.#sentNs[slot]!;
        this.#noteArrival(this.#orders[slot]!);
        arrived++;
      }
      this.#head++;
    }
    if (ack > this.#una) this.#una = Math.min(ack, this.#end);
    if (blocks > 0) arrived += this.#sack(view, at, blocks);
    if (rttNs >= 0) this.rto.sample(rttNs);
    if (arrived > 0 && wasFull) this.#grow(arrived);
    if (this.#sacked > 0) this.#findLosses();
    return this.#head !== headBefore;
  }

  /** The timer expired: all that is not known to have arrived is lost. */
  timedOut(): void {
    const flight = this.#tail - this.#head - this.#sacked;
    for (let n = this.#head; n !== this.#tail; n++) {
      const slot = n & this.#mask;
      if (this.#states[slot] !== FLYING) continue;
      this.#states[slot] = LOST;
      this.#lost++;
    }
    this.#threshold = Math.max(WINDOW_MIN, Math.min(this.#window, flight) / 2);
    this.#window = WINDOW_MIN;
    this.#recoverOrder = this.#order;
    this.rto.backOff();
    this.timeouts++;
  }

  #segmentEnd(slot: number): number {
    const length = this.#lengths[slot]!;
    return this.#seqs[slot]! + (length === 0 ? 1 : length);
  }

  #sack(view: DataView, at: number, blocks: number): number {
    let arrived = 0;
    for (let b = 0; b < blocks; b++) {
      const start = expandOffset(view.getUint32(at + b * STREAM_BLOCK_BYTES), this.#una);
      const end = expandOffset(view.getUint32(at + b * STREAM_BLOCK_BYTES + 4), this.#una);
      for (let n = this.#firstFrom(start); n !== this.#tail; n++) {
        const slot = n & this.#mask;
        if (this.#segmentEnd(slot) > end) break;
        if (this.#states[slot] === SACKED) continue;
        if (this.#states[slot] === LOST) this.#lost--;
        this.#states[slot] = SACKED;
        this.#sacked++;
        this.#noteArrival(this.#orders[slot]!);
        arrived++;
      }
    }
    return arrived;
  }

  /** The first segment that begins at `offset` or later, by bisection. */
  #firstFrom(offset: number): number {
    let low = this.#head;
    let high = this.#tail;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.#seqs[middle & this.#mask]! < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #noteArrival(order: number): void {
    if (order > this.#arrived1) {
      this.#arrived3 = this.#arrived2;
      this.#arrived2 = this.#arrived1;
      this.#arrived1 = order;
    } else if (order > this.#arrived2) {
      this.#arrived3 = this.#arrived2;
      this.#arrived2 = order;
    } else if (order > this.#arrived3) this.#arrived3 = order;
  }

  #findLosses(): void {
    let reduce = false;
    for (let n = this.#head; n !== this.#tail; n++) {
      const slot = n & this.#mask;
      if (this.#states[slot] !== FLYING || this.#orders[slot]! >= this.#arrived3) continue;
      this.#states[slot] = LOST;
      this.#lost++;
      if (this.#orders[slot]! >= this.#recoverOrder) reduce = true;
    }
    if (!reduce) return;
    this.#threshold = Math.max(WINDOW_MIN, this.#window / 2);
    this.#window = this.#threshold;
    this.#recoverOrder = this.#order;
  }

  #grow(arrived: number): void {
    this.#window += this.#window < this.#threshold ? arrived : arrived / this.#window;
    if (this.#window > this.#windowMax) this.#window = this.#windowMax;
  }
}
