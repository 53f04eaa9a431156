/** One move: its time line, its pause in parts, its pages over time. */
import { formatBytes, formatNs, PAGE_SIZE } from '../../core/index.js';
import type { MigrationResult, RunResult } from '../../lab/result.js';
import { PAUSE_PARTS } from '../../lab/result.js';
import { formatCount } from '../figures.js';
import { partName } from '../pause-lines.js';
import { inner, legend, linear, type Plot, svg, timeUnit, upTo, WIDTH, xAxis, yAxis } from './frame.js';
import { series } from './style.js';
import { bar, el, escapeXml, linePath, text, textWidth } from './svg.js';

/** When things happened in a move, nanoseconds after its offer. */
export interface MoveTimes {
  readonly pauseNs: number;
  /** The guest's first instruction at the destination. */
  readonly startedNs: number;
  /** When the last page was in its place, or the source heard of the start. */
  readonly endNs: number;
}

/**
 * The pause begins when the last round ends; without rounds, so long before STARTED came that the pause and the way
 * back fit. Null for a move without a pause.
 */
export function moveTimes(m: MigrationResult, oneWayNs: number): MoveTimes | null {
  if (m.pauseNs === null) return null;
  const last = m.rounds.at(-1);
  const latest = Math.max(0, m.totalNs - m.pauseNs - oneWayNs);
  const pauseNs = last === undefined ? latest : Math.min(latest, last.startNs + last.durationNs - m.startNs);
  const startedNs = pauseNs + m.pauseNs;
  return { pauseNs, startedNs, endNs: Math.max(m.totalNs, startedNs + (m.postcopy?.durationNs ?? 0)) };
}

const ROW = 30;
const BAR = 18;

/** Rounds, pause, pages that came afterwards, and each client's longest silence. */
export function timelinePlot(m: MigrationResult, oneWayNs: number, id: string, caption: string): Plot {
  const times = moveTimes(m, oneWayNs);
  const endNs = times?.endNs ?? m.totalNs;
  const gaps = m.clients.map((c) => ({ c, startNs: c.longestGapStartNs - m.startNs }));
  const inMove = gaps.filter((g) => g.startNs + g.c.longestGapNs > 0 && g.startNs < endNs);
  const rows = 2 + (m.postcopy === null ? 0 : 1) + inMove.length;
  const margins = { top: 16, right: 20, bottom: 46, left: 150 };
  const height = margins.top + rows * ROW + margins.bottom;
  const { x } = inner(height, margins);
  const unit = timeUnit(endNs);
  const scale = linear([0, (endNs * 1.02) / unit.ns], x);
  const px = (ns: number): number => scale(Math.max(0, ns) / unit.ns);
  const marks: string[] = [];
  let y = margins.top;
  const row = (name: string, ...inside: readonly string[]): void => {
    marks.push(text(x[0] - 10, y + BAR / 2 + 4, name, { 'text-anchor': 'end' }), ...inside);
    y += ROW;
  };
  if (times !== null) {
    const width = Math.max(1.2, px(times.startedNs) - px(times.pauseNs));
    marks.push(
      el('rect', {
        x: px(times.pauseNs),
        y: margins.top - 6,
        width,
        height: rows * ROW + 6,
        style: 'fill:var(--pause);opacity:.22',
      }),
    );
  }
  row(
    'pre-copy rounds',
    ...m.rounds.map((r, i) => {
      const from = px(r.startNs - m.startNs);
      const width = px(r.startNs + r.durationNs - m.startNs) - from;
      const tip = `round ${r.round}: ${formatNs(r.durationNs)}, ${formatCount(r.pagesSent)} pages, ${formatBytes(r.bytes)}`;
      const fits = width > textWidth(String(r.round)) + 6;
      const label = fits
        ? text(from + width / 2, y + BAR / 2 + 4, String(r.round), { class: 'on', 'text-anchor': 'middle' })
        : '';
      return bar(from, y, width - 1, BAR, series(i % 2 === 0 ? 0 : 7), tip) + label;
    }),
  );
  row(
    'pause',
    ...(times === null
      ? []
      : [
          bar(
            px(times.pauseNs),
            y,
            px(times.startedNs) - px(times.pauseNs),
            BAR,
            'var(--pause)',
            `pause ${formatNs(m.pauseNs!)}`,
          ),
          beside(px(times.pauseNs), px(times.startedNs), y + BAR / 2 + 4, formatNs(m.pauseNs!), x[0]),
        ]),
  );
  if (m.postcopy !== null && times !== null) {
    const { pagesMissing, durationNs, faults } = m.postcopy;
    const words = `${formatCount(pagesMissing)} pages in ${formatNs(durationNs)}, ${formatCount(faults)} faults`;
    const [from, to] = [px(times.startedNs), px(times.startedNs + durationNs)];
    row(
      'post-copy',
      bar(from, y, to - from, BAR, series(2), words),
      beside(from, to, y + BAR / 2 + 4, words, x[0]),
    );
  }
  for (const { c, startNs } of inMove) {
    const [from, to] = [px(startNs), px(startNs + c.longestGapNs)];
    const words = `${formatNs(c.longestGapNs)}`;
    row(
      `silence, ${c.kind} at ${c.site}`,
      bar(from, y + 4, to - from, BAR - 8, series(5), `longest time without an answer: ${words}`),
      beside(from, to, y + BAR / 2 + 4, words, x[0]),
    );
  }
  const title = `Time line of move ${m.index + 1}`;
  const axis = xAxis(scale, `time since the offer, ${unit.name}`, height, margins);
  return { id, title, caption, svg: svg(height, title, axis, ...marks) };
}

