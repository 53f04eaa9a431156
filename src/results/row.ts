/**
 * Results as tidy tables: one row a move, one column a quantity, each column of one type and with its unit in its
 * name. So CSV and newline-delimited JSON load into any data frame, and into Parquet, without a cast.
 *
 *   duckdb -c "copy (from read_json('moves.ndjson')) to 'moves.parquet'"
 */
import { PAGE_SIZE } from '../core/index.js';
import type { MigrationResult, RunResult } from '../lab/result.js';
import { METRICS, machineOf, pathOf, pauseLimitNs, totalLimitNs } from '../report/index.js';
import type { StoredResult } from './result-file.js';

/** As Parquet and Arrow name them; `null` stands for "not measured" in every one. */
export type ColumnType = 'string' | 'boolean' | 'int64' | 'double';
export type Cell = string | number | boolean | null;

export interface ExportColumn {
  readonly name: string;
  readonly type: ColumnType;
  of(move: MigrationResult, run: RunResult, id: string): Cell;
}

const text = (name: string, of: ExportColumn['of']): ExportColumn => ({ name, type: 'string', of });
const whole = (name: string, of: ExportColumn['of']): ExportColumn => ({ name, type: 'int64', of });
const real = (name: string, of: ExportColumn['of']): ExportColumn => ({ name, type: 'double', of });
const flag = (name: string, of: ExportColumn['of']): ExportColumn => ({ name, type: 'boolean', of });

export const COLUMNS: readonly ExportColumn[] = [
  text('result', (_m, _r, id) => id),
  text('name', (_m, r) => r.experiment.name),
  text('startedAt', (_m, r) => r.startedAt),
  text('label', (_m, r) => r.label),
  text('revision', (_m, r) => r.revision),
  text('machine', (_m, r) => machineOf(r)),
  text('attach', (_m, r) => r.attach),
  whole('seed', (_m, r) => r.seed),
  text('profile', (_m, r) => r.profile),
  whole('oneWayNs', (m, r) => pathOf(r, m.from).oneWayNs),
  real('rateBps', (m, r) => finite(pathOf(r, m.from).rateBps)),
  real('lossProb', (m, r) => pathOf(r, m.from).lossProb),
  whole('memoryBytes', (_m, r) => r.experiment.guest.memoryBytes),
  text('fill', (_m, r) => r.experiment.guest.fill),
  text('dirtyModel', (_m, r) => r.experiment.guest.dirty.model),
  real('dirtyBytesPerS', (_m, r) => r.experiment.guest.dirty.pagesPerS * PAGE_SIZE),
  text('mode', (m, r) => m.mode ?? r.experiment.migration.mode),
  text('transport', (m, r) => m.transport?.name ?? r.experiment.migration.transport),
  text('congestion', (m, r) => m.transport?.congestion ?? r.experiment.migration.congestion),
  whole('streams', (m, r) => m.transport?.streams ?? r.experiment.migration.streams),
  text('compress', (_m, r) => r.experiment.migration.compress),
  text('delta', (_m, r) => r.experiment.migration.delta),
  text('dedup', (_m, r) => r.experiment.migration.dedup),
  flag('fec', (_m, r) => r.experiment.migration.fec),
  flag('secure', (_m, r) => r.experiment.migration.secure),
  whole('move', (m) => m.index),
  text('from', (m) => m.from),
  text('outcome', (m) => m.outcome),
  flag('memoryIdentical', (m) => m.memoryIdentical),
  ...METRICS.map((metric) => ({
    name: metric.key,
    type: 'double' as const,
    of: (m: MigrationResult, r: RunResult) => metric.of(m, r),
  })),
  real('pauseLimitNs', (m, r) => finite(pauseLimitNs(r, m))),
  real('totalLimitNs', (m, r) => totalLimitNs(r, m)),
  whole('pagesInPause', (m) => m.pagesInPause),
  whole('rttP50Ns', (_m, r) => r.rtt?.p50Ns ?? null),
  whole('latenessP50Ns', (_m, r) => r.lateness?.p50Ns ?? null),
  whole('latenessP99Ns', (_m, r) => r.lateness?.p99Ns ?? null),
];

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

export type Row = Readonly<Record<string, Cell>>;

/** One row a move. */
export function rowsOf({ id, result }: StoredResult): Row[] {
  return result.migrations.map((m) =>
    Object.fromEntries(
      COLUMNS.map(({ name, type, of }) => {
        const value = of(m, result, id);
        return [name, type === 'int64' && typeof value === 'number' ? Math.round(value) : value];
      }),
    ),
  );
}

/** With a header, fields quoted where RFC 4180 asks for it; an empty field is "not measured". */
export function csvOf(rows: readonly Row[]): string {
  const field = (cell: Cell): string => {
    const value = cell === null ? '' : String(cell);
    return /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
  };
  const names = COLUMNS.map((c) => c.name);
  const lines = rows.map((row) => names.map((name) => field(row[name] ?? null)).join(','));
  return `${[names.join(','), ...lines].join('\r\n')}\r\n`;
}

/** One object a line. */
export function ndjsonOf(rows: readonly Row[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
}
