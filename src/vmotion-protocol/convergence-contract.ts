/** What a convergence policy is told of the rounds, and what it answers. `convergence.ts` has the default one. */
import type { MigrationMode } from './messages.js';

/** One finished round and the harvest after it. */
export interface RoundStats {
  /** From 1. */
  readonly round: number;
  /** The round's first byte was ordered. */
  readonly startNs: number;
  /** ROUND_DONE was there. */
  readonly endNs: number;
  /** Pages found dirty by the harvest after this round: what the next one has to carry. */
  readonly dirtyPages: number;
  /** Pages that travelled with content. */
  readonly pagesSent: number;
  /** Pages that travelled as a number. */
  readonly zeroPages: number;
  /** Bytes handed to the transport. */
  readonly bytes: number;
  /** 8 · bytes / (endNs − startNs − RTT): the last byte's way and the answer's are no fault of the rate. */
  readonly throughputBps: number;
  /** dirtyPages / time between this round's two harvests. */
  readonly dirtyRatePagesPerS: number;
  /** What the policy said of it; absent while it decides. */
  readonly predictedPauseNs?: number;
  readonly etaNs?: number;
}

export interface ConvergenceHistory {
  /** Oldest first; at least one. */
  readonly rounds: readonly RoundStats[];
  /** Median round trip. */
  readonly rttNs: number;
  /** Pages of the guest. */
  readonly pages: number;
  /** Pre-copy, or hybrid. */
  readonly mode: MigrationMode;
  /** Share of its time that the guest is kept from running now, 0..1. */
  readonly slowdown: number;
}

export interface ConvergenceVerdict {
  readonly action: 'continue' | 'slow' | 'switch' | 'post-copy' | 'give-up';
  /** Length of the pause, were the last round begun now. */
  readonly predictedPauseNs: number;
  /** Until the guest runs at the destination; `Infinity` when the rounds will not reach the target. */
  readonly etaNs: number;
  /** 0..1: how well the last prediction of dirty pages was met. */
  readonly confidence: number;
  /** One clause for people. */
  readonly reason: string;
  /** With `slow`: the share of its time that the guest is kept from running from now on, 0..1. */
  readonly slowdown?: number;
  /** Pages that the pause may carry in a hybrid move; absent: all that are dirty. */
  readonly flightPagesMax?: number;
  /** Said as soon as the rounds are seen not to reach the target: why, and what would. */
  readonly outlook?: string;
}

export interface ConvergencePolicy {
  decide(history: ConvergenceHistory): ConvergenceVerdict;
}
