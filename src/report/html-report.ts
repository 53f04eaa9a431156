/**
 * The report: results as one HTML page.
 *
 *   title ─ comparison of all (tables with ratios and intervals, spreads) ─ each run: figures, time line, pause in
 *   parts, pages over time, what clients saw, lateness, verdict, how it was made
 *
 * Pure: the same results give the same page, byte for byte. Every number stands with the run that it is from.
 */
import { formatBps, formatBytes, formatNs, PAGE_SIZE } from '../core/index.js';
import type { MigrationResult, RunResult } from '../lab/result.js';
import { cautionsOf, compareResults, machineOf, type NamedResult } from './compare.js';
import { formatCount, percent } from './figures.js';
import { figure, page, table, tiles } from './html-page.js';
import { METRICS, metric, pathOf, pauseLimitNs, totalLimitNs, valuesOf } from './metrics.js';
import type { Plot } from './plots/frame.js';
import { pagesPlot, pausePlot, timelinePlot } from './plots/move-plots.js';
import { latenessPlot, pausesPlot, rttPlot, spreadPlot } from './plots/run-plots.js';
import { escapeXml } from './plots/svg.js';
import { processorWords } from './processor-words.js';
import { median, quantile, sorted } from './quantile.js';
import { verdictsOf } from './verdict.js';

export interface Report {
  readonly html: string;
  readonly plots: readonly Plot[];
}

/** With more runs than this, only the comparison is drawn, and each run has its row. */
const DRAWN_SINGLY = 12;

/** @param title of the page @param before markup between the title and the comparison */
export function htmlReport(results: readonly NamedResult[], title: string, before = ''): Report {
  const plots: Plot[] = [];
  const draw = (plot: Plot | null): string => {
    if (plot === null) return '';
    plots.push(plot);
    return figure(plot);
  };
  const drawn = results.slice(0, DRAWN_SINGLY);
  const body = [
    `<h1>${escapeXml(title)}</h1>`,
    `<p class="quiet">${escapeXml(provenance(results))}</p>`,
    before,
    results.length > 1 ? contents(drawn) : '',
    results.length > 1 ? comparison(results, draw) : '',
    ...drawn.map((r, i) => run(r, i, draw)),
    results.length > drawn.length
      ? `<p class="quiet">The first ${drawn.length} of ${results.length} runs are drawn one by one.</p>`
      : '',
    `<footer>Made by longhaul report from ${results.length === 1 ? 'the result' : `${results.length} results`} named here. Medians are observed values (nearest rank); intervals are of 95 %, by bootstrap.</footer>`,
  ];
  return { html: page(title, body.join('\n')), plots };
}

function provenance(results: readonly NamedResult[]): string {
  const all = <T>(of: (r: RunResult) => T): T[] => [...new Set(results.map((r) => of(r.result)))];
  const days = sorted(results.map((r) => Date.parse(r.result.startedAt)));
  const day = (ms: number): string => new Date(ms).toISOString().slice(0, 16).replace('T', ' ');
  const when =
    days.length > 1 && day(days[0]!) !== day(days.at(-1)!)
      ? `${day(days[0]!)} to ${day(days.at(-1)!)} UTC`
      : `${day(days[0] ?? 0)} UTC`;
  return `longhaul ${all((r) => r.revision).join(', ')} · ${all((r) => r.label).join(' and ')} · ${when} · ${all(machineOf).join(' · ')}`;
}

function anchor(i: number): string {
  return `run-${i + 1}`;
}

function contents(results: readonly NamedResult[]): string {
  const items = results.map((r, i) => `<li><a href="#${anchor(i)}">${escapeXml(r.name)}</a></li>`);
  return `<nav><ol>${items.join('')}</ol></nav>`;
}

function comparison(results: readonly NamedResult[], draw: (plot: Plot | null) => string): string {
  const cautions = cautionsOf(results);
  const overview = table(
    [
      { title: 'run' },
      { title: 'moves', numeric: true },
      { title: 'pause p50', numeric: true },
      { title: '× its limit', numeric: true },
      { title: 'total p50', numeric: true },
      { title: '× its limit', numeric: true },
      { title: 'longest gap', numeric: true },
      { title: 'throughput', numeric: true },
    ],
    results.map(({ name, result }) => [name, ...overviewCells(result)]),
  );
  const spread = (
    key: 'pauseNs' | 'totalNs' | 'gapNs',
    limit: ((m: MigrationResult, r: RunResult) => number | null) | null,
  ): string =>
    draw(
      spreadPlot(
        results.map(({ name, result }) => ({
          name,
          values: valuesOf(result, metric(key)),
          limit: limit === null ? null : medianOrNull(completed(result).map((m) => limit(m, result))),
        })),
        { title: metric(key).title, format: formatNs },
        `compare-${key}`,
        `${capital(metric(key).title)} of every move, by run`,
        `Small dots: moves; large: their median; bar: p5 to p95.${limit === null ? '' : ' Dashed: the physical limit.'} ${results.length} runs.`,
      ),
    );
  const tables = compareResults(results)
    .filter(({ metric: m }) => m.key !== 'rounds')
    .map(
      ({ metric: m, rows }) =>
        `<h3>${escapeXml(capital(m.title))} <span class="quiet">(${m.better} is better)</span></h3>` +
        table(
          ['run', 'p50', 'p5', 'p95', 'n', 'to the first', '95 %'].map((title, i) => ({
            title,
            numeric: i > 0,
          })),
          rows.map((r) => [
            r.name,
            ...(r.n === 0 ? ['–', '–', '–'] : [r.p50, r.p5, r.p95].map((v) => m.format(v))),
            String(r.n),
            r.ratio === null ? '' : `× ${r.ratio.ratio.toFixed(2)}`,
            r.ratio === null ? '' : `${r.ratio.low.toFixed(2)}–${r.ratio.high.toFixed(2)}`,
          ]),
        ),
    );
  return [
    '<h2 id="comparison">Side by side</h2>',
    ...cautions.map((text) => `<p class="caution">${escapeXml(capital(text))}.</p>`),
    overview,
    spread('pauseNs', (m, r) => pauseLimitNs(r, m)),
    spread('totalNs', (m, r) => totalLimitNs(r, m)),
    spread('gapNs', null),
    ...tables,
  ].join('\n');
}

