/**
 * What a lane is told and what it orders: one direction of one span, as events and actions.
 * A fiber speaks the same actions, so a drop always says which span of which direction decided it.
 */
import type { Frame, Woke } from '../core/index.js';
import type { DropReason } from './accounting.js';
import type { Direction, LaneSettings } from './settings.js';
import type { TrafficClass } from './traffic-class.js';

/** A frame reached the entry. The caller may reuse the event object: its fields are copied. */
export interface FrameOffered {
  readonly type: 'frame-offered';
  frame: Frame;
  trafficClass: TrafficClass;
  /** Wire packets it stands for (those still there, when `lost` names some), at least 1. */
  packets: number;
  /** What these packets occupy, at most 1 MiB; see `wireBytesOf`. */
  wireBytes: number;
  /** What each of them but the last occupies; `packetWireBytes(headerLength + gsoSize)`. Read only when `packets` > 1. */
  packetBytes: number;
  /**
   * When it reached the entry, where the driver learned of it late: not after the instant of the step, which
   * is what it is when left out. Its serialisation begins then, or when the frame before it is through.
   */
  enteredNs?: number;
  /** Packets of the super-frame that an earlier span lost: original indices, ascending. The array is kept, never written. */
  lost?: readonly number[] | null;
  /** Packets that an earlier span damaged: original indices of those still there, ascending. Kept, never written. */
  corrupted?: readonly number[] | null;
  /** With `corrupted`: what that span drew for it. */
  corruptSeed?: number;
  /** Whether an earlier span made it as a copy. */
  duplicate?: boolean;
}

/** Settings changed while the lane runs: those named, already checked by `checkLane`. */
export interface LaneChanged {
  readonly type: 'changed';
  readonly set: Partial<LaneSettings>;
}

export type LaneEvent = FrameOffered | LaneChanged | Woke;

/**
 * Hand the frame to the far end.
 *
 * A frame whose packets were duplicated is named in two actions or more: the driver keeps it until one
 * says `last`.
 */
export interface Deliver {
  readonly type: 'deliver';
  readonly direction: Direction;
  /** Index of the span it left, counted from site A. */
  readonly span: number;
  readonly frame: Frame;
  readonly trafficClass: TrafficClass;
  /** The exact instant of arrival; a driver's lateness is `now − dueNs`. */
  readonly dueNs: number;
  /** Packets to cut out of a super-frame: original indices, ascending; null when it is whole. */
  readonly lost: readonly number[] | null;
  /** Packets that arrived, their wire bytes, and those of each but the last. */
  readonly packets: number;
  readonly wireBytes: number;
  readonly packetBytes: number;
  /** Packets to damage, of those that arrived: original indices ([0] for an ordinary frame), ascending; null for none. */
  readonly corrupted: readonly number[] | null;
  /** With `corrupted`: chooses the bits, see `corruptedBit`. A copy of a damaged packet has the same. */
  readonly corruptSeed: number;
  /** Whether these are copies of packets that another `Deliver` or `Drop` of the same frame told of before. */
  readonly duplicate: boolean;
  /** Whether no later action names this frame. */
  last: boolean;
}

/** The frame, or what was left of it, is gone. The lane keeps no reference once it has said `last`. */
export interface Drop {
  readonly type: 'drop';
  readonly direction: Direction;
  /** Index of the span that dropped it, counted from site A. */
  readonly span: number;
  readonly frame: Frame;
  readonly reason: DropReason;
  /** Packets that were still there until now, and their wire bytes. */
  readonly packets: number;
  readonly wireBytes: number;
  /** Whether no later action names this frame. */
  last: boolean;
}

export type LaneAction = Deliver | Drop;
