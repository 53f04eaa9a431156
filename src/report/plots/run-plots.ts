/** A whole run: what clients saw, how its moves differ, how late the fabric was. */
import { formatNs } from '../../core/index.js';
import type { MigrationResult, RunResult } from '../../lab/result.js';
import { formatCount } from '../figures.js';
import { median, quantile, sorted } from '../quantile.js';
import {
  decades,
  inner,
  legend,
  linear,
  logarithmic,
  type Plot,
  svg,
  timeUnit,
  upTo,
  WIDTH,
  xAxis,
  yAxis,
} from './frame.js';
import { dot, moveTimes } from './move-plots.js';
import { series } from './style.js';
import { bar, el, linePath, text } from './svg.js';

/** Round trips of each session by the instant of their request; log scale, since a pause is a thousand times one. */
export function rttPlot(m: MigrationResult, oneWayNs: number, id: string, caption: string): Plot | null {
  const clients = m.clients.filter((c) => c.rttCourse !== null);
  if (clients.length === 0) return null;
  const times = moveTimes(m, oneWayNs);
  const around = 0.35 * Math.max(m.totalNs, 200e6);
  const fromNs = -around;
  const toNs = (times?.endNs ?? m.totalNs) + around;
  const lines = clients.map((c) => {
    const { startNs, binNs, count, minNs, maxNs, meanNs } = c.rttCourse!;
    const bins = count.flatMap((n, i) => {
      const atNs = startNs + (i + 0.5) * binNs - m.startNs;
      return n === 0 || atNs < fromNs || atNs > toNs
        ? []
        : [{ atNs, low: minNs[i]!, high: maxNs[i]!, mean: meanNs[i]! }];
    });
    return { c, bins, binNs };
  });
  const all = lines.flatMap((l) => l.bins.flatMap((b) => [b.low, b.high]));
  if (all.length === 0) return null;
  const margins = { top: 46, right: 20, bottom: 46, left: 84 };
  const height = 310;
  const { x, y } = inner(height, margins);
  const unit = timeUnit(toNs);
  const xs = linear([fromNs / unit.ns, toNs / unit.ns], x);
  const ys = logarithmic(decades(all), y);
  const marks = lines.flatMap(({ bins, binNs }, i) => {
    const pieces = bins.map((b, k) => (k > 0 && b.atNs - bins[k - 1]!.atNs > 6 * binNs ? [null, b] : [b]));
    const points = pieces.flat();
    const at = (b: (typeof bins)[number], ns: number): readonly [number, number] => [
      xs(b.atNs / unit.ns),
      ys(ns),
    ];
    const band = linePath([
      ...bins.map((b) => at(b, b.high)),
      ...[...bins].reverse().map((b) => at(b, b.low)),
    ]);
    return [
      el('path', { d: `${band}Z`, style: `fill:${series(i)};opacity:.18` }),
      el('path', {
        class: 'line',
        d: linePath(points.map((b) => (b === null ? null : at(b, b.mean)))),
        style: `stroke:${series(i)};stroke-width:1.4`,
      }),
    ];
  });
  const shade = (from: number, to: number, fill: string): string =>
    el('rect', {
      x: xs(from / unit.ns),
      y: y[1],
      width: Math.max(1.5, xs(to / unit.ns) - xs(from / unit.ns)),
      height: y[0] - y[1],
      style: `fill:${fill}`,
    });
  const title = `What clients saw of move ${m.index + 1}`;
  return {
    id,
    title,
    caption,
    svg: svg(
      height,
      title,
      shade(0, times?.endNs ?? m.totalNs, 'var(--wash)'),
      times === null ? '' : shade(times.pauseNs, times.startedNs, 'var(--pause);opacity:.3'),
      xAxis(
        xs,
        `when the request was sent, ${unit.name} since the offer; the move is shaded, its pause darker`,
        height,
        margins,
      ),
      yAxis(ys, 'round trip (log scale); line: mean, band: shortest to longest', height, margins, formatNs),
      ...marks,
      legend(
        lines.map(({ c }, i) => ({ name: `${c.kind} at ${c.site}`, colour: series(i) })),
        margins,
      ),
    ),
  };
}

