/**
 * Measured runs in a folder, one file a run, so that a measurement may be made in pieces and compared again later.
 *
 *   DIR/CELL.TURN.json    a result, as `longhaul run` writes it
 *
 * A run that lies there is not made again. A file is written whole or not at all.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseResult, type RunResult } from '../../src/lab/result.js';

export class RunFolder {
  readonly #dir: string;

  constructor(dir: string) {
    mkdirSync(dir, { recursive: true });
    this.#dir = dir;
  }

  has(cell: string, turn: number): boolean {
    return existsSync(this.#path(cell, turn));
  }

  /** The cell's runs, of turn 0 and on, up to the first that is missing. @throws what a file that is no result throws */
  of(cell: string): RunResult[] {
    const runs: RunResult[] = [];
    for (let turn = 0; this.has(cell, turn); turn++) {
      const path = this.#path(cell, turn);
      runs.push(parseResult(JSON.parse(readFileSync(path, 'utf8')), path));
    }
    return runs;
  }

  add(cell: string, turn: number, result: RunResult): void {
    const path = this.#path(cell, turn);
    writeFileSync(`${path}.part`, JSON.stringify(result));
    renameSync(`${path}.part`, path);
  }

  #path(cell: string, turn: number): string {
    return join(this.#dir, `${cell}.${turn}.json`);
  }
}

export interface OpenRun<C> {
  readonly cell: C;
  readonly turn: number;
}

/** What is still to be measured: every cell once, then every cell once more, so that each meets the machine's moods alike. */
export function openRuns<C extends { readonly name: string }>(
  cells: readonly C[],
  turns: number,
  folder: Pick<RunFolder, 'has'>,
): OpenRun<C>[] {
  return Array.from({ length: turns }, (_, turn) => turn).flatMap((turn) =>
    cells.filter((cell) => !folder.has(cell.name, turn)).map((cell) => ({ cell, turn })),
  );
}
