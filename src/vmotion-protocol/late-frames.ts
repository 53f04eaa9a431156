/**
 * Frames for the guest that arrive while it is in neither place.
 *
 *   source:       port ─► LateFrameBuffer ─► FRAME messages     (kept until STARTED, for a NACK)
 *   destination:  FRAME messages ─┐
 *                 own port ───────┴► DuplicateFilter ─► LateFrameBuffer ─► the guest, once it runs
 *
 * A bridge that has not learned the guest's new place floods, so a unicast frame can reach the
 * destination by both paths. It is delivered once. A sender may also send the same bytes twice, by one path:
 * both are delivered. So copies are paired across the paths, one to one, never within a path.
 * Left out: broadcast and multicast, which both ports get anyway; the source never forwards them.
 */
import { NS_PER_MS } from '../core/index.js';

export const LATE_FRAMES_MAX = 4096;
export const LATE_FRAME_BYTES_MAX = 8 << 20;

/** What became of frames: in = out + dropped + held, at every instant. */
export interface LateFrameCounts {
  readonly in: number;
  readonly out: number;
  readonly dropped: number;
  readonly held: number;
}

/** A FIFO of frame copies, bounded in frames and in bytes; a frame that does not fit is dropped and counted. */
export class LateFrameBuffer {
  readonly #framesMax: number;
  readonly #bytesMax: number;
  #frames: Uint8Array[] = [];
  #bytes = 0;
  #in = 0;
  #out = 0;
  #dropped = 0;

  constructor(framesMax = LATE_FRAMES_MAX, bytesMax = LATE_FRAME_BYTES_MAX) {
    this.#framesMax = framesMax;
    this.#bytesMax = bytesMax;
  }

  get counts(): LateFrameCounts {
    return { in: this.#in, out: this.#out, dropped: this.#dropped, held: this.#frames.length };
  }

  /** What is held, oldest first. */
  get frames(): readonly Uint8Array[] {
    return this.#frames;
  }

  /** Keeps a copy. @returns the copy, or null when the buffer is full */
  push(frame: Uint8Array): Uint8Array | null {
    this.#in++;
    if (this.#frames.length >= this.#framesMax || this.#bytes + frame.length > this.#bytesMax) {
      this.#dropped++;
      return null;
    }
    const copy = new Uint8Array(frame);
    this.#frames.push(copy);
    this.#bytes += copy.length;
    return copy;
  }

  /** Takes every frame, oldest first. */
  takeAll(): Uint8Array[] {
    const all = this.#frames;
    this.#frames = [];
    this.#out += all.length;
    this.#bytes = 0;
    return all;
  }
}

/** By which way a frame reached the destination. */
export type FramePath = 'forwarded' | 'flooded';

/** Copies further apart than this are two frames: a few times the longest way round by the source. */
export const DUPLICATE_WINDOW_NS = 500 * NS_PER_MS;
/** Frames remembered. Beyond it the oldest is forgotten, and its copy would be delivered. */
export const DUPLICATE_FRAMES_MAX = 1024;

/** A frame that the filter remembers. */
export interface Seen {
  readonly atNs: number;
  readonly path: FramePath;
  readonly hash: number;
  readonly bytes: Uint8Array;
  /** Its copy has come by the other path: it pairs with nothing more. */
  paired: boolean;
}

/** Decides for each frame whether its copy was already delivered. O(frames remembered), and those are few. */
export class DuplicateFilter {
  readonly #windowNs: number;
  readonly #framesMax: number;
  /** Oldest first. */
  readonly #seen: Seen[] = [];
  #duplicates = 0;

  constructor(windowNs = DUPLICATE_WINDOW_NS, framesMax = DUPLICATE_FRAMES_MAX) {
    this.#windowNs = windowNs;
    this.#framesMax = framesMax;
  }

  /** The frames remembered, oldest first. */
  get seen(): readonly Readonly<Seen>[] {
    return this.#seen;
  }

  /** Copies found and dropped. */
  get duplicates(): number {
    return this.#duplicates;
  }

  /** @returns false when the frame is the copy of one that came by the other path. The bytes are copied. */
  accept(nowNs: number, path: FramePath, frame: Uint8Array): boolean {
    const seen = this.#seen;
    let expired = 0;
    while (expired < seen.length && seen[expired]!.atNs + this.#windowNs < nowNs) expired++;
    if (expired === 0 && seen.length >= this.#framesMax) expired = 1;
    if (expired > 0) seen.splice(0, expired);
    const hash = hashOf(frame);
    for (const s of seen) {
      if (s.hash === hash && !s.paired && s.path !== path && sameBytes(s.bytes, frame)) {
        s.paired = true;
        this.#duplicates++;
        return false;
      }
    }
    seen.push({ atNs: nowNs, path, hash, bytes: new Uint8Array(frame), paired: false });
    return true;
  }
}

/** Only narrows the search: equality is decided on the bytes. */
function hashOf(bytes: Uint8Array): number {
  let h = 0x811c9dc5 ^ bytes.length;
  for (let i = 0; i < bytes.length; i++) h = Math.imul(h ^ bytes[i]!, 0x01000193);
  return h;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
