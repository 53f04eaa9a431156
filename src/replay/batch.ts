/**
 * Frames on their way to the thread that sends them, many in one transferable buffer.
 *
 *   bytes   │ room 10 │ frame │ room 10 │ frame │ …        the room is for a virtio header of zeros
 *   per frame: offset, length, hash, stamp after the first packet's, wire bytes, direction
 */
import type { Side } from './sides.js';

/** Room before each frame: VNET_HDR_SIZE of a packet socket or TAP. */
export const ROOM_BYTES = 10;
const BATCH_BYTES = 1 << 20;
const BATCH_FRAMES = 2048;

export interface FrameBatch {
  readonly count: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly at: Uint32Array<ArrayBuffer>;
  readonly length: Uint32Array<ArrayBuffer>;
  readonly hash: Uint32Array<ArrayBuffer>;
  readonly wireBytes: Uint32Array<ArrayBuffer>;
  readonly capturedNs: Float64Array<ArrayBuffer>;
  /** 0 from site A, 1 from site B. */
  readonly direction: Uint8Array<ArrayBuffer>;
}

/** What must be handed over with a batch, so that nothing is copied. */
export function buffersOf(batch: FrameBatch): ArrayBuffer[] {
  const { bytes, at, length, hash, wireBytes, capturedNs, direction } = batch;
  return [bytes, at, length, hash, wireBytes, capturedNs, direction].map((a) => a.buffer);
}

/** Collects frames until a batch is full. */
export class BatchMaker {
  #batch = newBatch();
  #count = 0;
  #used = 0;

  /** Whether a frame of this length still fits. */
  hasRoom(length: number): boolean {
    return this.#count < BATCH_FRAMES && this.#used + ROOM_BYTES + length <= BATCH_BYTES;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** The bytes are copied. @param hash 0 where arrivals are not told apart */
  add(frame: Uint8Array, capturedNs: number, wireBytes: number, hash: number, side: Side): void {
    const b = this.#batch;
    const i = this.#count++;
    const at = this.#used + ROOM_BYTES;
    b.bytes.set(frame, at);
    this.#used = at + frame.length;
    b.at[i] = at;
    b.length[i] = frame.length;
    b.hash[i] = hash;
    b.wireBytes[i] = wireBytes;
    b.capturedNs[i] = capturedNs;
    b.direction[i] = side === 'a' ? 0 : 1;
  }

  /** The batch so far; what follows goes into another. */
  take(): FrameBatch {
    const batch = { ...this.#batch, count: this.#count };
    this.#batch = newBatch();
    this.#count = 0;
    this.#used = 0;
    return batch;
  }
}

function newBatch(): Omit<FrameBatch, 'count'> {
  return {
    bytes: new Uint8Array(new ArrayBuffer(BATCH_BYTES)),
    at: new Uint32Array(BATCH_FRAMES),
    length: new Uint32Array(BATCH_FRAMES),
    hash: new Uint32Array(BATCH_FRAMES),
    wireBytes: new Uint32Array(BATCH_FRAMES),
    capturedNs: new Float64Array(BATCH_FRAMES),
    direction: new Uint8Array(BATCH_FRAMES),
  };
}
