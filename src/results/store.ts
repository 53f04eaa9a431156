/**
 * A folder of result files, and an index that makes listing a thousand of them cheap.
 *
 *   STORE/
 *     index.json                    what `list` shows, kept by path, size and time; made anew where it does not fit
 *     2026-01-02T03-04-05/result.json    as longhaul run writes it
 *     3f2a9c….json                  as a sweep writes it: named by the cell
 *
 * The files are what counts: an index that is lost, old or torn costs one reading of them and nothing else.
 * A result appears whole or not at all (write, sync, rename), and a name is never given twice.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { ConfigError } from '../core/index.js';
import type { RunResult } from '../lab/result.js';
import { median, metric, valuesOf } from '../report/index.js';
import { idOf, RESULT_NAME, type ResultsErrorCode, readResult, type StoredResult } from './result-file.js';

const INDEX = 'index.json';
const INDEX_SCHEMA = 'longhaul/index/1';

/** What a list says of a result. */
export interface StoreEntry {
  readonly id: string;
  /** Relative to the store. */
  readonly file: string;
  readonly name: string;
  readonly startedAt: string;
  readonly label: RunResult['label'];
  readonly attach: string;
  readonly profile: string;
  readonly mode: string;
  readonly memoryBytes: number;
  readonly seed: number;
  readonly revision: string;
  readonly moves: number;
  readonly completed: number;
  /** Medians over completed moves; null when there is none. */
  readonly pauseNs: number | null;
  readonly totalNs: number | null;
}

/** A file that looks like a result and cannot be read as one. */
export interface Unreadable {
  readonly file: string;
  readonly why: string;
}

interface IndexedFile {
  readonly size: number;
  readonly mtimeMs: number;
  readonly entry: StoreEntry;
}

export class ResultStore {
  readonly dir: string;

  /** @param dir made when something is added */
  constructor(dir: string) {
    this.dir = dir;
  }

  /** Every result, oldest first, and what could not be read. */
  list(): { readonly entries: readonly StoreEntry[]; readonly unreadable: readonly Unreadable[] } {
    const known = this.#index();
    const now: Record<string, IndexedFile> = {};
    const unreadable: Unreadable[] = [];
    let changed = false;
    for (const file of this.#files()) {
      const { size, mtimeMs } = statSync(join(this.dir, file));
      const old = known[file];
      if (old !== undefined && old.size === size && old.mtimeMs === mtimeMs) {
        now[file] = old;
        continue;
      }
      changed = true;
      try {
        now[file] = { size, mtimeMs, entry: entryOf(file, readResult(join(this.dir, file))) };
      } catch (e) {
        unreadable.push({ file, why: e instanceof ConfigError ? e.line() : String(e) });
      }
    }
    if (changed || Object.keys(known).length !== Object.keys(now).length) this.#keepIndex(now);
    const entries = Object.values(now).map((f) => f.entry);
    entries.sort((a, b) => (a.startedAt < b.startedAt ? -1 : a.startedAt > b.startedAt ? 1 : 0));
    return { entries, unreadable };
  }

  has(id: string): boolean {
    return existsSync(join(this.dir, `${id}.json`));
  }