function overviewCells(result: RunResult): string[] {
  const done = completed(result);
  const mid = (of: (m: MigrationResult) => number | null): number | null => medianOrNull(done.map(of));
  const shown = (value: number | null, format: (v: number) => string): string =>
    value === null ? '–' : format(value);
  const times = (v: number): string => (v >= 10 ? v.toFixed(0) : v.toFixed(2));
  return [
    `${done.length}/${result.migrations.length}`,
    shown(
      mid((m) => m.pauseNs),
      formatNs,
    ),
    shown(
      mid((m) => (m.pauseNs === null ? null : m.pauseNs / pauseLimitNs(result, m))),
      times,
    ),
    shown(
      mid((m) => m.totalNs),
      formatNs,
    ),
    shown(
      mid((m) => ratioOrNull(m.totalNs, totalLimitNs(result, m))),
      times,
    ),
    shown(medianOrNull(valuesOf(result, metric('gapNs'))), formatNs),
    shown(
      mid((m) => m.throughputBps),
      formatBps,
    ),
  ];
}

function ratioOrNull(value: number, limit: number | null): number | null {
  return limit === null || limit === 0 ? null : value / limit;
}

function completed({ migrations }: RunResult): MigrationResult[] {
  return migrations.filter((m) => m.outcome === 'completed');
}

function medianOrNull(values: readonly (number | null)[]): number | null {
  const known = values.filter((v) => v !== null && Number.isFinite(v)) as number[];
  return known.length === 0 ? null : median(known);
}

function run({ name, result: r }: NamedResult, index: number, draw: (plot: Plot | null) => string): string {
  const typical = typicalMove(r);
  const of = `Run ${name}: seed ${r.seed}, ${r.label}, longhaul ${r.revision}`;
  const id = (what: string): string => `${anchor(index)}-${what}`;
  const sections = [
    `<h2 id="${anchor(index)}">${escapeXml(name)}</h2>`,
    `<p class="quiet">${escapeXml(setting(r))}</p>`,
    tiles(headline(r)),
    `<ul class="verdicts">${verdictsOf(r)
      .map((v) => `<li class="${v.level}">${escapeXml(v.text)}</li>`)
      .join('')}</ul>`,
  ];
  if (typical !== null) {
    const { oneWayNs } = pathOf(r, typical.from);
    const several = r.migrations.length > 1;
    const which = several
      ? `; move ${typical.index + 1} of ${r.migrations.length}, the one with the median pause`
      : '';
    const caption = `${of}${which}.`;
    sections.push(
      draw(timelinePlot(typical, oneWayNs, id('timeline'), caption)),
      draw(pausePlot(typical, pauseLimitNs(r, typical), id('pause'), caption)),
      draw(
        pausesPlot(
          r,
          r.migrations.filter((m) => m.pauseParts !== null).map((m) => pauseLimitNs(r, m)),
          id('pauses'),
          `${of}.`,
        ),
      ),
      draw(
        pagesPlot(r, typical, oneWayNs, id('pages'), `${caption} Within a round the line is drawn straight.`),
      ),
      draw(rttPlot(typical, oneWayNs, id('clients'), caption)),
      draw(latenessPlot(r, oneWayNs, id('lateness'), `${of}. Stamped just before the write.`)),
    );
  }
  sections.push(movesTable(r), partsTable(r), notes(r), made(r));
  return sections.join('\n');
}

/** The completed move whose pause is the median; any other where none has one. */
function typicalMove(r: RunResult): MigrationResult | null {
  const done = completed(r).filter((m) => m.pauseNs !== null);
  if (done.length === 0) return r.migrations[0] ?? null;
  const mid = median(done.map((m) => m.pauseNs!));
  return done.find((m) => m.pauseNs === mid)!;
}

