/** What the bench's report shows before the runs: the table with limits and ratios, and how figures go along each axis. */
import { formatBps, formatNs } from '../../src/core/index.js';
import type { MigrationResult, RunResult } from '../../src/lab/result.js';
import {
  figure,
  htmlTable,
  median,
  metric,
  pauseLimitNs,
  type Trend,
  type TrendAxes,
  totalLimitNs,
  trendPlot,
  valuesOf,
} from '../../src/report/index.js';
import { DIRTY, DISTANCES, MEMORIES, MODES, type Point } from './cells.js';

export interface Measured {
  readonly point: Point;
  readonly result: RunResult;
}

type Limit = ((m: MigrationResult, r: RunResult) => number | null) | null;

/** @param base from which the cells differ */
export function benchSections(measured: readonly Measured[], base: Point): string {
  return [overview(measured), ...plots(measured, base)].join('\n');
}

function overview(measured: readonly Measured[]): string {
  const rows = measured.map(({ point: p, result: r }) => {
    const mid = (of: (m: MigrationResult) => number | null): number =>
      median(r.migrations.flatMap((m) => of(m) ?? []));
    const complete = (m: MigrationResult): number => metric('completeNs').of(m, r)!;
    return [
      [p.mode, p.transport, p.distance, p.memory, p.dirty.replace('MBps', ' MB/s')].join(' · '),
      String(r.migrations.length),
      r.rtt === null ? '–' : formatNs(r.rtt.p50Ns),
      formatNs(mid((m) => m.pauseNs)),
      formatNs(mid((m) => pauseLimitNs(r, m))),
      mid((m) => m.pauseNs! / pauseLimitNs(r, m)).toFixed(1),
      formatNs(mid(complete)),
      formatNs(mid((m) => totalLimitNs(r, m))),
      mid((m) => complete(m) / totalLimitNs(r, m)!).toFixed(2),
      formatNs(mid((m) => metric('gapNs').of(m, r))),
      formatBps(mid((m) => m.throughputBps)),
    ];
  });
  const titles = [
    'cell',
    'moves',
    'RTT',
    'pause',
    'limit',
    '×',
    'complete',
    'limit',
    '×',
    'gap',
    'throughput',
  ];
  return `<h2>Against the limits</h2><p>Medians. The pause's limit is one way and the pages in it at the rate; the whole move's, until all memory is there, is all of it at the rate. The experiment of 2009 asked for a round trip under 1 ms.</p>${htmlTable(
    titles.map((title, i) => ({ title, numeric: i > 0 })),
    rows,
  )}`;
}

function plots(measured: readonly Measured[], base: Point): string[] {
  const revisions = [...new Set(measured.map((m) => m.result.revision))].join(', ');
  const caption = `Medians with p5 to p95; dashed: the physical limit. All cells of this bench at longhaul ${revisions}, seed 7.`;
  const draw = (
    key: 'pauseNs' | 'completeNs' | 'gapNs' | 'throughputBps',
    limit: Limit,
    axis: 'distance' | 'dirty' | 'memory',
  ): string => {
    const steps = { distance: DISTANCES, dirty: Object.keys(DIRTY), memory: MEMORIES }[axis];
    const fits = measured.filter((m) => onAxis(m.point, axis, base));
    const seen = steps.filter((step) => fits.some((m) => m.point[axis] === step));
    if (seen.length < 2) return '';
    const { title, format } = metric(key);
    const axes: TrendAxes = {
      steps: seen,
      x: { distance: 'distance, km of fiber', dirty: 'dirty rate', memory: 'guest memory' }[axis],
      y: title,
      format,
    };
    const name = `${title.charAt(0).toUpperCase()}${title.slice(1)} by ${axes.x.split(',')[0]}`;
    const plot = trendPlot(trendsOf(fits, key, limit, axis), axes, `bench-${key}-${axis}`, name, caption);
    return plot === null ? '' : figure(plot);
  };
  const pauseLimit: Limit = (m, r) => pauseLimitNs(r, m);
  const totalLimit: Limit = (m, r) => totalLimitNs(r, m);
  return [
    draw('pauseNs', pauseLimit, 'distance'),
    draw('completeNs', totalLimit, 'distance'),
    draw('throughputBps', null, 'distance'),
    draw('gapNs', null, 'distance'),
    draw('pauseNs', pauseLimit, 'dirty'),
    draw('completeNs', totalLimit, 'dirty'),
    draw('pauseNs', pauseLimit, 'memory'),
    draw('completeNs', totalLimit, 'memory'),
  ];
}

/** Cells in which only this axis, the mode and the transport differ from the base. */
function onAxis(p: Point, axis: 'distance' | 'dirty' | 'memory', base: Point): boolean {
  return (['distance', 'dirty', 'memory'] as const).every((key) => key === axis || p[key] === base[key]);
}

function trendsOf(
  measured: readonly Measured[],
  key: string,
  limit: Limit,
  axis: 'distance' | 'dirty' | 'memory',
): Trend[] {
  return (['tcp', 'udp'] as const).flatMap((transport) =>
    MODES.map((mode) => ({
      name: `${mode}, ${transport}`,
      points: measured
        .filter((m) => m.point.mode === mode && m.point.transport === transport)
        .map(({ point, result }) => ({
          step: point[axis],
          values: valuesOf(result, metric(key)),
          limit: limit === null ? null : median(result.migrations.flatMap((m) => limit(m, result) ?? [])),
        })),
    })),
  );
}
