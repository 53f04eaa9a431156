/**
 * Results side by side: the first is the base, every other stands as a ratio to it with its interval of 95 %.
 * What makes a comparison unfair is said with it, never left for the reader to find.
 */
import type { RunResult } from '../lab/result.js';
import { percent } from './figures.js';
import { METRICS, type Metric, valuesOf } from './metrics.js';
import { OTHER_USE_NOTED, otherUse } from './processor-words.js';
import { median, quantile, sorted } from './quantile.js';
import { type Ratio, ratioOfMedians } from './statistics.js';
import { type Column, formatTable, type Paint, paint, wrap } from './table.js';

/** A result and what people call it. */
export interface NamedResult {
  readonly name: string;
  readonly result: RunResult;
}

export interface Compared {
  readonly name: string;
  readonly n: number;
  readonly p50: number;
  readonly p5: number;
  readonly p95: number;
  /** `null` for the base, and where there is nothing to divide by. */
  readonly ratio: Ratio | null;
}

export interface Comparison {
  readonly metric: Metric;
  readonly rows: readonly Compared[];
}

/** One comparison a metric that any of the results has. */
export function compareResults(results: readonly NamedResult[]): Comparison[] {
  return METRICS.flatMap((metric) => {
    const values = results.map(({ result }) => sorted(valuesOf(result, metric)));
    if (values.every((v) => v.every((x) => x === 0))) return [];
    const rows = results.map(({ name }, i) => comparedOf(name, values[i]!, i === 0 ? null : values[0]!));
    return [{ metric, rows }];
  });
}

function comparedOf(name: string, v: readonly number[], base: readonly number[] | null): Compared {
  const comparable = base !== null && base.length > 0 && v.length > 0 && median(base) > 0;
  return {
    name,
    n: v.length,
    p50: quantile(v, 0.5),
    p5: quantile(v, 0.05),
    p95: quantile(v, 0.95),
    ratio: comparable ? ratioOfMedians(base, v) : null,
  };
}

/** Fewer than this, and an interval says little. */
const FEW = 5;

/** Why these results should be compared with care, one sentence each. */
export function cautionsOf(results: readonly NamedResult[]): string[] {
  const cautions: string[] = [];
  const kinds = <T>(of: (r: RunResult) => T): T[] => [...new Set(results.map((r) => of(r.result)))];
  if (kinds((r) => r.label).length > 1) cautions.push('simulated and measured results stand side by side');
  const machines = new Set(
    results.filter((r) => r.result.label === 'measured').map((r) => machineOf(r.result)),
  );
  if (machines.size > 1)
    cautions.push(`measured on ${machines.size} machines: only results of one machine compare`);
  const revisions = kinds((r) => r.revision);
  if (revisions.length > 1) cautions.push(`made by different revisions: ${revisions.join(', ')}`);
  const few = results.filter((r) => r.result.migrations.length < FEW).map((r) => r.name);
  if (few.length > 0)
    cautions.push(`fewer than ${FEW} moves, so that an interval says little: ${few.join(', ')}`);
  const busy = results.filter(({ result: { processors: p } }) => p !== null && otherUse(p) > OTHER_USE_NOTED);
  if (busy.length > 0) {
    const most = Math.max(...busy.map(({ result }) => otherUse(result.processors!)));
    cautions.push(
      `the machine was in other use, up to ${percent(most)} of its processors, in ${busy.length} of ${results.length} runs: measured again on a quiet one, figures are better`,
    );
  }
  return cautions;
}

/** What tells one machine from another. */
export function machineOf({ machine: m }: RunResult): string {
  const size = `${Math.round(m.memoryBytes / 2 ** 30)} GiB`;
  return [m.name ?? '', m.cpu, `${m.cores} cores`, size, `kernel ${m.kernel}`, `Node ${m.node}`]
    .filter((word) => word !== '')
    .join(', ');
}

const WIDTH = 100;

/** The comparison as text. */
export function comparisonText(results: readonly NamedResult[], colour = false): string {
  const p = paint(colour);
  const tables = compareResults(results).map((c) => tableOf(c, p));
  const cautions = cautionsOf(results).flatMap((text) =>
    wrap(text, WIDTH, `${p.yellow('caution')}  `, '         '),
  );
  return [...tables, cautions]
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

const COLUMNS: readonly Column[] = [
  { title: 'result' },
  { title: 'p50', align: 'right' },
  { title: 'p5', align: 'right' },
  { title: 'p95', align: 'right' },
  { title: 'n', align: 'right' },
  { title: 'to the first', align: 'right' },
  { title: '95 %', align: 'right' },
];

function tableOf({ metric, rows }: Comparison, p: Paint): string[] {
  const cells = rows.map((r) => [
    r.name,
    ...(r.n === 0 ? ['–', '–', '–'] : [r.p50, r.p5, r.p95].map((v) => metric.format(v))),
    String(r.n),
    r.ratio === null ? '' : `× ${r.ratio.ratio.toFixed(2)}`,
    r.ratio === null ? '' : `${r.ratio.low.toFixed(2)}–${r.ratio.high.toFixed(2)}`,
  ]);
  const [head, ...lines] = formatTable(COLUMNS, cells);
  return [p.bold(metric.title) + p.dim(` (${metric.better} is better)`), p.dim(head!), ...lines];
}
