/** Two figures of many candidates, and the front of those that none beats in both. */
import {
  decades,
  inner,
  legend,
  linear,
  logarithmic,
  type Plot,
  svg,
  upTo,
  WIDTH,
  xAxis,
  yAxis,
} from './frame.js';
import { series } from './style.js';
import { el, escapeXml, linePath, text, textWidth } from './svg.js';

export interface ScatterPoint {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  /** Index into the kinds. */
  readonly kind: number;
  /** Whether its name stands beside it. */
  readonly isNamed?: boolean;
}

export interface ScatterAxis {
  readonly title: string;
  format(value: number): string;
}

/** Of the points of a kind, those that no other of it beats in both: lower is better. */
export function frontOf<P extends { readonly x: number; readonly y: number }>(points: readonly P[]): P[] {
  const front: P[] = [];
  for (const p of [...points].sort((a, b) => a.x - b.x || a.y - b.y))
    if (front.length === 0 || p.y < front[front.length - 1]!.y) front.push(p);
  return front;
}

const MARGINS = { top: 46, right: 24, bottom: 46, left: 84 };
const HEIGHT = 380;

/** @param kinds names in the legend; the front is drawn for the first. Null without points */
export function scatterPlot(
  points: readonly ScatterPoint[],
  kinds: readonly string[],
  axes: { readonly x: ScatterAxis; readonly y: ScatterAxis },
  id: string,
  title: string,
  caption: string,
): Plot | null {
  if (points.length === 0) return null;
  const { x, y } = inner(HEIGHT, MARGINS);
  const scaleOf = (values: readonly number[], range: [number, number]) => {
    const positive = values.filter((v) => v > 0);
    const isWide = positive.length > 0 && Math.max(...positive) / Math.min(...positive) > 12;
    return isWide ? logarithmic(decades(positive), range) : linear(upTo(Math.max(...values)), range);
  };
  const xs = scaleOf(
    points.map((p) => p.x),
    x,
  );
  const ys = scaleOf(
    points.map((p) => p.y),
    y,
  );
  const front = frontOf(points.filter((p) => p.kind === 0));
  const steps = front.flatMap((p, i) => {
    const next = front[i + 1];
    const here = [xs(p.x), ys(p.y)] as const;
    return next === undefined ? [here] : [here, [xs(next.x), ys(p.y)] as const];
  });
  const dots = points.map((p) => {
    const at = { cx: xs(p.x), cy: ys(p.y), r: p.kind === 0 ? 4 : 5.5 };
    const colour = series(p.kind);
    const look =
      p.kind === 0 ? `fill:${colour};opacity:.75` : `fill:var(--paper);stroke:${colour};stroke-width:2`;
    const tip = `${p.name}: ${axes.x.title} ${axes.x.format(p.x)}, ${axes.y.title} ${axes.y.format(p.y)}`;
    return el('circle', { ...at, style: look }, el('title', {}, escapeXml(tip)));
  });
  const names = points
    .filter((p) => p.isNamed)
    .map((p) => {
      const fits = xs(p.x) + 10 + textWidth(p.name) < WIDTH - 4;
      const at = fits ? xs(p.x) + 10 : xs(p.x) - 10;
      return text(at, ys(p.y) - 7, p.name, { class: 'quiet', 'text-anchor': fits ? 'start' : 'end' });
    });
  const word = (isLog: boolean): string => (isLog ? ' (log scale)' : '');
  return {
    id,
    title,
    caption,
    svg: svg(
      HEIGHT,
      title,
      xAxis(xs, `${axes.x.title}${word(xs.isLog)}`, HEIGHT, MARGINS, axes.x.format),
      yAxis(ys, `${axes.y.title}${word(ys.isLog)}`, HEIGHT, MARGINS, axes.y.format),
      el('path', { class: 'line', d: linePath(steps), style: `stroke:${series(0)};opacity:.5` }),
      ...dots,
      ...names,
      legend(
        kinds.map((name, i) => ({ name, colour: series(i) })),
        MARGINS,
      ),
    ),
  };
}