const PARTS = [
  { name: 'before the flight', of: ['stopNs', 'harvestNs', 'saveStateNs', 'recordCommitNs'], colour: 's1' },
  { name: 'send', of: ['sendNs'], colour: 's6' },
  { name: 'propagate', of: ['propagateNs'], colour: 's0' },
  { name: 'apply, verify', of: ['applyNs', 'verifyNs', 'recordRunningNs'], colour: 's3' },
  { name: 'start', of: ['startNs'], colour: 's2' },
] as const;

/** The pause of every move, stacked by its parts, beside the limit. */
export function pausesPlot(
  run: RunResult,
  limitsNs: readonly number[],
  id: string,
  caption: string,
): Plot | null {
  const done = run.migrations.filter((m) => m.pauseParts !== null && m.pauseNs !== null);
  if (done.length < 2) return null;
  const margins = { top: 46, right: 20, bottom: 46, left: 84 };
  const height = 280;
  const { x, y } = inner(height, margins);
  const unit = timeUnit(Math.max(...done.map((m) => m.pauseNs!)));
  const ys = linear(upTo(Math.max(...done.map((m) => m.pauseNs!)) / unit.ns), y);
  const step = (x[1] - x[0]) / done.length;
  const width = Math.max(1.5, Math.min(46, step * 0.72));
  const xs = Object.assign((v: number) => x[0] + (v - 0.5) * step, {
    ticks: () => {
      const every = Math.max(1, Math.ceil(done.length / 20));
      return done.map((_, i) => i + 1).filter((n) => n === 1 || n % every === 0);
    },
    isLog: false,
  });
  const marks = done.flatMap((m, i) => {
    let ns = 0;
    const at = xs(i + 1) - width / 2;
    const stack = PARTS.map(({ name, of, colour }) => {
      const part = of.reduce((sum, key) => sum + m.pauseParts![key], 0);
      const top = ys((ns + part) / unit.ns);
      const shape = bar(
        at,
        top,
        width,
        ys(ns / unit.ns) - top,
        `var(--${colour})`,
        `${name}: ${formatNs(part)}`,
      );
      ns += part;
      return shape;
    });
    const limit = ys(limitsNs[i]! / unit.ns);
    return [...stack, el('line', { class: 'limit', x1: at - 3, x2: at + width + 3, y1: limit, y2: limit })];
  });
  const p50 = median(done.map((m) => m.pauseNs!));
  const title = `Pause of all ${done.length} moves, p50 ${formatNs(p50)}`;
  return {
    id,
    title,
    caption,
    svg: svg(
      height,
      title,
      xAxis(xs, 'move', height, margins),
      yAxis(ys, `pause, ${unit.name}; dashed: the physical limit`, height, margins),
      ...marks,
      legend(
        PARTS.map(({ name, colour }) => ({ name, colour: `var(--${colour})` })),
        margins,
      ),
    ),
  };
}

