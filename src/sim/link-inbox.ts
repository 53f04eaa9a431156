/**
 * The receiving half of a link: segments in order, whatever order and pieces they came in.
 *
 *   frame ─► expected: delivered at once ─► those held behind it
 *       └──► behind a hole: held, packet by packet, until it is whole and its turn has come
 */
import type { HeldSegment, Segment } from './link-frames.js';

interface Held {
  readonly segment: Segment;
  /** By packet: 1 once it is here. */
  readonly here: Uint8Array;
  left: number;
}

/** Acks name at most so many segments behind the hole. */
const HELD_TOLD_MAX = 16;

export class LinkInbox {
  readonly #deliver: (segment: Segment) => void;
  readonly #held = new Map<number, Held>();
  #expected = 0;
  #highest = -1;

  constructor(deliver: (segment: Segment) => void) {
    this.#deliver = deliver;
  }

  /** The lowest segment that is not whole. */
  get expected(): number {
    return this.#expected;
  }

  /**
   * @param part which packets of the segment the frame carried; null for all
   * @param missing which of these did not come; null when all did
   * @returns false for a segment that had been delivered before
   */
  take(segment: Segment, part: readonly number[] | null, missing: readonly number[] | null): boolean {
    const { seq } = segment;
    if (seq > this.#highest) this.#highest = seq;
    if (seq < this.#expected) return false;
    if (seq === this.#expected && part === null && missing === null) this.#next(segment);
    else this.#hold(segment, part, missing);
    for (let held = this.#held.get(this.#expected); held?.left === 0; held = this.#held.get(this.#expected))
      this.#next(held.segment);
    return true;
  }

  /** What an acknowledgement tells. @param newest told even where others fill the list (RFC 2018, section 4) */
  told(newest: number | null): HeldSegment[] {
    const told: HeldSegment[] = [];
    if (this.#held.size === 0) return told;
    for (let seq = this.#expected; seq <= this.#highest && told.length < HELD_TOLD_MAX; seq++) {
      const held = this.#held.get(seq);
      if (held !== undefined) told.push(tellOf(seq, held));
    }
    const held = newest === null ? undefined : this.#held.get(newest);
    if (held !== undefined && told[told.length - 1]!.seq < newest!) told.push(tellOf(newest!, held));
    return told;
  }

  #next(segment: Segment): void {
    this.#held.delete(segment.seq);
    this.#expected++;
    this.#deliver(segment);
  }

  #hold(segment: Segment, part: readonly number[] | null, missing: readonly number[] | null): void {
    let held = this.#held.get(segment.seq);
    if (held === undefined) {
      held = { segment, here: new Uint8Array(segment.packets), left: segment.packets };
      this.#held.set(segment.seq, held);
    }
    const count = part?.length ?? segment.packets;
    let nextMissing = 0;
    for (let i = 0; i < count; i++) {
      if (missing?.[nextMissing] === i) {
        nextMissing++;
        continue;
      }
      const packet = part?.[i] ?? i;
      if (held.here[packet] === 1) continue;
      held.here[packet] = 1;
      held.left--;
    }
  }
}

function tellOf(seq: number, { here, left }: Held): HeldSegment {
  if (left === 0) return { seq, missing: null };
  const missing: number[] = [];
  for (let i = 0; i < here.length; i++) if (here[i] === 0) missing.push(i);
  return { seq, missing };
}
