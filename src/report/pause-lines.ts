/** The summary's section on the pause: its parts in order, their sum, and the announcement beside it. */
import { formatNs } from '../core/index.js';
import { PAUSE_PARTS, type RunResult } from '../lab/result.js';
import { formatCount } from './figures.js';
import { median, quantile, sorted } from './quantile.js';
import { type Column, formatTable, type Paint } from './table.js';

/** Each quantile is taken of its own row, so above the median the parts need not sum to the pause. */
export function pauseLines(r: RunResult, p: Paint): string[] {
  const done = r.migrations.filter((m) => m.pauseNs !== null && m.pauseParts !== null);
  if (done.length === 0) return [];
  const several = done.length > 1;
  const row = (name: string, values: readonly number[]): string[] => {
    const v = sorted(values);
    const figures = [formatNs(quantile(v, 0.5))];
    if (several) figures.push(formatNs(quantile(v, 0.99)), formatNs(v.at(-1)!));
    return [name, ...figures];
  };
  const parts = PAUSE_PARTS.map((part) =>
    row(
      partName(part),
      done.map((m) => m.pauseParts![part]),
    ),
  );
  const total = row(
    'pause',
    done.map((m) => m.pauseNs!),
  );
  const announced = done.flatMap((m) => (m.announceNs === null ? [] : [m.announceNs]));
  const beside = announced.length === 0 ? [] : [row('announce, after', announced)];
  const columns: Column[] = (several ? ['', 'p50', 'p99', 'max'] : ['', '']).map((title, i) =>
    i === 0 ? { title } : { title, align: 'right' },
  );
  const over = several ? `, over ${done.length} moves` : '';
  const pages = formatCount(median(done.map((m) => m.pagesInPause)));
  return [
    p.bold('Pause in its parts') +
      p.dim(` (target ${formatNs(r.experiment.migration.pauseTargetNs)}; ${pages} pages in it${over})`),
    ...formatTable(columns, [...parts, total, ...beside]),
  ];
}

/** `recordCommitNs` → `record commit` */
export function partName(part: string): string {
  return part.replace(/Ns$/, '').replace(/[A-Z]/g, (c) => ` ${c.toLowerCase()}`);
}
