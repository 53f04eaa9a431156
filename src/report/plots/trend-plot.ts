/** How a figure goes along an axis of named steps: a line a series, whiskers from p5 to p95, its limit dashed. */
import { quantile, sorted } from '../quantile.js';
import { decades, inner, legend, linear, logarithmic, type Plot, svg, upTo, xAxis, yAxis } from './frame.js';
import { dot } from './move-plots.js';
import { series } from './style.js';
import { el, linePath } from './svg.js';

export interface TrendPoint {
  /** One of the axis' steps. */
  readonly step: string;
  readonly values: readonly number[];
  /** What it cannot pass; null where there is none. */
  readonly limit: number | null;
}

export interface Trend {
  readonly name: string;
  readonly points: readonly TrendPoint[];
}

export interface TrendAxes {
  readonly steps: readonly string[];
  readonly x: string;
  readonly y: string;
  format(value: number): string;
}

const ROW = { top: 46, right: 24, bottom: 46, left: 84 };
const HEIGHT = 320;

/** Null when nothing was measured. */
export function trendPlot(
  trends: readonly Trend[],
  axes: TrendAxes,
  id: string,
  title: string,
  caption: string,
): Plot | null {
  const filled = trends.filter((t) => t.points.some((p) => p.values.length > 0));
  const all = filled.flatMap((t) =>
    t.points.flatMap((p) => [...p.values, ...(p.limit === null ? [] : [p.limit])]),
  );
  const positive = all.filter((v) => v > 0);
  if (positive.length === 0) return null;
  const { x, y } = inner(HEIGHT, ROW);
  const isWide = Math.max(...positive) / Math.min(...positive) > 12;
  const ys = isWide ? logarithmic(decades(positive), y) : linear(upTo(Math.max(...positive)), y);
  const step = (x[1] - x[0]) / axes.steps.length;
  const at = (name: string, shift = 0): number => x[0] + (axes.steps.indexOf(name) + 0.5) * step + shift;
  const xs = Object.assign((i: number) => x[0] + (i + 0.5) * step, {
    ticks: () => axes.steps.map((_, i) => i),
    isLog: false,
  });
  const marks = filled.flatMap((trend, i) => {
    const shift = (i - (filled.length - 1) / 2) * Math.min(12, step / (filled.length + 1));
    const points = trend.points
      .filter((p) => p.values.length > 0 && axes.steps.includes(p.step))
      .sort((a, b) => axes.steps.indexOf(a.step) - axes.steps.indexOf(b.step));
    const colour = series(i);
    const mids = points.map((p) => [at(p.step, shift), ys(quantile(sorted(p.values), 0.5))] as const);
    return [
      el('path', { class: 'line', d: linePath(mids), style: `stroke:${colour};opacity:.55` }),
      ...points.flatMap((p, k) => {
        const v = sorted(p.values);
        const [px, mid] = mids[k]!;
        const limit =
          p.limit === null
            ? ''
            : el('line', {
                class: 'limit',
                x1: px - 9,
                x2: px + 9,
                y1: ys(p.limit),
                y2: ys(p.limit),
                style: `stroke:${colour}`,
              });
        const whisker = { x1: px, x2: px, y1: ys(quantile(v, 0.05)), y2: ys(quantile(v, 0.95)) };
        return [
          el('line', { ...whisker, style: `stroke:${colour};stroke-width:1.6` }),
          dot(
            px,
            mid,
            colour,
            `${trend.name}, ${p.step}: p50 ${axes.format(quantile(v, 0.5))} of ${v.length}`,
            4,
          ),
          limit,
        ];
      }),
    ];
  });
  const scaleWord = isWide ? ' (log scale)' : '';
  return {
    id,
    title,
    caption,
    svg: svg(
      HEIGHT,
      title,
      xAxis(xs, axes.x, HEIGHT, ROW, (i) => axes.steps[i] ?? ''),
      yAxis(ys, `${axes.y}${scaleWord}`, HEIGHT, ROW, axes.format),
      ...marks,
      legend(
        filled.map((t, i) => ({ name: t.name, colour: series(i) })),
        ROW,
      ),
    ),
  };
}
