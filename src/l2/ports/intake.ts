/**
 * Takes waiting frames out of descriptors, many in one system call, into the frames they will live in.
 *
 *   place 0: a small frame's slot  ┌ prefix ┬ first 2032 bytes ┐      nearly every frame ends here: no copy
 *   place 1: a large frame's slot                     ┌ 2032 B left free ┬ the rest, up to 256 KiB ┐
 *
 * A frame that overflows the small slot has its head moved in front of the rest (2 KiB), or, when it fits the
 * pool's middle size, both parts moved there, so that memory follows the bytes in flight and not their number.
 * `prefix` is what stands before the frame on the wire: the virtio header of a TAP, the VXLAN header of a datagram.
 *
 * The slots belong to the thread and not to a port: reads are synchronous, so only one port's are ever filled.
 */
import { EAGAIN, EINTR, type IoBatch, MessageArray } from '../../sys/index.js';
import {
  type FramePool,
  MAX_FRAME_BYTES,
  MIDDLE_FRAME_BYTES,
  type PooledFrame,
  SMALL_FRAME_BYTES,
} from './frame-pool.js';

/** Reads that one system call may carry. */
export const INTAKE_FRAMES = 64;
/** Bytes after which a batch ends: some fifteen super-frames, 100 µs of copying. */
const BATCH_BYTES = 2 ** 20;
/** Reads tried on a port that had nothing or little to say. */
const SMALLEST_BATCH = 2;

/**
 * How much to ask a port for. A read that finds nothing costs almost what one costs that finds a frame, so there it is
 * what is likely to wait: doubled while every read finds one, else what the last batch was. A socket stops by itself.
 */
export class Appetite {
  #likely = SMALLEST_BATCH;
  /** As many as fit into a batch when they are as long as those before. */
  #fit = SMALLEST_BATCH;