/** A label right of a bar, or left of it where there is no room. */
function beside(from: number, to: number, y: number, words: string, leftEdge: number): string {
  const fits = to + 8 + textWidth(words) < WIDTH;
  if (fits) return text(to + 6, y, words, { class: 'quiet' });
  if (from - 8 - textWidth(words) > leftEdge)
    return text(from - 6, y, words, { class: 'quiet', 'text-anchor': 'end' });
  return text((from + to) / 2, y, words, { class: 'on', 'text-anchor': 'middle' });
}

/** Its parts, each where the one before it ends; the physical limit beside them. */
export function pausePlot(m: MigrationResult, limitNs: number, id: string, caption: string): Plot | null {
  if (m.pauseParts === null || m.pauseNs === null) return null;
  const margins = { top: 34, right: 90, bottom: 46, left: 150 };
  const height = margins.top + PAUSE_PARTS.length * 22 + margins.bottom;
  const { x, y: span } = inner(height, margins);
  const unit = timeUnit(m.pauseNs);
  const scale = linear(upTo(Math.max(m.pauseNs, limitNs) / unit.ns), x);
  let atNs = 0;
  const rows = PAUSE_PARTS.map((part, i) => {
    const ns = m.pauseParts![part];
    const y = margins.top + i * 22;
    const from = scale(atNs / unit.ns);
    atNs += ns;
    const to = scale(atNs / unit.ns);
    const colour = part === 'propagateNs' ? series(0) : 'var(--pause)';
    const name = part === 'propagateNs' ? 'propagate (fiber)' : partName(part);
    return (
      text(x[0] - 10, y + 12, name, { 'text-anchor': 'end' }) +
      bar(from, y, to - from, 15, colour, `${partName(part)}: ${formatNs(ns)}`) +
      text(Math.max(to, from + 2) + 6, y + 12, formatNs(ns), { class: 'quiet' })
    );
  });
  const limit = scale(limitNs / unit.ns);
  const title = `Pause of move ${m.index + 1} in its parts: ${formatNs(m.pauseNs)}`;
  return {
    id,
    title,
    caption,
    svg: svg(
      height,
      title,
      xAxis(scale, `time since the pause call, ${unit.name}`, height, margins),
      el('line', { class: 'limit', x1: limit, x2: limit, y1: span[0], y2: span[1] - 8 }),
      text(
        limit + 5,
        span[1] - 12,
        `limit ${formatNs(limitNs)}: one way, and the pages in the pause at the rate`,
        {
          class: 'quiet',
        },
      ),
      ...rows,
    ),
  };
}