function setting(r: RunResult): string {
  const { guest, migration: m } = r.experiment;
  const { oneWayNs, rateBps, lossProb } = pathOf(r);
  const { model, pagesPerS } = guest.dirty;
  const dirty = model === 'idle' ? 'idle' : `${model} ${(pagesPerS * PAGE_SIZE) / 1e6} MB/s`;
  const loss = lossProb === 0 ? 'no loss' : `loss ${percent(lossProb)}`;
  return (
    `${formatBytes(guest.memoryBytes)} filled ${guest.fill}, ${dirty} · ${formatNs(oneWayNs)} one way, ` +
    `${formatBps(rateBps)}, ${loss} · ${m.mode}, ${m.transport}, ${m.streams} stream${m.streams === 1 ? '' : 's'}, ` +
    `${m.secure ? 'encrypted' : 'in clear'} · attach ${r.attach}`
  );
}

function headline(r: RunResult): [string, string][] {
  const facts: [string, string][] = [];
  const add = (name: string, key: string): void => {
    const { format } = metric(key);
    const values = valuesOf(r, metric(key));
    if (values.length > 0) facts.push([values.length > 1 ? `${name}, p50` : name, format(median(values))]);
  };
  if (r.rtt !== null) facts.push(['round trip, p50', formatNs(r.rtt.p50Ns)]);
  add('pause', 'pauseNs');
  add('total', 'totalNs');
  add('longest gap', 'gapNs');
  add('throughput', 'throughputBps');
  if (r.lateness !== null) facts.push(['lateness, p50', formatNs(r.lateness.p50Ns)]);
  return facts;
}

function movesTable(r: RunResult): string {
  const shown = METRICS.filter((m) => valuesOf(r, m).some((v) => v !== 0));
  const columns = [
    { title: 'move', numeric: true },
    { title: '' },
    { title: 'outcome' },
    ...shown.map((m) => ({ title: m.title, numeric: true })),
  ];
  const cell = (m: MigrationResult, k: (typeof shown)[number]): string => {
    const value = k.of(m, r);
    return value === null ? '–' : k.format(value);
  };
  const rows = r.migrations.map((m) => [
    String(m.index + 1),
    `${m.from}→${m.to}`,
    m.outcome,
    ...shown.map((k) => cell(m, k)),
  ]);
  return `<h3>Moves</h3>${table(columns, rows)}`;
}

/** Rounds of the typical move: what the plots draw, as numbers. */
function partsTable(r: RunResult): string {
  const m = typicalMove(r);
  if (m === null || m.rounds.length === 0) return '';
  const columns = [
    'round',
    'duration',
    'dirty pages',
    'sent',
    'zero',
    'bytes',
    'throughput',
    'predicted pause',
  ];
  const rows = m.rounds.map((k) => [
    String(k.round),
    formatNs(k.durationNs),
    formatCount(k.dirtyPages),
    formatCount(k.pagesSent),
    formatCount(k.zeroPages),
    formatBytes(k.bytes),
    formatBps(k.throughputBps),
    k.predictedPauseNs === null ? '–' : formatNs(k.predictedPauseNs),
  ]);
  return `<h3>Rounds of move ${m.index + 1}</h3>${table(
    columns.map((title) => ({ title, numeric: true })),
    rows,
  )}`;
}

function notes({ notes: lines }: RunResult): string {
  if (lines.length === 0) return '';
  return `<h3>Notes</h3><ul>${lines.map((text) => `<li>${escapeXml(text)}</li>`).join('')}</ul>`;
}

function made(r: RunResult): string {
  const peaks = r.memoryPeaks.map((p) => `${p.process} ${formatBytes(p.peakBytes)}`).join(', ');
  const closes = r.fabric === null ? 'not measured' : r.fabric.closes ? 'closes' : 'DOES NOT CLOSE';
  const rows = [
    ['started', r.startedAt],
    ['machine', machineOf(r)],
    ['revision', r.revision],
    ['seed', String(r.seed)],
    ['attach', `${r.attach}, ${r.label}`],
    ["the fabric's accounting", closes],
    ...(r.lateness === null
      ? []
      : [
          [
            'lateness',
            `p50 ${formatNs(r.lateness.p50Ns)}, p99 ${formatNs(r.lateness.p99Ns)}, longest ${formatNs(r.lateness.maxNs)}`,
          ],
        ]),
    ...(r.processors === null ? [] : [['processors in use', processorWords(r.processors)]]),
    ...(peaks === '' ? [] : [['memory, at most', peaks]]),
    ...(r.traceHash === undefined ? [] : [['digest of the trace', r.traceHash]]),
  ];
  return `<h3>How it was made</h3>${table([{ title: '' }, { title: '' }], rows)}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** p5, median and p95 for a caption. */
export function spreadText(values: readonly number[], format: (v: number) => string): string {
  const v = sorted(values);
  return `${format(quantile(v, 0.5))} (${format(quantile(v, 0.05))}–${format(quantile(v, 0.95))}, n ${v.length})`;
}
