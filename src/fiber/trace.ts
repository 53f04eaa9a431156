/**
 * A measured course of delay, rate and loss, as a track of the time line.
 *
 *   # from a speed test every 10 s            times count from the first row
 *   time[s], one-way[ms], rate, loss          `time` and any of the others; a unit here or in the cell
 *   0,       12.5,        90Mbit, 0%
 *   10,      13.1,        80Mbit, 0.1%        an empty cell leaves the setting as it was
 *
 * Rows are steps: each holds until the next. The delay may instead go in a straight line from row to
 * row, in steps of a stated length. At the end the last row holds, or the trace begins anew; the last
 * row then lasts as long as the one before it (a single row a second).
 *
 * Left out on purpose: quotation marks and other separators; there is no text to quote in numbers.
 */
import { NS_PER_S, parseDuration, parseProbability, parseRate } from '../core/index.js';
import { refuse } from './refuse.js';
import { checkLane, type Direction, type LaneSettings } from './settings.js';
import { MAX_ENTRIES, type TimelineEntry, type Track } from './timeline.js';

export interface TraceRow {
  /** Since the first row, whole nanoseconds. */
  readonly atNs: number;
  readonly set: Pick<Partial<LaneSettings>, 'oneWayNs' | 'rateBps' | 'lossProb'>;
}

export interface TracePlayback {
  readonly direction: Direction | 'both';
  readonly span?: number | undefined;
  /** Whether the last row holds or the trace begins anew. */
  readonly atEnd: 'hold' | 'loop';
  /** Steps in which the delay goes from row to row, nanoseconds; null for one step a row. */
  readonly interpolateNs: number | null;
}

const COLUMNS = ['time', 'one-way', 'delay', 'rate', 'loss'] as const;
type Column = (typeof COLUMNS)[number];

/**
 * Reads a trace.
 * @param name of the file, for messages
 * @throws ConfigError `FIBER_TRACE`, or that of the quantity or setting at fault, with file and line
 */
export function parseTrace(text: string, name: string): readonly TraceRow[] {
  let columns: readonly { readonly column: Column; readonly unit: string }[] | null = null;
  const rows: TraceRow[] = [];
  let firstNs = 0;
  for (const [index, content] of text.split('\n').entries()) {
    const line = content.replace(/#.*/, '').trim();
    if (line === '') continue;
    const place = `${name}:${index + 1}`;
    const cells = line.split(',').map((cell) => cell.trim());
    if (columns === null) {
      columns = header(cells, place);
      continue;
    }
    if (cells.length !== columns.length) {
      wrong(
        place,
        `has ${cells.length} cells and the header ${columns.length}`,
        'give every column, empty or not',
      );
    }
    let atNs = Number.NaN;
    const set: { -readonly [K in keyof TraceRow['set']]: TraceRow['set'][K] } = {};
    for (const [i, { column, unit }] of columns.entries()) {
      const cell = cells[i]!;
      if (cell === '') continue;
      const value = /^[-+.\de]+$/i.test(cell) ? cell + unit : cell;
      const option = `${place}: ${column}`;
      if (column === 'time') atNs = parseDuration(value, option);
      else if (column === 'rate') set.rateBps = parseRate(value, option);
      else if (column === 'loss') set.lossProb = parseProbability(value, option);
      else set.oneWayNs = parseDuration(value, option);
    }
    if (Number.isNaN(atNs)) wrong(place, 'has no time', 'every row says when it begins');
    if (rows.length === 0) firstNs = atNs;
    atNs -= firstNs;
    if (rows.length > 0 && atNs <= rows.at(-1)!.atNs) {
      wrong(place, 'is not later than the row before it', 'put the rows in order of time');
    }
    rows.push({ atNs, set: checkLane(set, place) });
  }
  if (rows.length === 0) wrong(name, 'has no row', 'begin with a line such as: time, one-way, rate, loss');
  return rows;
}

function header(cells: readonly string[], place: string): { column: Column; unit: string }[] {
  const columns = cells.map((cell) => {
    const [, word = '', unit = ''] =
      /^([a-z-]+)\s*(?:[[(]\s*([^\])]*?)\s*[\])])?$/.exec(cell.toLowerCase()) ?? [];
    const column = COLUMNS.find((known) => known === word);
    if (column !== undefined) return { column, unit };
    return wrong(
      place,
      `has no such column as ${JSON.stringify(cell)}`,
      'columns are time, one-way, rate, loss, each with its unit behind it: one-way[ms]',
    );
  });
  const names = columns.map(({ column }) => (column === 'delay' ? 'one-way' : column));
  if (new Set(names).size < names.length) wrong(place, 'names a column twice', 'keep one of them');
  if (!names.includes('time')) wrong(place, 'has no column time', 'the first line names the columns');
  return columns;
}

function wrong(place: string, what: string, hint: string): never {
  return refuse('FIBER_TRACE', `${place} ${what}`, { place }, { hint });
}

/**
 * The changes that play a trace back.
 * @throws ConfigError `FIBER_TRACE` when interpolation makes more than a million of them
 */
export function traceTrack(rows: readonly TraceRow[], playback: TracePlayback, name: string): Track {
  const { direction, span, atEnd, interpolateNs } = playback;
  const entries: TimelineEntry[] = [];
  const add = (atNs: number, set: Partial<LaneSettings>) => {
    if (entries.length >= MAX_ENTRIES) {
      wrong(name, `makes more than ${MAX_ENTRIES} changes`, 'interpolate in longer steps');
    }
    entries.push({ atNs, direction, ...(span === undefined ? {} : { span }), set });
  };
  for (const [i, row] of rows.entries()) {
    add(row.atNs, row.set);
    const { oneWayNs } = row.set;
    if (interpolateNs === null || oneWayNs === undefined) continue;
    const to = rows.find((later, at) => at > i && later.set.oneWayNs !== undefined);
    if (to === undefined) continue;
    const slope = (to.set.oneWayNs! - oneWayNs) / (to.atNs - row.atNs);
    for (let n = 1; n * interpolateNs < to.atNs - row.atNs; n++) {
      const passedNs = Math.round(n * interpolateNs);
      add(row.atNs + passedNs, { oneWayNs: Math.round(oneWayNs + slope * passedNs) });
    }
  }
  const last = rows.at(-1)!.atNs;
  const lastingNs = rows.length > 1 ? last - rows.at(-2)!.atNs : NS_PER_S;
  return { entries, repeatNs: atEnd === 'loop' ? last + lastingNs : null };
}
