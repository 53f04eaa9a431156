/**
 * The receiving half of the control stream: a ring of bytes, and the ranges that came ahead of a hole. `ControlOutbox`
 * is the other half.
 *
 *   0 ────── read ─────────── next ── hole ──┬── range 0 ──┬── hole ──┬── range 1 ──┐ … read + capacity
 *             │ ready to read  │             start         end
 *
 * Bytes are copied once to their place in the ring, in whatever order they come. Ranges are few (at most
 * `RANGES_MAX`); a segment that would make one more is dropped and comes again.
 */
import { ByteRing } from './byte-ring.js';

const RANGES_MAX = 64;
const NOT_KNOWN = -1;

export class ControlInbox {
  readonly #ring: ByteRing;
  readonly #segmentBytes: number;
  #read = 0;
  #next = 0;
  /** Offset of the FIN, one behind the last byte. */
  #finAt = NOT_KNOWN;
  /** Sorted, disjoint, all beyond `#next`. */
  readonly #starts = new Float64Array(RANGES_MAX);
  readonly #ends = new Float64Array(RANGES_MAX);
  #ranges = 0;
  /** The right edge last told to the peer. */
  #toldLimit = 0;
  /** Segments that did not fit. */
  dropped = 0;

  /** @param capacityMin bytes that wait to be read @param segmentBytes a segment's at most */
  constructor(capacityMin: number, segmentBytes: number) {
    this.#ring = new ByteRing(capacityMin);
    this.#segmentBytes = segmentBytes;
  }

  /** The next offset expected: what is acknowledged. */
  get ack(): number {
    return this.#next;
  }

  get readable(): number {
    return (this.ended ? this.#next - 1 : this.#next) - this.#read;
  }

  /** Every byte and the FIN have come. */
  get ended(): boolean {
    return this.#finAt !== NOT_KNOWN && this.#next > this.#finAt;
  }

  /** The window to tell now; remembers that it was told. */
  tellWindow(): number {
    this.#toldLimit = this.#read + this.#ring.capacity;
    return Math.max(0, this.#toldLimit - this.#next);
  }

  /** Whether the peer should hear that room has come: it was told next to none, and there is plenty. */
  get windowNews(): boolean {
    return (
      this.#toldLimit - this.#next < 2 * this.#segmentBytes &&
      this.#read + this.#ring.capacity - this.#toldLimit >= this.#ring.capacity / 2
    );
  }

  /** Copies what is ready into `into`. @returns bytes copied */
  read(into: Uint8Array): number {
    const n = Math.min(into.length, this.readable);
    if (n > 0) this.#ring.get(this.#read, into, 0, n);
    this.#read += n;
    return n;
  }

  /** A segment: payload bytes[at …at+length) for stream offset `seq`, with FIN behind it or not. */
  segment(seq: number, bytes: Uint8Array, at: number, length: number, fin: boolean): void {
    const end = seq + length;
    if (
      fin &&
      this.#finAt === NOT_KNOWN &&
      end >= this.#furthest() &&
      end <= this.#read + this.#ring.capacity
    ) {
      this.#finAt = end;
    }
    // There are no bytes behind the FIN: a peer that sends some is wrong, and they are not taken.
    const beyond = this.#finAt !== NOT_KNOWN && end > this.#finAt;
    if (length > 0 && (beyond || end > this.#read + this.#ring.capacity)) {
      this.dropped++;
    } else if (end > this.#next && length > 0) {
      const skip = Math.max(0, this.#next - seq);
      if (this.#ranges === 0 && seq <= this.#next) {
        this.#ring.put(seq + skip, bytes, at + skip, length - skip);
        this.#next = end;
      } else if (this.#insert(seq + skip, end)) {
        this.#ring.put(seq + skip, bytes, at + skip, length - skip);
      }
    }
    if (this.#next === this.#finAt) this.#next++;
  }

  /** Adds a range, joins it with those it touches, and moves `#next` over what became contiguous. */
  #insert(start: number, end: number): boolean {
    const starts = this.#starts;
    const ends = this.#ends;
    let first = 0;
    while (first < this.#ranges && ends[first]! < start) first++;
    let last = first;
    while (last < this.#ranges && starts[last]! <= end) last++;
    if (first === last) {
      if (start > this.#next) {
        if (this.#ranges === RANGES_MAX) {
          this.dropped++;
          return false;
        }
        starts.copyWithin(first + 1, first, this.#ranges);
        ends.copyWithin(first + 1, first, this.#ranges);
        starts[first] = start;
        ends[first] = end;
        this.#ranges++;
        return true;
      }
      this.#next = end; // fills a part of the first hole
      return true;
    }
    const joinedStart = Math.min(start, starts[first]!);
    const joinedEnd = Math.max(end, ends[last - 1]!);
    const keep = joinedStart > this.#next ? 1 : 0;
    if (keep) {
      starts[first] = joinedStart;
      ends[first] = joinedEnd;
    } else {
      this.#next = joinedEnd;
    }
    starts.copyWithin(first + keep, last, this.#ranges);
    ends.copyWithin(first + keep, last, this.#ranges);
    this.#ranges -= last - first - keep;
    return true;
  }

  /** The end of the last byte that has come. */
  #furthest(): number {
    return this.#ranges > 0 ? this.#ends[this.#ranges - 1]! : this.#next;
  }
}