  /**
   * Adds a result under a name that it has for ever.
   * @returns false when it is there already; what is there stays
   * @throws ConfigError `RESULTS_WRITE`
   */
  add(id: string, result: unknown): boolean {
    const file = join(this.dir, `${id}.json`);
    const draft = join(this.dir, `.${id}.${process.pid}`);
    try {
      mkdirSync(this.dir, { recursive: true });
      const fd = openSync(draft, 'w');
      try {
        writeFileSync(fd, `${JSON.stringify(result)}\n`);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      linkSync(draft, file);
      return true;
    } catch (cause) {
      const why = (cause as NodeJS.ErrnoException).code ?? String(cause);
      if (why === 'EEXIST') return false;
      throw new ConfigError<ResultsErrorCode>('RESULTS_WRITE', `${file} cannot be written (${why})`, {
        cause,
        hint: 'give a folder that this user may write',
      });
    } finally {
      rmSync(draft, { force: true });
    }
  }

  /**
   * The results that a word names: a file, a folder with a result or a whole store, or an id of this store or the
   * beginning of one.
   * @throws ConfigError `RESULTS_NONE`, `RESULTS_AMBIGUOUS`, and as `readResult`
   */
  find(word: string): StoredResult[] {
    if (existsSync(word)) {
      if (!statSync(word).isDirectory() || existsSync(join(word, RESULT_NAME))) return [readResult(word)];
      const other = new ResultStore(word);
      const found = other.#files().map((file) => readResult(join(word, file)));
      if (found.length > 0) return found;
    }
    const ids = this.#files().filter((file) => idOf(file).startsWith(word));
    const exact = ids.find((file) => idOf(file) === word);
    if (exact !== undefined) return [readResult(join(this.dir, exact))];
    if (ids.length === 1) return [readResult(join(this.dir, ids[0]!))];
    if (ids.length > 1) {
      const some = ids.slice(0, 5).map(idOf).join(', ');
      throw new ConfigError<ResultsErrorCode>(
        'RESULTS_AMBIGUOUS',
        `${word} begins ${ids.length} ids of ${this.dir}: ${some}${ids.length > 5 ? ', …' : ''}`,
        { hint: 'write more of it' },
      );
    }
    throw new ConfigError<ResultsErrorCode>(
      'RESULTS_NONE',
      `${word} is neither a file nor an id of ${this.dir}`,
      {
        hint: 'longhaul results list shows the ids; --store DIR names another store',
      },
    );
  }

  /** Names of files that may hold results, relative to the store. */
  #files(): string[] {
    if (!existsSync(this.dir)) return [];
    return readdirSync(this.dir, { withFileTypes: true }).flatMap((e) => {
      if (e.isDirectory())
        return existsSync(join(this.dir, e.name, RESULT_NAME)) ? [join(e.name, RESULT_NAME)] : [];
      return isResultName(e.name) ? [e.name] : [];
    });
  }

  #index(): Readonly<Record<string, IndexedFile>> {
    try {
      const index = JSON.parse(readFileSync(join(this.dir, INDEX), 'utf8'));
      return index.schema === INDEX_SCHEMA ? index.files : {};
    } catch {
      return {}; // none yet, or torn
    }
  }

  #keepIndex(files: Readonly<Record<string, IndexedFile>>): void {
    const draft = join(this.dir, `.${INDEX}.${process.pid}`);
    try {
      writeFileSync(draft, `${JSON.stringify({ schema: INDEX_SCHEMA, files })}\n`);
      renameSync(draft, join(this.dir, INDEX));
    } catch {
      rmSync(draft, { force: true }); // a store that may only be read is listed all the same
    }
  }
}

/** Other things that stand in a store have a second ending: `plan.sweep.json`, `3f2a.failed.json`. */
function isResultName(name: string): boolean {
  return /^[^.][^.]*\.json$/.test(basename(name)) && name !== INDEX;
}

function entryOf(file: string, { id, result }: StoredResult): StoreEntry {
  const completed = result.migrations.filter((m) => m.outcome === 'completed').length;
  const mid = (key: string): number | null => {
    const values = valuesOf(result, metric(key));
    return values.length === 0 ? null : median(values);
  };
  return {
    id,
    file,
    name: result.experiment.name,
    startedAt: result.startedAt,
    label: result.label,
    attach: result.attach,
    profile: result.profile,
    mode: result.experiment.migration.mode,
    memoryBytes: result.experiment.guest.memoryBytes,
    seed: result.seed,
    revision: result.revision,
    moves: result.migrations.length,
    completed,
    pauseNs: mid('pauseNs'),
    totalNs: mid('totalNs'),
  };
}
