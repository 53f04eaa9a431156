/**
 * Runs cells in a child process, so that one that dies takes nothing with it. The child is kept for the next cell;
 * one that has died is replaced.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Costs } from '../lab/calibration/costs-file.js';
import type { Experiment } from '../lab/config/experiment.js';
import type { CellOutcome } from './outcome.js';
import type { Cell, SweepErrorCode } from './plan.js';

const FILE = fileURLToPath(new URL('./cell-process.js', import.meta.url));

/** A cell, or an experiment that is resolved already; simulated ones may have costs of their own. */
export type Work =
  | Pick<Cell, 'input'>
  | { readonly experiment: Experiment; readonly costs?: Costs | undefined };

/** What the child says: after each move how many were made, and at last what came of it. */
export type CellWord = { readonly made: number } | { readonly outcome: CellOutcome };

export class CellRunner {
  #child: ChildProcess | null = null;

  /**
   * Never rejects: a child that dies is an outcome. One cell at a time.
   * @param onMove called after each move, with how many were made
   */
  run(work: Work, onMove: (made: number) => void = () => {}): Promise<CellOutcome> {
    this.#child ??= this.#start();
    const child = this.#child;
    return new Promise((resolve) => {
      const settle = (outcome: CellOutcome): void => {
        child.off('message', onMessage);
        child.off('exit', onExit);
        resolve(outcome);
      };
      const onMessage = (m: unknown): void => {
        const told = m as CellWord;
        if ('made' in told) onMove(told.made);
        else settle(told.outcome);
      };
      const onExit = (code: number | null, signal: string | null): void => {
        const died: SweepErrorCode = 'SWEEP_CHILD_DIED';
        settle({ ok: false, code: died, text: `its process ended with ${signal ?? code}` });
      };
      child.on('message', onMessage);
      child.on('exit', onExit);
      child.send({ work }, (e) => {
        if (e !== null) onExit(child.exitCode, child.signalCode);
      });
    });
  }

  /** Ends the child; a cell that is under way comes out as died. */
  end(): void {
    this.#child?.kill('SIGKILL');
    this.#child = null;
  }

  /** The child's process id; null before the first cell. */
  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  #start(): ChildProcess {
    const child = fork(FILE, [], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
      execArgv: [],
    });
    child.stdout?.resume();
    child.once('exit', () => {
      if (this.#child === child) this.#child = null;
    });
    return child;
  }
}
