/**
 * What a link has sent and does not know to have arrived: how many bytes are under way, what is lost, how long a round
 * trip takes.
 *
 *   leave ─► under way ─┬─ acknowledged: gone, or whole behind a hole
 *                       └─ overtaken, a round trip old: lost ─► leaveAgain
 */
import { type HeldSegment, PACKET_PAYLOAD_BYTES, type Segment } from './link-frames.js';
import type { LinkPace, SentStamp } from './link-pace.js';

export interface InFlight {
  readonly segment: Segment;
  sentNs: number;
  again: boolean;
  /** Of the segment, what counts as under way. */
  outBytes: number;
  /** Since it left last; null without congestion control. */
  stamp: SentStamp | null;
  /** What is known to be missing; null for all of it. */
  missing: readonly number[] | null;
  whole: boolean;
}

/** Later segments that have come before one is taken for lost: fewer may be mere reordering (RFC 5681). */
const DUPLICATE_THRESHOLD = 3;

export class LinkFlight {
  readonly #pace: LinkPace | null;
  readonly #segments = new Map<number, InFlight>();
  /** Lost ones, in order. */
  readonly #lost = new Set<InFlight>();
  #bytes = 0;
  #heldBytes = 0;
  #rttNs = 0;
  /** The highest segment that an acknowledgement has told of. */
  #highestTold = -1;

  constructor(pace: LinkPace | null) {
    this.#pace = pace;
  }

  /** Under way. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Sent, and not acknowledged in order: what a sender keeps, whether it is under way, lost, or behind a hole. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  get isEmpty(): boolean {
    return this.#segments.size === 0;
  }

  get hasLost(): boolean {
    return this.#lost.size > 0;
  }

  /** Smoothed; 0 before the first was measured. */
  get rttNs(): number {
    return this.#rttNs;
  }

  leave(nowNs: number, segment: Segment): void {
    const { seq, bytes } = segment;
    const stamp = this.#pace?.sent(nowNs, bytes, this.#bytes) ?? null;
    const sent = {
      segment,
      sentNs: nowNs,
      again: false,
      outBytes: bytes,
      stamp,
      missing: null,
      whole: false,
    };
    this.#segments.set(seq, sent);
    this.#bytes += bytes;
    this.#heldBytes += bytes;
  }

  leaveAgain(nowNs: number, f: InFlight): void {
    this.#lost.delete(f);
    this.#isOut(f);
    f.again = true;
    f.sentNs = nowNs;
    const bytes = missingBytes(f);
    f.stamp = this.#pace?.sent(nowNs, bytes, this.#bytes) ?? null;
    f.outBytes = bytes;
    this.#bytes += bytes;
  }

  /** The next that is lost, in order; undefined when none is. */
  nextLost(): InFlight | undefined {
    for (const f of this.#lost) {
      if (!f.whole) return f;
      this.#lost.delete(f);
    }
    return undefined;
  }

  /** The oldest that is not whole. */
  oldest(): InFlight | undefined {
    for (const f of this.#segments.values()) if (!f.whole) return f;
    return undefined;
  }

  /** The newest that is not whole. */
  newest(): InFlight | undefined {
    let newest: InFlight | undefined;
    for (const f of this.#segments.values()) if (!f.whole) newest = f;
    return newest;
  }

  /** @param next all before it has come @param held what is known behind it @returns whether it told of anything new */
  acknowledged(nowNs: number, next: number, held: readonly HeldSegment[]): boolean {
    let bytes = 0;
    let newest: InFlight | undefined;
    let isNews = false;
    const came = (f: InFlight): void => {
      bytes += f.segment.bytes;
      if (newest === undefined || f.sentNs >= newest.sentNs) newest = f;
      this.#isOut(f);
    };
    for (const [seq, f] of this.#segments) {
      if (seq >= next) break;
      if (!f.whole) came(f);
      this.#segments.delete(seq);
      this.#heldBytes -= f.segment.bytes;
      this.#lost.delete(f);
      isNews = true;
    }
    for (const { seq, missing } of held) {
      this.#highestTold = Math.max(this.#highestTold, seq);
      const f = this.#segments.get(seq);
      if (f === undefined || f.whole) continue;
      f.missing = missing;
      if (missing !== null) continue;
      f.whole = true;
      came(f);
      isNews = true;
    }
    // Others that it tells of may have waited at the peer for a hole to close, or for an acknowledgement that was lost.
    if (newest !== undefined && !newest.again) this.#measured(nowNs - newest.sentNs);
    const stamp = newest?.stamp;
    if (this.#pace !== null && newest !== undefined && stamp != null)
      this.#pace.acknowledged(nowNs, bytes, stamp, newest.again ? 0 : nowNs - newest.sentNs, this.#bytes);
    if (held.length > 0) this.#lookForLost(nowNs);
    return isNews;
  }

  /** Nothing was heard for too long: all that is under way counts as lost (RFC 6298, RFC 8985 section 6.3). */
  timedOut(): void {
    for (const f of this.#segments.values()) {
      if (f.whole || this.#lost.has(f)) continue;
      this.#isOut(f);
      this.#lost.add(f);
    }
  }

  /** What others have overtaken counts as lost, once a round trip. */
  #lookForLost(nowNs: number): void {
    let bytes = 0;
    let newestNs = 0;
    for (const [seq, f] of this.#segments) {
      if (seq > this.#highestTold) break;
      if (f.whole || (f.missing === null && seq > this.#highestTold - DUPLICATE_THRESHOLD)) continue;
      if (nowNs - f.sentNs <= this.#rttNs || this.#lost.has(f)) continue;
      bytes += missingBytes(f);
      newestNs = Math.max(newestNs, f.sentNs);
      this.#isOut(f);
      this.#lost.add(f);
    }
    if (bytes > 0) this.#pace?.lost(nowNs, bytes, newestNs, this.#bytes);
  }

  /** It is under way no more. */
  #isOut(f: InFlight): void {
    this.#bytes -= f.outBytes;
    f.outBytes = 0;
  }

  #measured(rttNs: number): void {
    this.#rttNs = this.#rttNs === 0 ? rttNs : Math.round((7 * this.#rttNs + rttNs) / 8);
  }
}

/** Bytes of a segment that have not come, as far as that is known. */
function missingBytes({ segment, missing }: InFlight): number {
  return missing === null ? segment.bytes : Math.min(segment.bytes, missing.length * PACKET_PAYLOAD_BYTES);
}