  /** Reads to try. */
  reads(limit: number): number {
    return Math.min(limit, this.#likely, this.#fit);
  }

  /** Messages to let a socket give. */
  messages(limit: number): number {
    return Math.min(limit, this.#fit);
  }

  learn(asked: number, got: number, bytes: number): void {
    this.#likely = got === asked ? got * 2 : Math.max(SMALLEST_BATCH, got + 1);
    const fit = got === 0 ? INTAKE_FRAMES : Math.ceil((BATCH_BYTES * got) / (bytes + 1));
    this.#fit = Math.min(INTAKE_FRAMES, fit);
  }
}

export class Intake {
  /** What a `receive` that is not plain bytes came with. Ask with `slot(k)`. */
  readonly messages = new MessageArray(INTAKE_FRAMES);
  /** The errno that the last batch met besides "nothing more"; 0 when none. Frames may have come all the same. */
  error = 0;
  readonly #pool: FramePool;
  readonly #batch: IoBatch;
  readonly #small: (PooledFrame | null)[] = new Array(INTAKE_FRAMES).fill(null);
  readonly #large: (PooledFrame | null)[] = new Array(INTAKE_FRAMES).fill(null);
  /** The prefix that the places of each slot are laid out for; -1 when a frame has left with its memory. */
  readonly #laidOut = new Int32Array(INTAKE_FRAMES).fill(-1);
  /** The slots of the last batch that a frame landed in. */
  readonly #landed = new Int32Array(INTAKE_FRAMES);
  /** How long it is, its prefix included. */
  readonly #bytes = new Int32Array(INTAKE_FRAMES);
  #prefix = 0;

  constructor(pool: FramePool, batch: IoBatch) {
    this.#pool = pool;
    this.#batch = batch;
  }

  /**
   * Reads from a descriptor that gives one frame a read.
   * @param prefix bytes that stand before each frame; at most the pool's headroom
   * @returns how many have landed: ask for each k below that number, before the next `read` of any port
   */
  read(fd: number, prefix: number, appetite: Appetite, limit: number): number {
    const want = appetite.reads(Math.min(limit, INTAKE_FRAMES));
    this.#prefix = prefix;
    for (let slot = 0; slot < want; slot++) {
      this.#layOut(slot);
      this.#batch.readv(fd, this.messages.places(slot), 2);
    }
    return this.#collect(want, appetite);
  }

  /** Like `read`, from a socket, with each message's sender and control message. */
  readMessages(fd: number, prefix: number, appetite: Appetite, limit: number): number {
    const want = appetite.messages(Math.min(limit, INTAKE_FRAMES));
    this.#prefix = prefix;
    for (let slot = 0; slot < want; slot++) this.#layOut(slot);
    const n = this.messages.receive(fd, want);
    this.error = n < 0 && n !== -EAGAIN && n !== -EINTR ? -n : 0;
    let bytes = 0;
    for (let slot = 0; slot < n; slot++) {
      this.#landed[slot] = slot;
      this.#bytes[slot] = this.messages.receivedBytes(slot);
      bytes += this.#bytes[slot]!;
    }
    const got = Math.max(0, n);
    appetite.learn(want, got, bytes);
    return got;
  }

  /** Where in `messages` the k-th that landed is. */
  slot(k: number): number {
    return this.#landed[k]!;
  }

  /** Bytes of the k-th that landed, its prefix included; it may be shorter than the prefix. */
  bytes(k: number): number {
    return this.#bytes[this.#landed[k]!]!;
  }

  /** Where the k-th landed: `data` from `start - prefix`, its first 2 KiB at least. Still the intake's. */
  peek(k: number): PooledFrame {
    return this.#small[this.#landed[k]!]!;
  }

  /** The k-th as a frame with one reference, the caller's; its offload is not set. Only if it is as long as its prefix. */
  take(k: number): PooledFrame {
    const slot = this.#landed[k]!;
    const length = this.bytes(k) - this.#prefix;
    const small = this.#small[slot]!;
    if (length <= SMALL_FRAME_BYTES) {
      this.#small[slot] = null;
      this.#laidOut[slot] = -1;
      small.length = length;
      return small;
    }
    const large = this.#large[slot]!;
    let frame = large;
    if (length <= MIDDLE_FRAME_BYTES) {
      frame = this.#pool.take(length);
      const rest = large.start + SMALL_FRAME_BYTES;
      large.data.copy(frame.data, frame.start + SMALL_FRAME_BYTES, rest, large.start + length);
    } else {
      this.#large[slot] = null;
      this.#laidOut[slot] = -1;
    }
    const head = small.start - this.#prefix;
    small.data.copy(frame.data, frame.start - this.#prefix, head, small.start + SMALL_FRAME_BYTES);
    frame.length = length;
    return frame;
  }

  /** Gives its landing slots back to the pool. */
  close(): void {
    for (const frame of [...this.#small, ...this.#large]) if (frame) this.#pool.release(frame);
    this.#small.fill(null);
    this.#large.fill(null);
    this.#laidOut.fill(-1);
  }

  #layOut(slot: number): void {
    const prefix = this.#prefix;
    if (this.#laidOut[slot] === prefix) return;
    const small = this.#small[slot] ?? this.#pool.take(0);
    const large = this.#large[slot] ?? this.#pool.take(MAX_FRAME_BYTES);
    this.#small[slot] = small;
    this.#large[slot] = large;
    const rest = MAX_FRAME_BYTES - SMALL_FRAME_BYTES;
    this.messages.setPlace(slot, 0, small.address - prefix, SMALL_FRAME_BYTES + prefix);
    this.messages.setPlace(slot, 1, large.address + SMALL_FRAME_BYTES, rest);
    this.#laidOut[slot] = prefix;
  }

  #collect(asked: number, appetite: Appetite): number {
    this.#batch.submit();
    const { results } = this.#batch;
    this.error = 0;
    let got = 0;
    let bytes = 0;
    for (let slot = 0; slot < asked; slot++) {
      const result = results[slot]!;
      if (result >= 0) {
        this.#landed[got++] = slot;
        this.#bytes[slot] = result;
        bytes += result;
      } else if (result !== -EAGAIN && result !== -EINTR) {
        this.error = -result;
      }
    }
    appetite.learn(asked, got, bytes);
    return got;
  }
}
