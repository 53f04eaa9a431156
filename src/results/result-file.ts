/**
 * Reads what `longhaul run` wrote, whatever version of longhaul it was.
 *
 *   longhaul/result/1, early     fields that came later are filled in with the value that means "not measured"
 *   longhaul/result/2 and later  refused: the file needs the longhaul that knows it
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ConfigError } from '../core/index.js';
import { parseResult, type RunResult } from '../lab/result.js';

export type ResultsErrorCode =
  | 'RESULTS_READ'
  | 'RESULTS_NONE'
  | 'RESULTS_AMBIGUOUS'
  | 'RESULTS_CLASH'
  | 'RESULTS_REVISION'
  | 'RESULTS_WRITE';

/** A result and where it lies. */
export interface StoredResult {
  /** What it is called in its store. */
  readonly id: string;
  readonly file: string;
  readonly result: RunResult;
}

/** The file that `longhaul run` writes into a folder of its own. */
export const RESULT_NAME = 'result.json';

/** `results/2026-01-02T03-04-05/result.json` and `store/3f2a….json` are called by what tells them apart. */
export function idOf(file: string): string {
  const name = basename(file);
  return name === RESULT_NAME ? basename(dirname(file)) || name : name.replace(/\.json$/, '');
}

/** @throws ConfigError `RESULTS_READ`, `LAB_RESULT_VERSION`, `LAB_RESULT_SHAPE` */
export function readResult(path: string): StoredResult {
  const file = existsSync(path) && statSync(path).isDirectory() ? join(path, RESULT_NAME) : path;
  return { id: idOf(file), file, result: parseResult(readJson(file), file) };
}

/** @throws ConfigError `RESULTS_READ` */
export function readJson(file: string): unknown {
  const refuse = (why: string, cause: unknown): never => {
    throw new ConfigError<ResultsErrorCode>('RESULTS_READ', `${file} cannot be read (${why})`, {
      cause,
      hint: 'give a result.json that longhaul run wrote, its folder, or an id that longhaul results list shows',
    });
  };
  let text = '';
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    refuse((cause as NodeJS.ErrnoException).code ?? 'unknown error', cause);
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    return refuse('not JSON', cause);
  }
}
