/** What the replay and the thread that sends say to each other. */
import type { FrameBatch } from './batch.js';
import type { Pace } from './pacing.js';
import type { Distribution } from './pacing-errors.js';

/** Where the thread sends frames of a direction, and takes what arrives from the other one. */
export interface SendingEnd {
  readonly fd: number;
  /** Bytes of zeros before each frame: 0, or those of a virtio header. */
  readonly headerBytes: 0 | 10;
}

export interface SenderSettings {
  /** Index 0 sends what leaves site A, 1 what leaves site B; both may be the same. */
  readonly ends: readonly [SendingEnd, SendingEnd];
  /** Whether frames come out at the other end and are to be told apart. */
  readonly arrivals: boolean;
  readonly pace: Pace;
  /** Of `one-at-a-time`: how long one is waited for. */
  readonly patienceNs: number;
  /** Frames that arrived are handed back, for a capture of them. */
  readonly keepArrived: boolean;
}

export type SenderRequest =
  | { readonly type: 'batch'; readonly batch: FrameBatch }
  | { readonly type: 'last' };

/**
 * What the thread is told without a message, for it never returns to an event loop: an Int32Array of four cells.
 * The first is 1 when the replay is to end now; the second changes whenever a message has been posted, and is what
 * the thread sleeps on; the third counts the batches of arrived frames that have been written; the fourth is 1 when
 * nothing is under way any more: what has not come then was lost.
 */
export const STOPPED = 0;
export const POSTED = 1;
export const WRITTEN = 2;
export const SETTLED = 3;
export const CELLS = 4;

/** Frames that arrived: as a batch, `capturedNs` on CLOCK_MONOTONIC, `direction` the one they crossed in. */
export type SenderReply =
  | { readonly type: 'wants' }
  /** The last frame has left: so many have in all. */
  | { readonly type: 'sent-all'; readonly frames: number }
  | { readonly type: 'arrived'; readonly batch: FrameBatch }
  | { readonly type: 'finished'; readonly report: SenderReport };

export interface DirectionReport {
  readonly sent: number;
  readonly sentBytes: number;
  /** The socket had no room, although it was asked again for a second. */
  readonly refused: number;
  readonly delivered: number;
  readonly reordered: number;
  readonly duplicated: number;
  readonly unknown: number;
  readonly oneWayNs: Distribution;
}

export interface SenderReport {
  readonly directions: readonly [DirectionReport, DirectionReport];
  readonly pacingErrorNs: Distribution;
  readonly driftNs: number;
  /** Packets whose stamp lay before one ahead of them. */
  readonly backwards: number;
  /** Times the thread had nothing to send although something was due: the file was not read fast enough. */
  readonly starved: number;
  /** Frames that arrived and were not handed back: the capture of them was not written fast enough. */
  readonly arrivedNotKept: number;
  /** Of the packets, how many left while the thread was in the real-time class: 0..1. */
  readonly realTimeShare: number;
  readonly durationNs: number;
}
