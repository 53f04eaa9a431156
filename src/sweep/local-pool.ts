/**
 * Cells on this machine, in as many processes as pay: simulated ones on every core, and measured ones one at a time,
 * since two that share cores measure each other.
 */
import { availableParallelism } from 'node:os';
import { CellRunner } from './cell-runner.js';
import type { CellOutcome } from './outcome.js';
import { type Cell, isSimulated } from './plan.js';

export interface PoolOptions {
  /** Processes at once; as many as pay when left out. */
  readonly workers?: number | undefined;
  readonly signal: AbortSignal;
  /** After each cell, in the order in which they end. */
  onOutcome(cell: Cell, outcome: CellOutcome): void;
  /** After each move of a cell, with how many of its moves are made. */
  onMove?: ((cell: Cell, made: number) => void) | undefined;
}

/** How many processes pay for these cells here. */
export function workersFor(cells: readonly Cell[]): number {
  return cells.every(isSimulated) ? Math.max(1, Math.min(availableParallelism(), cells.length)) : 1;
}

/** Runs all cells in their order. Ends early, without an error, when the signal is aborted. */
export async function runLocally(cells: readonly Cell[], options: PoolOptions): Promise<void> {
  const { signal, onOutcome, onMove } = options;
  const queue = [...cells];
  const runners: CellRunner[] = [];
  const stop = (): void => {
    for (const runner of runners) runner.end();
  };
  signal.addEventListener('abort', stop, { once: true });
  const work = async (): Promise<void> => {
    const runner = new CellRunner();
    runners.push(runner);
    for (let cell = queue.shift(); cell !== undefined && !signal.aborted; cell = queue.shift()) {
      const now = cell;
      const outcome = await runner.run(now, (made) => onMove?.(now, made));
      if (!signal.aborted) onOutcome(now, outcome);
    }
    runner.end();
  };
  try {
    await Promise.all(Array.from({ length: options.workers ?? workersFor(cells) }, work));
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
  }
}
