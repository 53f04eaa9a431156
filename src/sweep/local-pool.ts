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
}

/** How many processes pay for these cells here. */
export function workersFor(cells: readonly Cell[]): number {
  return cells.every(isSimulated) ? Math.max(1, Math.min(availableParallelism(), cells.length)) : 1;
}

/** Runs all cells in their order. Ends early, without an error, when the signal is aborted. */
export async function runLocally(cells: readonly Cell[], options: PoolOptions): Promise<void> {
  const { signal, onOutcome } = options;
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
      const outcome = await runner.run(cell);
      if (!signal.aborted) onOutcome(cell, outcome);
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
