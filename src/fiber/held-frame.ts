/** A frame while a lane holds it: pooled records, so that a frame that passes allocates none. */
import { type Frame, NO_OFFLOAD } from '../core/index.js';
import type { FrameOffered } from './lane-contract.js';
import type { TrafficClass } from './traffic-class.js';

export interface HeldFrame {
  frame: Frame;
  trafficClass: TrafficClass;
  offeredNs: number;
  packets: number;
  wireBytes: number;
  packetBytes: number;
  /** Original indices of the packets that are gone already; null for none. */
  lost: readonly number[] | null;
  /** Original indices of the packets that are damaged and still there; null for none. */
  corrupted: readonly number[] | null;
  corruptSeed: number;
  /** Whether it stands for copies. */
  duplicate: boolean;
  /** Whether no copy of it follows in the glass. */
  last: boolean;
  /** What is added to the one-way delay, drawn when its serialisation begins. */
  jitterNs: number;
  /** Of `packets` and `wireBytes`, those the glass loses. */
  hitPackets: number;
  hitBytes: number;
  /** When it arrives; meaningful once it is in the glass. */
  dueNs: number;
}

/** What a free record refers to, so that it keeps no frame alive. */
const NO_FRAME: Frame = Object.freeze({
  data: new Uint8Array(0),
  start: 0,
  length: 0,
  offload: NO_OFFLOAD,
});

export class HeldFramePool {
  readonly #free: HeldFrame[] = [];

  /** A record with the event's numbers; allocates only when more frames are held than ever before. */
  take(nowNs: number, event: FrameOffered): HeldFrame {
    const held = this.#free.pop() ?? newHeldFrame();
    held.frame = event.frame;
    held.trafficClass = event.trafficClass;
    held.offeredNs = event.enteredNs ?? nowNs;
    held.packets = event.packets;
    held.wireBytes = event.wireBytes;
    held.packetBytes = event.packetBytes;
    held.lost = event.lost ?? null;
    held.corrupted = event.corrupted ?? null;
    held.corruptSeed = event.corruptSeed ?? 0;
    held.duplicate = event.duplicate ?? false;
    held.last = true;
    held.jitterNs = 0;
    held.hitPackets = 0;
    held.hitBytes = 0;
    return held;
  }

  /** A record for a copy of what another one holds; packets, bytes and lists are the caller's to set. */
  takeCopy(of: HeldFrame): HeldFrame {
    const copy = Object.assign(this.#free.pop() ?? newHeldFrame(), of);
    copy.duplicate = true;
    copy.last = true;
    return copy;
  }

  give(held: HeldFrame): void {
    held.frame = NO_FRAME;
    held.lost = null;
    held.corrupted = null;
    this.#free.push(held);
  }
}

function newHeldFrame(): HeldFrame {
  return {
    frame: NO_FRAME,
    trafficClass: 0,
    offeredNs: 0,
    packets: 0,
    wireBytes: 0,
    packetBytes: 0,
    lost: null,
    corrupted: null,
    corruptSeed: 0,
    duplicate: false,
    last: true,
    jitterNs: 0,
    hitPackets: 0,
    hitBytes: 0,
    dueNs: 0,
  };
}
