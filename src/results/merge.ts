/**
 * Brings the parts of a sweep together that ran in several places. Parts of different revisions are refused: their
 * figures answer different questions. A cell that is in two parts counts once.
 */
import { existsSync, statSync } from 'node:fs';
import { ConfigError } from '../core/index.js';
import type { ResultsErrorCode, StoredResult } from './result-file.js';
import { ResultStore } from './store.js';

export interface Merged {
  readonly added: number;
  /** Already there under the same name. */
  readonly already: number;
}

/**
 * @param into the store that takes all; what it holds must be of the same revision
 * @throws ConfigError `RESULTS_REVISION`, `RESULTS_NONE`, `RESULTS_CLASH`; then nothing was changed
 */
export function mergeStores(into: string, parts: readonly string[]): Merged {
  const store = new ResultStore(into);
  const there = existsSync(into) && statSync(into).isDirectory() && store.list().entries.length > 0;
  const all = [...(there ? store.find(into) : []), ...parts.flatMap((part) => store.find(part))];
  refuseRevisions(all);
  const unique = new Map<string, StoredResult>();
  for (const one of all) {
    const other = unique.get(one.id);
    if (other === undefined) unique.set(one.id, one);
    else refuseClash(other, one);
  }
  let added = 0;
  for (const { id, result } of unique.values()) if (store.add(id, result)) added++;
  return { added, already: all.length - added };
}

function refuseRevisions(all: readonly StoredResult[]): void {
  const byRevision = new Map<string, StoredResult[]>();
  for (const r of all) byRevision.set(r.result.revision, [...(byRevision.get(r.result.revision) ?? []), r]);
  if (byRevision.size <= 1) return;
  const parts = [...byRevision].map(([revision, of]) => `${revision} (${of.length}, such as ${of[0]!.file})`);
  throw new ConfigError<ResultsErrorCode>(
    'RESULTS_REVISION',
    `the parts were made by different revisions: ${parts.join('; ')}`,
    {
      hint: 'run the missing cells with one revision; longhaul results compare sets two revisions side by side',
    },
  );
}

/** The same cell may have been run twice, by a worker that was thought lost: simulated it is the same to the digit. */
function refuseClash(a: StoredResult, b: StoredResult): void {
  const same = JSON.stringify(a.result.experiment) === JSON.stringify(b.result.experiment);
  if (same && a.result.traceHash === b.result.traceHash) return;
  throw new ConfigError<ResultsErrorCode>(
    'RESULTS_CLASH',
    `${a.file} and ${b.file} have the same name and are different experiments`,
    { hint: 'they are not parts of one sweep: merge them into two stores' },
  );
}