/** Pages at the destination, in a straight line within a round, and what the guest dirtied meanwhile. */
export function pagesPlot(
  run: RunResult,
  m: MigrationResult,
  oneWayNs: number,
  id: string,
  caption: string,
): Plot {
  const times = moveTimes(m, oneWayNs);
  const endNs = times?.endNs ?? m.totalNs;
  const total = run.experiment.guest.memoryBytes / PAGE_SIZE;
  const sent: [number, number][] = [[0, 0]];
  const dirty: [number, number][] = [];
  let pages = 0;
  for (const r of m.rounds) {
    const from = r.startNs - m.startNs;
    sent.push([from, pages]);
    pages += r.pagesSent + r.zeroPages;
    sent.push([from + r.durationNs, pages]);
    dirty.push([from, r.pagesSent + r.zeroPages], [from + r.durationNs, r.dirtyPages]);
  }
  if (times !== null) {
    sent.push([times.pauseNs, pages]);
    pages += m.pagesInPause;
    sent.push([times.startedNs, pages]);
    if (m.postcopy !== null) {
      pages += m.postcopy.pagesMissing;
      sent.push([times.startedNs + m.postcopy.durationNs, pages]);
    }
    dirty.push([times.pauseNs, m.pagesInPause + (m.postcopy?.pagesMissing ?? 0)]);
    if (m.postcopy !== null) dirty.push([times.startedNs + m.postcopy.durationNs, 0]);
  }
  sent.push([endNs, pages]);
  const margins = { top: 46, right: 20, bottom: 46, left: 84 };
  const height = 290;
  const { x, y } = inner(height, margins);
  const unit = timeUnit(endNs);
  const xs = linear([0, (endNs * 1.02) / unit.ns], x);
  const ys = linear(upTo(Math.max(pages, total)), y);
  const line = (points: readonly [number, number][]): string =>
    linePath(points.map(([ns, n]) => [xs(ns / unit.ns), ys(n)] as const));
  const shade =
    times === null
      ? ''
      : el('rect', {
          x: xs(times.pauseNs / unit.ns),
          y: y[1],
          width: Math.max(1.5, xs(times.startedNs / unit.ns) - xs(times.pauseNs / unit.ns)),
          height: y[0] - y[1],
          style: 'fill:var(--pause);opacity:.22',
        });
  const title = `Pages over time, move ${m.index + 1}`;
  const keys = [
    { name: 'sent, all sends counted', colour: series(0) },
    { name: 'not yet as at the source', colour: series(1) },
    { name: 'pause', colour: 'var(--pause);opacity:.3' },
  ];
  return {
    id,
    title,
    caption,
    svg: svg(
      height,
      title,
      shade,
      xAxis(xs, `time since the offer, ${unit.name}`, height, margins),
      yAxis(ys, 'pages of 4096 bytes', height, margins, formatCount),
      el('line', { class: 'limit', x1: x[0], x2: x[1], y1: ys(total), y2: ys(total) }),
      text(x[0] + 6, ys(total) - 5, `the guest has ${formatCount(total)}`, { class: 'quiet' }),
      el('path', { class: 'line', d: line(dirty), style: `stroke:${series(1)}` }),
      ...dirty.map(([ns, n]) => dot(xs(ns / unit.ns), ys(n), series(1), `${formatCount(n)} pages`)),
      el('path', { class: 'line', d: line(sent), style: `stroke:${series(0)}` }),
      legend(keys, margins),
    ),
  };
}

/** A round mark that says what it is. */
export function dot(x: number, y: number, colour: string, tip: string, radius = 3): string {
  return el('circle', { cx: x, cy: y, r: radius, style: `fill:${colour}` }, el('title', {}, escapeXml(tip)));
}
