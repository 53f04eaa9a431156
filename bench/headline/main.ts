/**
 * `npm run bench -- [--quick] [--moves N] [--only WORD,…] [--out DIR]`
 *
 * Throughput and switchover pause against the target of a round trip under 1 ms, over distance, dirty rate, memory,
 * mode and transport. Writes into DIR (default: results/bench or results/bench-quick):
 *
 *   bench.txt     the table: each figure with p5 and p95, beside it the physical limit and the ratio to it
 *   bench.json    the same for programs (longhaul/bench/1)
 *   report.html   the same with plots, and every cell's run
 *   cells/        a result for each cell: the same command goes on where it was
 *
 * Every move is checked: completed, memory identical page by page, every answer once. One that is not has no figure, is
 * named, and makes the command fail. `other_use` is the part of the processors that others had meanwhile.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf } from '../../src/core/index.js';
import type { MigrationResult, RunResult } from '../../src/lab/result.js';
import { enterUserNamespace } from '../../src/lab/user-namespace.js';
import {
  htmlReport,
  metric,
  OTHER_USE_NOTED,
  otherUse,
  pauseLimitNs,
  percent,
  totalLimitNs,
} from '../../src/report/index.js';
import { ResultStore } from '../../src/results/index.js';
import { sweep } from '../../src/sweep/index.js';
import { Figures, say } from '../figures.js';
import { refuse } from '../migration/moves.js';
import { type BenchCell, benchCells, FULL_BASE, QUICK_BASE } from './cells.js';
import { BenchProgress } from './progress.js';
import { benchSections } from './sections.js';

const QUICK_MOVES = 2;
const FULL_MOVES = 20;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    moves: { type: 'string' },
    only: { type: 'string' },
    out: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const moves = Number(values.moves ?? (values.quick ? QUICK_MOVES : FULL_MOVES));
const cells = benchCells(values.quick, moves, values.only?.split(',') ?? []);
if (values.help || !(Number.isInteger(moves) && moves >= 1 && moves <= 1000) || cells.length === 0) {
  console.log('npm run bench -- [--quick] [--moves 1..1000] [--only WORD,…] [--out DIR]');
  console.log('WORD is a part of the names of cells, such as udp, 1000km or postcopy.tcp.80km');
  process.exit(values.help ? 0 : 2);
}
enterUserNamespace();
const out = values.out ?? join('results', values.quick ? 'bench-quick' : 'bench');
const interrupt = new AbortController();
process.on('SIGINT', () => interrupt.abort());
process.on('SIGTERM', () => interrupt.abort());

const store = new ResultStore(join(out, 'cells'));
const before = cells.filter(({ cell }) => store.has(cell.hash)).length;
say(`${cells.length} cells of ${moves} moves into ${out}; interrupted, the same command goes on`);
if (before > 0) say(`${before} have a result already`);
const progress = new BenchProgress(cells.length, before, moves);
const end = await sweep(
  cells.map((c) => c.cell),
  {
    storeDir: store.dir,
    signal: interrupt.signal,
    onProgress: ({ cell, outcome }) => progress.ended(cell.name, outcome.ok ? '' : outcome.text),
    onMove: (cell, made) => progress.moved(cell.name, made),
  },
).catch((e) => {
  say(messageOf(e));
  process.exit(1);
});
if (interrupt.signal.aborted) {
  say('interrupted; the same command goes on where it was');
  process.exit(130);
}

const figures = new Figures('headline');
const measured: { readonly bench: BenchCell; readonly result: RunResult }[] = [];
for (const bench of cells) {
  const failed = end.failed.find((f) => f.hash === bench.cell.hash);
  if (failed !== undefined) {
    figures.skip(bench.name, failed.text);
    process.exitCode = 1;
    continue;
  }
  const { result } = store.find(bench.cell.hash)[0]!;
  const sound = { ...result, migrations: result.migrations.filter((m) => isSound(bench.name, m)) };
  if (sound.migrations.length === 0) continue;
  measured.push({ bench, result: sound });
  addFigures(bench.name, sound);
}
const used = measured.flatMap(({ result }) => result.processors ?? []).map(otherUse);
if (used.length > 0) figures.add('other_use', 'ratio', used);
mkdirSync(out, { recursive: true });
const text = figures.finish(join(out, 'bench.json'));
writeFileSync(join(out, 'bench.txt'), `${text}\n`);
const { html } = htmlReport(
  measured.map(({ bench, result }) => ({ name: bench.name, result })),
  values.quick ? 'longhaul: the headline bench, quick' : 'longhaul: the headline bench',
  benchSections(
    measured.map(({ bench, result }) => ({ point: bench.point, result })),
    values.quick ? QUICK_BASE : FULL_BASE,
  ),
);
writeFileSync(join(out, 'report.html'), html);
const busiest = Math.max(0, ...used);
if (busiest > OTHER_USE_NOTED)
  say(`the machine was in other use, up to ${percent(busiest)} of its processors: a quiet one does better`);
say(`table, figures and report in ${out}`);

/** A move with trouble has no figure; it is named, and the bench fails. */
function isSound(name: string, move: MigrationResult): boolean {
  try {
    refuse(move);
    return true;
  } catch (e) {
    figures.skip(name, messageOf(e));
    process.exitCode = 1;
    return false;
  }
}

function addFigures(name: string, result: RunResult): void {
  const add = (figure: string, unit: string, of: (m: MigrationResult) => number | null | undefined): void => {
    const seen = result.migrations.flatMap((m) => of(m) ?? []);
    if (seen.length > 0) figures.add(`${figure}.${name}`, unit, seen);
  };
  const complete = metric('completeNs');
  const gap = metric('gapNs');
  if (result.rtt !== null) figures.add(`rtt.${name}`, 'ms', [result.rtt.p50Ns / 1e6]);
  add('pause', 'ms', (m) => m.pauseNs! / 1e6);
  add('pause_limit', 'ms', (m) => pauseLimitNs(result, m) / 1e6);
  add('pause_over_limit', 'ratio', (m) => m.pauseNs! / pauseLimitNs(result, m));
  add('complete', 'ms', (m) => complete.of(m, result)! / 1e6);
  add('complete_limit', 'ms', (m) => totalLimitNs(result, m)! / 1e6);
  add('complete_over_limit', 'ratio', (m) => complete.of(m, result)! / totalLimitNs(result, m)!);
  add('gap', 'ms', (m) => gap.of(m, result)! / 1e6);
  add('throughput', 'Gbit/s', (m) => m.throughputBps / 1e9);
}