/** How much later than due the fabric released frames, beside the one-way delay that it emulates. */
export function latenessPlot(run: RunResult, oneWayNs: number, id: string, caption: string): Plot | null {
  const { lateness: l } = run;
  if (l === null) return null;
  const rows = [
    ['p50', l.p50Ns],
    ['p99', l.p99Ns],
    ['p99.9', l.p999Ns],
    ['longest', l.maxNs],
  ] as const;
  const margins = { top: 34, right: 80, bottom: 46, left: 84 };
  const height = margins.top + rows.length * 26 + margins.bottom;
  const { x, y } = inner(height, margins);
  const domain = decades([...rows.map(([, ns]) => ns), oneWayNs]);
  const xs = logarithmic(domain, x);
  const title = `Lateness of the fabric over ${formatCount(l.count)} releases`;
  const delay = xs(oneWayNs);
  return {
    id,
    title,
    caption,
    svg: svg(
      height,
      title,
      xAxis(xs, 'how much later than due a frame left (log scale)', height, margins, formatNs),
      ...rows.map(([name, ns], i) => {
        const at = margins.top + i * 26;
        return (
          text(x[0] - 10, at + 13, name, { 'text-anchor': 'end' }) +
          bar(x[0], at, xs(ns) - x[0], 17, series(0), `${name}: ${formatNs(ns)}`) +
          text(xs(ns) + 6, at + 13, formatNs(ns), { class: 'quiet' })
        );
      }),
      oneWayNs > 0 ? el('line', { class: 'limit', x1: delay, x2: delay, y1: y[0], y2: y[1] - 8 }) : '',
      oneWayNs > 0 ? text(delay + 5, y[1] - 12, `one way: ${formatNs(oneWayNs)}`, { class: 'quiet' }) : '',
    ),
  };
}

export interface Spread {
  readonly name: string;
  /** Observations in the axis' unit. */
  readonly values: readonly number[];
  /** What it cannot pass; null where there is none. */
  readonly limit: number | null;
}

/** One row a result: every observation, the median, p5 to p95, and the limit. */
export function spreadPlot(
  spreads: readonly Spread[],
  axis: { readonly title: string; format(v: number): string },
  id: string,
  title: string,
  caption: string,
): Plot | null {
  const filled = spreads.filter((s) => s.values.length > 0);
  if (filled.length === 0) return null;
  const row = 28;
  const left = Math.min(320, Math.max(90, ...filled.map((s) => s.name.length * 6.6 + 24)));
  const margins = { top: 16, right: 96, bottom: 46, left };
  const height = margins.top + filled.length * row + margins.bottom;
  const { x } = inner(height, margins);
  const all = filled.flatMap((s) => [...s.values, ...(s.limit === null ? [] : [s.limit])]);
  const wide = Math.max(...all) / Math.max(1e-12, Math.min(...all.filter((v) => v > 0))) > 30;
  const xs = wide ? logarithmic(decades(all), x) : linear(upTo(Math.max(...all)), x);
  const marks = filled.map((s, i) => {
    const y = margins.top + i * row + 12;
    const v = sorted(s.values);
    const [low, mid, high] = [quantile(v, 0.05), quantile(v, 0.5), quantile(v, 0.95)];
    const limit =
      s.limit === null
        ? ''
        : el('line', { class: 'limit', x1: xs(s.limit), x2: xs(s.limit), y1: y - 11, y2: y + 11 });
    return [
      text(margins.left - 10, y + 4, short(s.name, (left - 20) / 6.6), { 'text-anchor': 'end' }),
      el('line', {
        class: 'axis',
        x1: xs(low),
        x2: xs(high),
        y1: y,
        y2: y,
        style: `stroke:${series(0)};stroke-width:2`,
      }),
      ...(v.length <= 200
        ? v.map((value) =>
            el('circle', { cx: xs(value), cy: y, r: 2.4, style: `fill:${series(0)};opacity:.35` }),
          )
        : []),
      dot(xs(mid), y, series(0), `${s.name}: p50 ${axis.format(mid)}`, 5),
      limit,
      text(WIDTH - margins.right + 10, y + 4, axis.format(mid), { class: 'quiet' }),
    ].join('');
  });
  const scaleWord = wide ? ' (log scale)' : '';
  return {
    id,
    title,
    caption,
    svg: svg(height, title, xAxis(xs, `${axis.title}${scaleWord}`, height, margins, axis.format), ...marks),
  };
}

function short(name: string, characters: number): string {
  return name.length <= characters ? name : `${name.slice(0, Math.max(1, Math.floor(characters) - 1))}…`;
}
