/** How far a check goes: what may go wrong, and how often. */
import type { MigrationMode } from '../../vmotion-protocol/index.js';

/** Faults, counted over both directions and both hosts. Time-outs are no faults: they may happen at any moment. */
export interface Bounds {
  readonly mode: MigrationMode;
  /** Pages of the guest, 2 or 3. */
  readonly pages: number;
  /** Pages that the guest writes while it is copied. */
  readonly writes: number;
  /** Late frames for the guest. */
  readonly frames: number;
  readonly crashes: number;
  /** Messages, rounds of pages or single pages that vanish without anybody being told. */
  readonly losses: number;
  /** Messages that come once more, at any later moment. */
  readonly duplicates: number;
  /** Messages that overtake one. */
  readonly reorderings: number;
  /** The link is down for a while, and what was on it is lost. */
  readonly partitions: number;
  /** Pages that change on their way. */
  readonly corruptions: number;
  /** A destination that restarts with another store of records. */
  readonly storesLost: number;
}

/** What docs/design.md asks for, and a page and a store more. */
export const FULL_BOUNDS: Omit<Bounds, 'mode'> = Object.freeze({
  pages: 2,
  writes: 1,
  frames: 1,
  crashes: 2,
  losses: 2,
  duplicates: 1,
  reorderings: 1,
  partitions: 1,
  corruptions: 1,
  storesLost: 1,
});

/** Nothing goes wrong, nothing is written and no frame comes; waits may still end at any moment. */
export const QUIET_BOUNDS: Omit<Bounds, 'mode'> = Object.freeze({
  pages: 2,
  writes: 0,
  frames: 0,
  crashes: 0,
  losses: 0,
  duplicates: 0,
  reorderings: 0,
  partitions: 0,
  corruptions: 0,
  storesLost: 0,
});
