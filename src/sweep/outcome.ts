/** What came of a cell, and how it is kept: a result under the cell's hash, or why there is none. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '../core/index.js';
import type { RunResult } from '../lab/result.js';
import { ResultStore } from '../results/index.js';
import type { Cell, SweepErrorCode } from './plan.js';

export type CellOutcome =
  | { readonly ok: true; readonly result: RunResult }
  | { readonly ok: false; readonly code: string; readonly text: string };

export interface FailedCell {
  readonly schema: 'longhaul/failed-cell/1';
  readonly hash: string;
  readonly name: string;
  readonly code: string;
  readonly text: string;
}

/** The results of a sweep in a folder. A cell has one result, whoever brings it and however often. */
export class SweepStore {
  readonly results: ResultStore;

  constructor(dir: string) {
    this.results = new ResultStore(dir);
  }

  /** @throws ConfigError `SWEEP_REVISION` when it holds results of another revision */
  refuseOther(revision: string): void {
    const other = this.results.list().entries.find((e) => e.revision !== revision);
    if (other === undefined) return;
    throw new ConfigError<SweepErrorCode>(
      'SWEEP_REVISION',
      `${this.results.dir} holds results of longhaul ${other.revision}, and this is ${revision}`,
      { hint: 'give another --store, or run the revision that began it' },
    );
  }

  has(cell: Cell): boolean {
    return this.results.has(cell.hash);
  }

  /** @returns false when the cell had a result already: nothing is counted twice */
  keep(cell: Cell, outcome: CellOutcome): boolean {
    if (outcome.ok) {
      rmSync(this.#failedFile(cell.hash), { force: true });
      return this.results.add(cell.hash, outcome.result);
    }
    const { code, text } = outcome;
    mkdirSync(this.results.dir, { recursive: true });
    const failed: FailedCell = {
      schema: 'longhaul/failed-cell/1',
      hash: cell.hash,
      name: cell.name,
      code,
      text,
    };
    writeFileSync(this.#failedFile(cell.hash), `${JSON.stringify(failed)}\n`);
    return true;
  }

  /** Cells that could not be run, and why. */
  failed(): FailedCell[] {
    const { dir } = this.results;
    if (!existsSync(dir)) return [];
    return readdirSync(dir)
      .filter((name) => name.endsWith('.failed.json'))
      .map((name) => JSON.parse(readFileSync(join(dir, name), 'utf8')) as FailedCell);
  }

  #failedFile(hash: string): string {
    return join(this.results.dir, `${hash}.failed.json`);
  }
}
