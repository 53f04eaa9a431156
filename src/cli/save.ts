/**
 * Where the result file goes. The directory is made and tried before the run, so that a minute's work
 * is not lost to a missing permission; the file appears whole or not at all (write, sync, rename).
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ConfigError } from '../core/index.js';
import type { RunResult } from '../lab/result.js';

export type SaveErrorCode = 'CLI_OUT_WRITE';

const FILE = 'result.json';

export interface ResultPlace {
  readonly file: string;
  /** Writes the file atomically. @throws ConfigError `CLI_OUT_WRITE` */
  save(result: RunResult): void;
  /** Removes what was made here; for a run that ends without a result. */
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
    const dirs = makeDirs(dir);
    closeSync(openSync(draft, 'w'));
    return dirs;
  });
  return {
    file,
    save: (result) =>
      attempt(dir, () => {
        const fd = openSync(draft, 'w');
        try {
          writeFileSync(fd, `${JSON.stringify(result)}\n`);
          fsyncSync(fd);
        } finally {
          closeSync(fd);
        }
        renameSync(draft, file);
      }),
    abandon: () => {
      rmSync(draft, { force: true });
      try {
        for (const d of made.reverse()) rmdirSync(d);
      } catch {
        // not empty: someone else has put something there
      }
    },
  };
}

/**
 * Makes a directory and those above it that are missing; returns the made ones, outermost first.
 * (mkdir's own `recursive` never returns where a parent exists but takes no entries, such as /proc:
 * seen with Node 20.)
 */
function makeDirs(dir: string): string[] {
  const missing: string[] = [];
  for (let d = resolve(dir); !existsSync(d); d = dirname(d)) missing.unshift(d);
  for (const d of missing) mkdirSync(d);
  return missing;
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
