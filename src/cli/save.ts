/**
 * Where the result file goes. The directory is made and tried before the run, so that a minute's work
 * is not lost to a missing permission; the file appears whole or not at all (write, sync, rename).
 */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmdirSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '../core/index.js';
import type { RunResult } from '../lab/result.js';

export type SaveErrorCode = 'CLI_OUT_WRITE';

const FILE = 'result.json';

export interface ResultPlace {
  readonly file: string;
  /** Writes the file atomically. @throws ConfigError `CLI_OUT_WRITE` */
  save(result: RunResult): void;
  /** Removes the directory if this run made it and nothing was saved. */
  abandon(): void;
}

/**
 * @param outDir from `--out`; `null` for `results/TIME` in the working directory
 * @throws ConfigError `CLI_OUT_WRITE`
 */
export function prepareResultPlace(outDir: string | null, startedAt: Date): ResultPlace {
  const dir = outDir ?? join('results', startedAt.toISOString().slice(0, 19).replaceAll(':', '-'));
  const file = join(dir, FILE);
  // The process id keeps two runs that share a directory from sharing a half-written file.
  const draft = join(dir, `.${FILE}.${process.pid}`);
  const made = attempt(dir, () => {
    const first = mkdirSync(dir, { recursive: true });
    closeSync(openSync(draft, 'w'));
    return first !== undefined;
  });
  return {
    file,
    save: (result) =>
      attempt(dir, () => {
        const fd = openSync(draft, 'w');
        try {
          writeSync(fd, `${JSON.stringify(result)}\n`);
          fsyncSync(fd);
        } finally {
          closeSync(fd);
        }
        renameSync(draft, file);
      }),
    abandon: () => {
      rmSync(draft, { force: true });
      if (!made) return;
      try {
        rmdirSync(dir);
      } catch {
        // not empty: it holds the result, or something of someone else's
      }
    },
  };
}

function attempt<T>(dir: string, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new ConfigError<SaveErrorCode>('CLI_OUT_WRITE', `--out ${dir} cannot be written (${why})`, {
      cause,
      hint: 'give a directory that this user may write, --out DIR',
    });
  }
}
