/**
 * Runs a plan: what its store has already is not run again, what cannot be run is kept with its reason, and the rest
 * goes to a pool of this machine or to a queue.
 */
import { revision } from '../lab/machine.js';
import { runLocally } from './local-pool.js';
import { type CellOutcome, type FailedCell, SweepStore } from './outcome.js';
import type { Cell } from './plan.js';
import { runQueued } from './queue.js';

export interface SweepProgress {
  readonly cell: Cell;
  readonly outcome: CellOutcome;
  /** Cells that have an outcome, those of earlier runs too. */
  readonly done: number;
  readonly of: number;
  /** Until the end, at the pace so far; null after the first cell only. */
  readonly etaMs: number | null;
}

export interface SweepOptions {
  readonly storeDir: string;
  /** `redis://…`; this machine's own pool when left out. */
  readonly queue?: string | undefined;
  readonly workers?: number | undefined;
  readonly signal: AbortSignal;
  onProgress(progress: SweepProgress): void;
  /** After each move of a cell that this machine's own pool runs, with how many of its moves are made. */
  readonly onMove?: ((cell: Cell, made: number) => void) | undefined;
}

export interface SweepEnd {
  /** Cells with a result in the store. */
  readonly done: number;
  readonly of: number;
  /** Had one before this run. */
  readonly before: number;
  readonly failed: readonly FailedCell[];
}

/** @throws ConfigError `SWEEP_REVISION`, `RESULTS_WRITE`; EnvironmentError `SWEEP_QUEUE` */
export async function sweep(cells: readonly Cell[], options: SweepOptions): Promise<SweepEnd> {
  const store = new SweepStore(options.storeDir);
  const made = revision();
  store.refuseOther(made);
  const unique = [...new Map(cells.map((cell) => [cell.hash, cell])).values()];
  const open = unique.filter((cell) => !store.has(cell));
  const before = unique.length - open.length;
  const startedMs = performance.now();
  let ended = 0;
  const onOutcome = (cell: Cell, outcome: CellOutcome): void => {
    store.keep(cell, outcome);
    ended++;
    const perCellMs = (performance.now() - startedMs) / ended;
    const left = open.length - ended;
    options.onProgress({
      cell,
      outcome,
      done: before + ended,
      of: unique.length,
      etaMs: ended > 1 || left === 0 ? perCellMs * left : null,
    });
  };
  const { signal, workers } = options;
  if (open.length > 0 && options.queue !== undefined)
    await runQueued(open, { url: options.queue, revision: made, signal, onOutcome });
  else if (open.length > 0) await runLocally(open, { workers, signal, onOutcome, onMove: options.onMove });
  const hashes = new Set(unique.map((cell) => cell.hash));
  return {
    done: unique.filter((cell) => store.has(cell)).length,
    of: unique.length,
    before,
    failed: store.failed().filter((f) => hashes.has(f.hash)),
  };
}
