/**
 * Knows the frames of one direction again when they arrive, and says which did not, which came out of order and which twice.
 *
 *   sent ─► ring of the last 131,072 ─► arrived: the oldest of the same content that has not come yet
 *
 * Frames are told by a hash of their content and their length, so that they travel as they were captured, with no mark
 * of ours. Two of equal content are interchangeable: the first that arrives is taken for the first that was sent, and
 * if that one was lost, its delay is too long by the distance of the two.
 * A frame is reordered when one sent later has come before it (RFC 4737, 3.3). Allocates nothing after it was made.
 */

const SLOTS = 1 << 17;
const SLOT_MASK = SLOTS - 1;
const BUCKETS = 1 << 16;
const BUCKET_MASK = BUCKETS - 1;
const NONE = -1;

export class ArrivalLedger {
  sent = 0;
  delivered = 0;
  reordered = 0;
  /** Came again although it was sent once. */
  duplicated = 0;
  /** Nothing like it was sent: changed on the way, or not ours. */
  unknown = 0;

  readonly #hashes = new Uint32Array(SLOTS);
  readonly #lengths = new Uint32Array(SLOTS);
  readonly #sentNs = new Float64Array(SLOTS);
  readonly #came = new Uint8Array(SLOTS);
  /** Those of a bucket that have not come, oldest first. */
  readonly #heads = new Int32Array(BUCKETS).fill(NONE);
  readonly #tails = new Int32Array(BUCKETS).fill(NONE);
  readonly #next = new Int32Array(SLOTS).fill(NONE);
  /** By bucket, the hash that came there last: a second copy follows its first closely. */
  readonly #lately = new Float64Array(BUCKETS).fill(NONE);
  #highest = NONE;
  #oldest = 0;

  /** Notes a frame that is being sent. */
  noteSent(hash: number, length: number, sentNs: number): void {
    const slot = this.sent & SLOT_MASK;
    if (this.sent >= SLOTS && this.#came[slot] === 0) this.#forget(slot);
    this.#hashes[slot] = hash;
    this.#lengths[slot] = length;
    this.#sentNs[slot] = sentNs;
    this.#came[slot] = 0;
    this.#next[slot] = NONE;
    const bucket = hash & BUCKET_MASK;
    const tail = this.#tails[bucket]!;
    if (tail === NONE) this.#heads[bucket] = slot;
    else this.#next[tail] = slot;
    this.#tails[bucket] = slot;
    this.sent++;
  }

  /** Notes one that came. @returns when it was sent; -1 when it is not one of ours, or came before */
  noteArrived(hash: number, length: number): number {
    const bucket = hash & BUCKET_MASK;
    let before = NONE;
    let slot = this.#heads[bucket]!;
    while (slot !== NONE && (this.#hashes[slot] !== hash || this.#lengths[slot] !== length)) {
      before = slot;
      slot = this.#next[slot]!;
    }
    if (slot === NONE) {
      if (this.#lately[bucket] === hash) this.duplicated++;
      else this.unknown++;
      return -1;
    }
    this.#unlink(bucket, before, slot);
    this.#lately[bucket] = hash;
    this.#came[slot] = 1;
    this.delivered++;
    const newest = this.sent - 1;
    const number = newest - ((newest - slot) & SLOT_MASK);
    if (number < this.#highest) this.reordered++;
    else this.#highest = number;
    return this.#sentNs[slot]!;
  }

  /** How many were sent from the first one on that has not come and was sent after `sinceNs`: what may be under way. */
  underWay(sinceNs: number): number {
    let at = Math.max(this.#oldest, this.sent - SLOTS);
    while (at < this.sent && (this.#came[at & SLOT_MASK] !== 0 || this.#sentNs[at & SLOT_MASK]! < sinceNs))
      at++;
    this.#oldest = at;
    return this.sent - at;
  }

  /** The oldest's place is needed: it stands first in its bucket. */
  #forget(slot: number): void {
    this.#unlink(this.#hashes[slot]! & BUCKET_MASK, NONE, slot);
  }

  #unlink(bucket: number, before: number, slot: number): void {
    const after = this.#next[slot]!;
    if (before === NONE) this.#heads[bucket] = after;
    else this.#next[before] = after;
    if (after === NONE) this.#tails[bucket] = before;
  }
}
