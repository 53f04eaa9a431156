/**
 * Where the fabric keeps frames: slots of three sizes in slabs outside the moving heap.
 *
 *   slot: ┌────────┬──────────────────────┬─────────────────────────┬───────┐
 *         │ unused │ virtio_net_hdr 10 B  │ Ethernet frame          │ slack │
 *         └────────┴──────────────────────┴─────────────────────────┴───────┘
 *         0        6                      16 = start
 *
 * A frame is counted: `retain` for each further holder, `release` when done; at zero its slot is free
 * again. Nothing is allocated once the pool has grown to what is in flight.
 */
import { type Frame, LonghaulError, type Offload } from '../../core/index.js';
import { addressOf, VNET_HDR_SIZE } from '../../sys/index.js';

/** Bytes before the frame in a slot; a multiple of 16, so that frames lie aligned. */
const HEADROOM = 16;
/** The longest frame a port can hand over: a super-frame of 256 KiB with its headers. */
export const MAX_FRAME_BYTES = 262_144 + 256;

const CLASSES = [
  { slotBytes: 2_048, slotsPerSlab: 512 },
  { slotBytes: 10_240, slotsPerSlab: 128 },
  // Nearly all are of 64 KiB at most: a slot is memory only as far as frames have reached into it.
  { slotBytes: MAX_FRAME_BYTES + HEADROOM + 240, slotsPerSlab: 8 },
] as const;

/** Frame bytes that the pool's small and middle slots hold. */
export const SMALL_FRAME_BYTES = CLASSES[0].slotBytes - HEADROOM;
export const MIDDLE_FRAME_BYTES = CLASSES[1].slotBytes - HEADROOM;

export class PooledFrame implements Frame {
  readonly data: Buffer;
  readonly start: number;
  length = 0;
  readonly offload: Offload = { flags: 0, gsoType: 0, hdrLen: 0, gsoSize: 0, csumStart: 0, csumOffset: 0 };
  /** Address of the frame's first byte. The virtio header lies directly before it. */
  readonly address: number;
  /** Frame bytes the slot can hold. */
  readonly capacity: number;
  readonly sizeClass: number;
  refs = 0;
  /** When this machine's kernel had it, CLOCK_MONOTONIC; 0 where the port cannot say. */
  arrivedNs = 0;
  /** The same for all that is made of one frame on its way; 0 unless a recording gives numbers. */
  packetId = 0;

  constructor(slab: Buffer, slabAddress: number, slot: number, slotBytes: number, sizeClass: number) {
    this.data = slab;
    this.start = slot * slotBytes + HEADROOM;
    this.address = slabAddress + this.start;
    this.capacity = slotBytes - HEADROOM;
    this.sizeClass = sizeClass;
  }

  /** Fills `offload` from the header bytes in the slot. */
  readHeader(): void {
    const d = this.data;
    const at = this.start - VNET_HDR_SIZE;
    const o = this.offload;
    o.flags = d[at]!;
    o.gsoType = d[at + 1]!;
    o.hdrLen = d[at + 2]! | (d[at + 3]! << 8);
    o.gsoSize = o.gsoType === 0 ? 0 : d[at + 4]! | (d[at + 5]! << 8);
    o.csumStart = d[at + 6]! | (d[at + 7]! << 8);
    o.csumOffset = d[at + 8]! | (d[at + 9]! << 8);
  }

  /** Writes `offload` into the header bytes. */
  writeHeader(): void {
    const d = this.data;
    const at = this.start - VNET_HDR_SIZE;
    const o = this.offload;
    d[at] = o.flags;
    d[at + 1] = o.gsoType;
    d[at + 2] = o.hdrLen;
    d[at + 3] = o.hdrLen >>> 8;
    d[at + 4] = o.gsoSize;
    d[at + 5] = o.gsoSize >>> 8;
    d[at + 6] = o.csumStart;
    d[at + 7] = o.csumStart >>> 8;
    d[at + 8] = o.csumOffset;
    d[at + 9] = o.csumOffset >>> 8;
  }

  /** Marks the frame as plain: nothing pending. */
  clearHeader(): void {
    const o = this.offload;
    o.flags = 0;
    o.gsoType = 0;
    o.hdrLen = 0;
    o.gsoSize = 0;
    o.csumStart = 0;
    o.csumOffset = 0;
    this.data.fill(0, this.start - VNET_HDR_SIZE, this.start);
  }
}

export class FramePool {
  readonly #free: PooledFrame[][] = CLASSES.map(() => []);
  readonly #maxBytes: number;
  #bytes = 0;

  /** @param maxBytes what the slabs together may take; past it `take` throws */
  constructor(maxBytes = 2 ** 32) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes of slabs held: of address space, and of memory as far as frames have reached into their slots. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A frame with room for `bytes`, one reference, its content undefined. */
  take(bytes: number): PooledFrame {
    for (let c = 0; c < CLASSES.length; c++) {
      if (bytes > CLASSES[c]!.slotBytes - HEADROOM) continue;
      const frame = this.#free[c]!.pop() ?? this.#grow(c);
      frame.refs = 1;
      frame.arrivedNs = 0;
      frame.packetId = 0;
      return frame;
    }
    throw new RangeError(`a frame of ${bytes} bytes is longer than ${MAX_FRAME_BYTES}`);
  }

  /** A pooled copy of any frame. */
  copyOf(frame: Frame): PooledFrame {
    const copy = this.take(frame.length);
    copy.data.set(frame.data.subarray(frame.start, frame.start + frame.length), copy.start);
    copy.length = frame.length;
    Object.assign(copy.offload, frame.offload);
    copy.writeHeader();
    return copy;
  }

  retain(frame: PooledFrame): void {
    frame.refs++;
  }

  release(frame: PooledFrame): void {
    if (--frame.refs === 0) this.#free[frame.sizeClass]!.push(frame);
  }

  #grow(c: number): PooledFrame {
    const { slotBytes, slotsPerSlab } = CLASSES[c]!;
    if (this.#bytes + slotBytes * slotsPerSlab > this.#maxBytes) {
      throw new LonghaulError('L2_POOL_FULL', `frames in flight need more than ${this.#maxBytes} bytes`, {
        hint: 'lower the rate, the distance or the queue of the fiber',
      });
    }
    const slab = Buffer.from(new ArrayBuffer(slotBytes * slotsPerSlab));
    const address = addressOf(slab);
    this.#bytes += slab.length;
    for (let slot = 0; slot < slotsPerSlab; slot++) {
      this.#free[c]!.push(new PooledFrame(slab, address, slot, slotBytes, c));
    }
    return this.#free[c]!.pop()!;
  }
}
