/**
 * `npm run bench -- [--quick] [--out DIR]`
 *
 * Throughput and switchover pause against the target of a round trip under 1 ms, over distance, dirty rate, memory,
 * mode and transport. Writes into DIR (default: results/bench or results/bench-quick):
 *
 *   bench.txt     the table: each figure with p5 and p95, beside it the physical limit and the ratio to it
 *   bench.json    the same for programs (longhaul/bench/1)
 *   report.html   the same with plots, and every cell's run
 *   cells/        a result for each cell: the same command goes on where it was
 *
 * Every move is checked: completed, memory identical page by page, every answer once.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { formatNs } from '../../src/core/index.js';
import type { MigrationResult, RunResult } from '../../src/lab/result.js';
import { enterUserNamespace } from '../../src/lab/user-namespace.js';
import { htmlReport, metric, pauseLimitNs, totalLimitNs, valuesOf } from '../../src/report/index.js';
import { ResultStore } from '../../src/results/index.js';
import { sweep } from '../../src/sweep/index.js';
import { Figures, say } from '../figures.js';
import { refuse } from '../migration/moves.js';
import { type BenchCell, benchCells, pointName } from './cells.js';
import { benchSections } from './sections.js';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    moves: { type: 'string' },
    out: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const moves = Number(values.moves ?? (values.quick ? 2 : 20));
if (values.help || !(Number.isInteger(moves) && moves >= 1 && moves <= 1000)) {
  console.log('npm run bench -- [--quick] [--moves 1..1000] [--out DIR]');
  process.exit(values.help ? 0 : 2);
}
enterUserNamespace();
const out = values.out ?? join('results', values.quick ? 'bench-quick' : 'bench');
const cells = benchCells(values.quick, moves);
const interrupt = new AbortController();
process.on('SIGINT', () => interrupt.abort());

say(`${cells.length} cells of ${moves} moves into ${out}; interrupted, the same command goes on`);
const end = await sweep(
  cells.map((c) => c.cell),
  {
    storeDir: join(out, 'cells'),
    signal: interrupt.signal,
    onProgress: ({ cell, outcome, done, of, etaMs }) => {
      const left = etaMs === null || done === of ? '' : `, ${formatNs(etaMs * 1e6)} left`;
      say(`${done}/${of} ${cell.name}${outcome.ok ? '' : `: ${outcome.text}`}${left}`);
    },
  },
);
if (interrupt.signal.aborted) process.exit(130);
if (end.before > 0) say(`${end.before} cells had a result already`);

const store = new ResultStore(join(out, 'cells'));
const figures = new Figures('headline');
const measured: { readonly bench: BenchCell; readonly result: RunResult }[] = [];
for (const bench of cells) {
  const name = pointName(bench.point);
  const failed = end.failed.find((f) => f.hash === bench.cell.hash);
  if (failed !== undefined) {
    figures.skip(name, failed.text);
    process.exitCode = 1;
    continue;
  }
  const { result } = store.find(bench.cell.hash)[0]!;
  try {
    result.migrations.forEach(refuse);
  } catch (e) {
    figures.skip(name, (e as Error).message);
    process.exitCode = 1;
    continue;
  }
  measured.push({ bench, result });
  addFigures(name, result);
}
mkdirSync(out, { recursive: true });
const text = figures.finish(join(out, 'bench.json'));
writeFileSync(join(out, 'bench.txt'), `${text}\n`);
const { html } = htmlReport(
  measured.map(({ bench, result }) => ({ name: pointName(bench.point), result })),
  values.quick ? 'longhaul: the headline bench, quick' : 'longhaul: the headline bench',
  benchSections(measured.map(({ bench, result }) => ({ point: bench.point, result }))),
);
writeFileSync(join(out, 'report.html'), html);
say(`table, figures and report in ${out}`);

function addFigures(name: string, result: RunResult): void {
  const of = (pick: (m: MigrationResult) => number | null): number[] =>
    result.migrations.flatMap((m) => pick(m) ?? []);
  if (result.rtt !== null) figures.add(`rtt.${name}`, 'ms', [result.rtt.p50Ns / 1e6]);
  figures.add(
    `pause.${name}`,
    'ms',
    of((m) => m.pauseNs! / 1e6),
  );
  figures.add(
    `pause_limit.${name}`,
    'ms',
    of((m) => pauseLimitNs(result, m) / 1e6),
  );
  figures.add(
    `pause_over_limit.${name}`,
    'ratio',
    of((m) => m.pauseNs! / pauseLimitNs(result, m)),
  );
  figures.add(
    `complete.${name}`,
    'ms',
    valuesOf(result, metric('completeNs')).map((ns) => ns / 1e6),
  );
  figures.add(
    `complete_limit.${name}`,
    'ms',
    of((m) => totalLimitNs(result, m)! / 1e6),
  );
  figures.add(
    `complete_over_limit.${name}`,
    'ratio',
    of((m) => (m.totalNs + (m.postcopy?.durationNs ?? 0)) / totalLimitNs(result, m)!),
  );
  figures.add(
    `gap.${name}`,
    'ms',
    valuesOf(result, metric('gapNs')).map((ns) => ns / 1e6),
  );
  figures.add(
    `throughput.${name}`,
    'Gbit/s',
    of((m) => m.throughputBps / 1e9),
  );
}
