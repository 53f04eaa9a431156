/** `longhaul results list|show|compare|export|merge`: what a store holds, as text or JSON. */
import { writeFileSync } from 'node:fs';
import { ConfigError, formatBytes, formatNs } from '../core/index.js';
import {
  cautionsOf,
  compareResults,
  comparisonText,
  formatTable,
  type NamedResult,
  paint,
  summarize,
} from '../report/index.js';
import {
  COLUMNS,
  csvOf,
  mergeStores,
  ndjsonOf,
  ResultStore,
  type ResultsErrorCode,
  rowsOf,
  type StoredResult,
} from '../results/index.js';
import { EXIT_OK } from './exit-codes.js';
import type { ExportTyped, ResultsTyped } from './results-command.js';

export interface ResultsContext {
  out(text: string): void;
  err(text: string): void;
  readonly colour: boolean;
}

export function resultsList(
  { store: dir, json }: ResultsTyped,
  { out, err, colour }: ResultsContext,
): number {
  const { entries, unreadable } = new ResultStore(dir).list();
  for (const { why } of unreadable) err(`longhaul: ${why}\n`);
  if (json) {
    out(`${JSON.stringify(entries)}\n`);
    return EXIT_OK;
  }
  const p = paint(colour);
  if (entries.length === 0) {
    out(`${dir} holds no result; longhaul run writes one\n`);
    return EXIT_OK;
  }
  const rows = entries.map((e) => [
    e.id,
    e.label === 'measured' ? e.attach : 'simulated',
    e.name || e.profile,
    e.mode,
    formatBytes(e.memoryBytes),
    `${e.completed}/${e.moves}`,
    e.pauseNs === null ? '–' : formatNs(e.pauseNs),
    e.totalNs === null ? '–' : formatNs(e.totalNs),
    e.revision,
  ]);
  const titles = [
    'result',
    'attach',
    'what',
    'mode',
    'memory',
    'moves',
    'pause p50',
    'total p50',
    'revision',
  ];
  const columns = titles.map((title, i) => ({
    title,
    align: i >= 4 && i <= 7 ? ('right' as const) : ('left' as const),
  }));
  const [head, ...lines] = formatTable(columns, rows, '');
  out(`${[p.dim(head!), ...lines].join('\n')}\n`);
  return EXIT_OK;
}

export function resultsShow(
  word: string,
  { store, json }: ResultsTyped,
  { out, colour }: ResultsContext,
): number {
  for (const { result } of new ResultStore(store).find(word))
    out(`${json ? JSON.stringify(result) : summarize(result, { colour })}\n`);
  return EXIT_OK;
}

export function resultsCompare(
  words: readonly string[],
  { store, json }: ResultsTyped,
  { out, colour }: ResultsContext,
): number {
  const results = namedResults(words, store);
  if (results.length < 2)
    throw new ConfigError<ResultsErrorCode>('RESULTS_NONE', 'one result has nothing to be compared with', {
      hint: 'name two or more; longhaul results show prints one',
    });
  if (!json) out(`${comparisonText(results, colour)}\n`);
  else {
    const metrics = compareResults(results).map(({ metric: { key, title, better }, rows }) => ({
      key,
      title,
      better,
      rows,
    }));
    out(`${JSON.stringify({ metrics, cautions: cautionsOf(results) })}\n`);
  }
  return EXIT_OK;
}

export function resultsExport(words: readonly string[], typed: ExportTyped, { out }: ResultsContext): number {
  if (typed.columns) {
    out(COLUMNS.map(({ name, type }) => `${name} ${type}\n`).join(''));
    return EXIT_OK;
  }
  const rows = findAll(words.length > 0 ? words : [typed.store], typed.store).flatMap(rowsOf);
  const text = typed.format === 'csv' ? csvOf(rows) : ndjsonOf(rows);
  if (typed.out === undefined) out(text);
  else writeText(typed.out, text);
  return EXIT_OK;
}

export function resultsMerge(
  parts: readonly string[],
  into: string,
  { json }: ResultsTyped,
  { out }: ResultsContext,
): number {
  const merged = mergeStores(into, parts);
  out(
    json
      ? `${JSON.stringify(merged)}\n`
      : `${merged.added} added to ${into}, ${merged.already} were there already or came twice\n`,
  );
  return EXIT_OK;
}

function findAll(words: readonly string[], storeDir: string): StoredResult[] {
  const store = new ResultStore(storeDir);
  return words.flatMap((word) => store.find(word));
}

/** The results that words name, each called by its experiment's name and id. */
export function namedResults(words: readonly string[], storeDir: string): NamedResult[] {
  return findAll(words, storeDir).map(({ id, result }) => ({
    name: result.experiment.name === '' ? id : `${result.experiment.name} (${id})`,
    result,
  }));
}

/** @throws ConfigError `RESULTS_WRITE` */
export function writeText(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new ConfigError<ResultsErrorCode>('RESULTS_WRITE', `--out ${file} cannot be written (${why})`, {
      cause,
      hint: 'name a file in a folder that this user may write',
    });
  }
}
