/**
 * The short summary a run ends with: pure text made from the result alone, at most 100 columns wide.
 *
 *   header ─ round trip ─ moves ─ pause in its parts ─ page pipeline ─ clients ─ trust (lateness, memory) ─ verdict
 *
 * Over several moves figures are medians with p99 and maximum; nothing is averaged.
 */
import { formatBps, formatBytes, formatNs, PAGE_SIZE } from '../core/index.js';
import type { MigrationResult, RunResult } from '../lab/result.js';
import { clientLines } from './client-lines.js';
import { formatCount, percent } from './figures.js';
import { pauseLines } from './pause-lines.js';
import { pipelineLines } from './pipeline-lines.js';
import { processorWords } from './processor-words.js';
import { median } from './quantile.js';
import { type Column, formatTable, type Paint, paint, wrap } from './table.js';
import { transportLines } from './transport-lines.js';
import { verdictsOf } from './verdict.js';

export interface SummaryOptions {
  /** ANSI colours: the caller looks at the terminal and at NO_COLOR. */
  readonly colour?: boolean;
}

const WIDTH = 100;
/** More moves than this are shown by the first and the last ones. */
const ROWS_SHOWN = 12;
const ROWS_AT_END = 4;

/** The summary's text, without a newline at its end. */
export function summarize(result: RunResult, options: SummaryOptions = {}): string {
  const p = paint(options.colour ?? false);
  const sections = [
    header(result, p),
    roundTrip(result, p),
    moves(result, p),
    pauseLines(result, p),
    missingLines(result, p),
    transportLines(result, p),
    pipelineLines(result, p),
    clientLines(result, p),
    trust(result, p),
    verdict(result, p),
  ];
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

function header(r: RunResult, p: Paint): string[] {
  const { experiment: e } = r;
  const dirty =
    e.guest.dirty.model === 'idle'
      ? 'idle'
      : `${e.guest.dirty.model} ${(e.guest.dirty.pagesPerS * PAGE_SIZE) / 1e6} MB/s`;
  const title = [e.name || r.profile, r.attach, `seed ${r.seed}`, r.label, `longhaul ${r.revision}`];
  return [
    p.bold(title.join(' · ')),
    `  guest  ${guestWords(e.guest)}, ${dirty}`,
    `  fiber  ${lane(r, 'aToB', 'a→b')}`,
    `         ${lane(r, 'bToA', 'b→a')}`,
  ];
}

function guestWords({ kind, memoryBytes, fill }: RunResult['experiment']['guest']): string {
  if (kind === 'workload') return `${formatBytes(memoryBytes)}, filled ${fill}`;
  return `x86 machine of ${formatBytes(memoryBytes)}, filled ${fill === 'zero' ? fill : 'random'}`;
}

function lane(r: RunResult, direction: 'aToB' | 'bToA', name: string): string {
  const lanes = r.experiment.fiber.spans.map((s) => s[direction]);
  const oneWayNs = lanes.reduce((sum, l) => sum + l.oneWayNs, 0);
  const passes = lanes.reduce((product, l) => product * (1 - l.lossProb), 1);
  const spans = lanes.length === 1 ? '' : `, ${lanes.length} spans`;
  const models = lanes.flatMap((l) => l.lossModel?.model ?? []);
  const chance = passes === 1 ? [] : [percent(1 - passes)];
  const loss = [...chance, ...models].length > 0 ? `loss ${[...chance, ...models].join(' and ')}` : 'no loss';
  return `${name} ${formatNs(oneWayNs)} one way, ${formatBps(bottleneckBps(r, direction))}, ${loss}${spans}`;
}

function bottleneckBps(r: RunResult, direction: 'aToB' | 'bToA'): number {
  return Math.min(...r.experiment.fiber.spans.map((s) => s[direction].rateBps ?? Number.POSITIVE_INFINITY));
}

function roundTrip({ rtt }: RunResult, p: Paint): string[] {
  if (rtt === null) return [];
  return [
    p.bold('Round trip through the fiber') +
      p.dim(
        ` (ICMP by ${rtt.method}, ${rtt.count} probes, ${rtt.lost} lost, target ${formatNs(rtt.targetNs)})`,
      ),
    `  p50 ${formatNs(rtt.p50Ns)}   p99 ${formatNs(rtt.p99Ns)}   min ${formatNs(rtt.minNs)}   max ${formatNs(rtt.maxNs)}`,
  ];
}

const MOVE_COLUMNS: readonly Column[] = [
  { title: 'move', align: 'right' },
  { title: '' },
  { title: 'outcome' },
  { title: 'total', align: 'right' },
  { title: 'rounds', align: 'right' },
  { title: 'on the wire', align: 'right' },
  { title: 'throughput', align: 'right' },
  { title: 'of link', align: 'right' },
  { title: 'pause', align: 'right' },
  { title: 'memory' },
];

function moves(r: RunResult, p: Paint): string[] {
  const { migrations } = r;
  if (migrations.length === 0) return [];
  const row = (m: MigrationResult): string[] => [
    String(m.index + 1),
    `${m.from}→${m.to}`,
    m.outcome,
    formatNs(m.totalNs),
    String(m.rounds.length),
    formatBytes(m.bytesOnWire),
    formatBps(m.throughputBps),
    share(r, m),
    m.pauseNs === null ? '–' : formatNs(m.pauseNs),
    m.memoryIdentical === null ? 'not compared' : m.memoryIdentical ? 'identical' : 'DIFFERS',
  ];
  const shown = (i: number): boolean =>
    migrations.length <= ROWS_SHOWN ||
    i < ROWS_SHOWN - ROWS_AT_END ||
    i >= migrations.length - ROWS_AT_END ||
    migrations[i]!.outcome !== 'completed' ||
    migrations[i]!.memoryIdentical === false;
  const rows: string[][] = [];
  for (const [i, m] of migrations.entries()) {
    if (shown(i)) rows.push(row(m));
    else if (shown(i - 1)) rows.push(['…']);
  }
  if (migrations.length > 1) rows.push(medianRow(r));
  const [head, ...lines] = formatTable(MOVE_COLUMNS, rows);
  return [p.bold('Moves'), p.dim(head!), ...lines];
}

/** What a guest that started with pages missing had to wait for: a pause is not to be made short by stalling afterwards. */
function missingLines({ migrations }: RunResult, p: Paint): string[] {
  const late = migrations.filter((m) => m.postcopy !== null);
  if (late.length === 0) return [];
  const mid = (of: (m: MigrationResult) => number): number => median(late.map(of));
  const moves = late.length === 1 ? '1 move' : `p50 of ${late.length} moves`;
  return [
    p.bold('Pages that came after the start') + p.dim(` (${moves})`),
    `  ${formatCount(Math.round(mid((m) => m.postcopy!.pagesMissing)))} missing, all in place after ` +
      `${formatNs(mid((m) => m.postcopy!.durationNs))}; the guest stood at ${Math.round(mid((m) => m.postcopy!.faults))} of ` +
      `them, ${formatNs(mid((m) => m.blockedNs ?? 0))} of its first 100 ms`,
  ];
}

function medianRow(r: RunResult): string[] {
  const done = r.migrations.filter((m) => m.outcome === 'completed');
  const mid = (of: (m: MigrationResult) => number, format: (v: number) => string): string =>
    done.length === 0 ? '–' : format(median(done.map(of)));
  const links = done.map((m) => linkShare(r, m)).filter((s) => s !== null);
  return [
    'p50',
    '',
    `${done.length} completed`,
    mid((m) => m.totalNs, formatNs),
    mid((m) => m.rounds.length, String),
    mid((m) => m.bytesOnWire, formatBytes),
    mid((m) => m.throughputBps, formatBps),
    links.length === 0 ? '–' : percent(median(links)),
    mid((m) => m.pauseNs ?? 0, formatNs),
    '',
  ];
}

function linkShare(r: RunResult, m: MigrationResult): number | null {
  const rateBps = bottleneckBps(r, m.from === 'a' ? 'aToB' : 'bToA');
  return Number.isFinite(rateBps) ? m.throughputBps / rateBps : null;
}

function share(r: RunResult, m: MigrationResult): string {
  const part = linkShare(r, m);
  return part === null ? '–' : percent(part);
}

function trust(r: RunResult, p: Paint): string[] {
  const lines: string[] = [];
  if (r.lateness !== null) {
    const l = r.lateness;
    lines.push(
      `  late    p50 ${formatNs(l.p50Ns)}, p99 ${formatNs(l.p99Ns)}, p99.9 ${formatNs(l.p999Ns)}, ` +
        `max ${formatNs(l.maxNs)} over ${formatCount(l.count)} releases`,
    );
  }
  if (r.processors !== null) lines.push(`  cores   ${processorWords(r.processors)}`);
  if (r.memoryPeaks.length > 0) {
    const peaks = r.memoryPeaks.map(
      (m) =>
        `${m.process} ${formatBytes(m.peakBytes)}${m.limitBytes === null ? '' : ` of ${formatBytes(m.limitBytes)}`}`,
    );
    lines.push(...wrap(peaks.join(', '), WIDTH, '  memory  '));
  }
  for (const note of r.notes) lines.push(...wrap(note, WIDTH, '  note    '));
  return lines.length === 0 ? [] : [p.bold('How far to trust it'), ...lines];
}

function verdict(r: RunResult, p: Paint): string[] {
  const mark = { pass: p.green('pass'), miss: p.yellow('miss'), fail: p.red('FAIL') };
  return [
    p.bold('Verdict'),
    ...verdictsOf(r).flatMap(({ level, text }) => {
      const [first, ...rest] = wrap(text, WIDTH, '  ....  ');
      return [first!.replace('....', mark[level]), ...rest];
    }),
  ];
}
