/**
 * The frame that plots share: axes with units, a grid, a legend. Scales and their ticks are d3-scale's; the marks are
 * each plot's own.
 *
 *      y title ↑
 *      40 ┤        ╱──      ■ legend  ■ legend
 *      20 ┤   ╱───╱
 *       0 ┼──────────────
 *         0    100   200
 *            x title, ms
 */
import { scaleLinear, scaleLog } from 'd3-scale';
import { el, escapeXml, text, textWidth } from './svg.js';

/** A plot by itself: what it is, what it says, and the figure. */
export interface Plot {
  /** A token; the name of its file. */
  readonly id: string;
  readonly title: string;
  /** Where its numbers are from. */
  readonly caption: string;
  readonly svg: string;
}

export interface Scale {
  (value: number): number;
  ticks(count: number): number[];
  readonly isLog: boolean;
}

export function linear(domain: readonly [number, number], range: readonly [number, number]): Scale {
  const scale = scaleLinear().domain(domain).range(range);
  return Object.assign((v: number) => scale(v), { ticks: (n: number) => scale.ticks(n), isLog: false });
}

/** Of values above 0; what is less stands at the foot. */
export function logarithmic(domain: readonly [number, number], range: readonly [number, number]): Scale {
  const scale = scaleLog().domain(domain).range(range);
  const low = domain[0];
  const first = Math.floor(Math.log10(domain[0]) + 1e-9);
  const last = Math.ceil(Math.log10(domain[1]) - 1e-9);
  const steps = last - first <= 2 ? [1, 2, 5] : [1];
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => first + i)
    .flatMap((power) => steps.map((step) => Number(`${step}e${power}`)))
    .filter((t) => t >= low * (1 - 1e-9) && t <= domain[1] * (1 + 1e-9));
  return Object.assign((v: number) => scale(Math.max(v, low)), {
    ticks: () => ticks,
    isLog: true,
  });
}

/** From 0 to a round number above the largest value. */
export function upTo(largest: number): readonly [number, number] {
  return [
    0,
    scaleLinear()
      .domain([0, largest > 0 ? largest * 1.04 : 1])
      .nice(5)
      .domain()[1]!,
  ];
}

/** Whole decades around values above 0. */
export function decades(values: readonly number[]): readonly [number, number] {
  const positive = values.filter((v) => v > 0 && Number.isFinite(v));
  if (positive.length === 0) return [1, 10];
  const low = 10 ** Math.floor(Math.log10(Math.min(...positive)));
  const high = 10 ** Math.ceil(Math.log10(Math.max(...positive) * 1.01));
  return [low, Math.max(high, low * 10)];
}

/** The unit in which nanoseconds up to `largestNs` read best. */
export function timeUnit(largestNs: number): { readonly name: string; readonly ns: number } {
  if (largestNs >= 2e9) return { name: 's', ns: 1e9 };
  if (largestNs >= 2e6) return { name: 'ms', ns: 1e6 };
  if (largestNs >= 2e3) return { name: 'µs', ns: 1e3 };
  return { name: 'ns', ns: 1 };
}

export const WIDTH = 880;

export interface Margins {
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  readonly left: number;
}

/** The room inside the margins. */
export function inner(height: number, m: Margins): { x: [number, number]; y: [number, number] } {
  return { x: [m.left, WIDTH - m.right], y: [height - m.bottom, m.top] };
}

/** A figure that a screen reader can name. */
export function svg(height: number, title: string, ...marks: readonly string[]): string {
  const box = {
    class: 'plot',
    xmlns: 'http://www.w3.org/2000/svg',
    viewBox: `0 0 ${WIDTH} ${height}`,
    role: 'img',
  };
  return el('svg', { ...box, 'aria-label': title }, el('title', {}, escapeXml(title)), ...marks);
}

/** A number at a tick: no more digits than it needs. */
export function tickText(value: number): string {
  if (value !== 0 && (Math.abs(value) >= 1e5 || Math.abs(value) < 1e-3))
    return value.toExponential().replace('e+', 'e');
  return String(Number(value.toPrecision(6)));
}

export function xAxis(scale: Scale, title: string, height: number, m: Margins, format = tickText): string {
  const { x, y } = inner(height, m);
  const ticks = scale.ticks(8).map((t) => {
    const at = scale(t);
    return (
      el('line', { class: 'grid', x1: at, x2: at, y1: y[0], y2: y[1] }) +
      text(at, y[0] + 16, format(t), { class: 'quiet', 'text-anchor': 'middle' })
    );
  });
  return [
    ...ticks,
    el('line', { class: 'axis', x1: x[0], x2: x[1], y1: y[0], y2: y[0] }),
    text((x[0] + x[1]) / 2, y[0] + 34, title, { class: 'quiet', 'text-anchor': 'middle' }),
  ].join('');
}

/** Its title stands above it, to be read without turning one's head. */
export function yAxis(scale: Scale, title: string, height: number, m: Margins, format = tickText): string {
  const { x, y } = inner(height, m);
  const ticks = scale.ticks(5).map((t) => {
    const at = scale(t);
    return (
      el('line', { class: 'grid', x1: x[0], x2: x[1], y1: at, y2: at }) +
      text(x[0] - 8, at + 4, format(t), { class: 'quiet', 'text-anchor': 'end' })
    );
  });
  return [...ticks, text(x[0], y[1] - 12, title, { class: 'quiet' })].join('');
}

export interface LegendEntry {
  readonly name: string;
  readonly colour: string;
}

/** In a row that ends at the right edge of the plot, above it. */
export function legend(entries: readonly LegendEntry[], m: Margins): string {
  const widths = entries.map((e) => textWidth(e.name) + 26);
  let x = WIDTH - m.right - widths.reduce((sum, w) => sum + w, 0);
  return entries
    .map((e, i) => {
      const at = x;
      x += widths[i]!;
      const swatch = { x: at + 8, y: m.top - 21, width: 11, height: 11, rx: 2, style: `fill:${e.colour}` };
      return el('rect', swatch) + text(at + 23, m.top - 11.5, e.name);
    })
    .join('');
}
