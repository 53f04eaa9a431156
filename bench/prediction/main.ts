/**
 * `npm run bench:prediction -- [--costs FILE] [--runs DIR] [--turns N] [--warm-up N] [--moves N] [--only WORD,…] [--for SECONDS] [--out FILE]`
 *
 * Real moves against simulated ones, on the grid of `cells.ts`. In each turn every cell has one run of some moves, the
 * first of which are left out; figures are medians over all turns. Runs are kept in DIR, those that lie there are not made
 * again, and simulated ones are always made anew, with the costs that are given. `--for` begins no run when so
 * long has passed, and compares what there is.
 *
 *   total.CELL, pause.CELL                    measured, ms
 *   total.CELL.simulated, pause.CELL.simulated
 *   total.CELL.error, pause.CELL.error        |simulated − measured| over measured, of the medians
 *   total.error.max, pause.error.max          the largest; a pause that is off by 0.3 ms or less counts as 0 there
 *   cells.met                                 cells within 15 % of the total and 30 % or 0.3 ms of the pause
 *
 * The total is from the offer until STARTED has reached the source. Pages are random and travel as they are: the
 * simulation makes none shorter.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { BUILT_IN_COSTS, readCosts } from '../../src/lab/calibration/costs-file.js';
import { experimentFrom } from '../../src/lab/config/experiment-file.js';
import type { MigrationResult } from '../../src/lab/result.js';
import { simulateExperiment } from '../../src/lab/simulate.js';
import { formatTable, quantile, sorted } from '../../src/report/index.js';
import { Figures, say } from '../figures.js';
import { makeMoves } from '../migration/moves.js';
import { CELLS, type Cell } from './cells.js';
import { openRuns, RunFolder } from './runs.js';

/** Simulated moves differ little. */
const SIMULATED_MOVES = 10;
const TOTAL_ERROR_MAX = 0.15;
const PAUSE_ERROR_MAX = 0.3;
/** A pause within this of the measured one is as good as met. */
const PAUSE_SPARE_MS = 0.3;

const { values } = parseArgs({
  options: {
    costs: { type: 'string' },
    runs: { type: 'string' },
    turns: { type: 'string', default: '3' },
    // The first moves each way are slower: untouched memory, code that never ran, or too seldom to be compiled.
    'warm-up': { type: 'string', default: '4' },
    moves: { type: 'string', default: '6' },
    only: { type: 'string' },
    for: { type: 'string', default: 'Infinity' },
    out: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const turns = Number(values.turns);
const warmUp = Number(values['warm-up']);
const moves = Number(values.moves);
const untilMs = performance.now() + Number(values.for) * 1000;
if (
  values.help ||
  !(warmUp >= 0 && warmUp <= 100) ||
  !(turns >= 0 && turns <= 100) ||
  !(moves >= 1 && moves <= 100) ||
  Number.isNaN(untilMs)
) {
  console.log(
    'npm run bench:prediction -- [--costs FILE] [--runs DIR] [--turns 0..100] [--warm-up 0..100] [--moves 1..100] [--only WORD,…] [--for SECONDS] [--out FILE]',
  );
  console.log(`cells: ${CELLS.map((c) => c.name).join(' ')}`);
  process.exit(values.help ? 0 : 2);
}
const only = values.only?.split(',') ?? [''];
const cells = CELLS.filter(({ name }) => only.some((word) => name.includes(word)));
const runsDir = values.runs ?? mkdtempSync(join(tmpdir(), 'longhaul-prediction-'));
const folder = new RunFolder(runsDir);
const costs = values.costs === undefined ? BUILT_IN_COSTS : readCosts(values.costs);
say(`measured runs in ${runsDir}; costs of simulated hosts: ${costs.source}`);
const figures = new Figures('prediction');

for (const { cell, turn } of openRuns(cells, turns, folder)) {
  if (performance.now() >= untilMs) break;
  await measure(cell, turn);
}
const rows: string[][] = [];
const errors: { total: number[]; pause: number[] } = { total: [], pause: [] };
for (const cell of cells) await compare(cell);
if (rows.length > 0) {
  figures.add('total.error.max', '', [Math.max(...errors.total)]);
  figures.add('pause.error.max', '', [Math.max(...errors.pause)]);
  const met = errors.total.filter((e, i) => e <= TOTAL_ERROR_MAX && errors.pause[i]! <= PAUSE_ERROR_MAX);
  figures.add('cells.met', '', [met.length]);
}
const columns = [
  'cell',
  'total ms',
  'quartiles',
  'simulated',
  'error',
  'pause ms',
  'quartiles',
  'simulated',
  'error',
  'n',
];
console.log(
  `${formatTable(
    columns.map((title, i) => ({ title, align: i === 0 ? ('left' as const) : ('right' as const) })),
    rows,
    '',
  ).join('\n')}\n`,
);
figures.finish(values.out);

async function measure({ name, input }: Cell, turn: number): Promise<void> {
  say(`turn ${turn + 1}: ${name}, ${moves} moves`);
  const repeat = warmUp + moves;
  try {
    const { result } = await makeMoves({ ...input, migration: { ...input.migration, repeat } });
    folder.add(name, turn, result);
  } catch (e) {
    figures.skip(`${name}.${turn}`, e instanceof Error ? e.message : String(e));
    process.exitCode = 1;
  }
}

async function compare({ name, input }: Cell): Promise<void> {
  const runs = folder.of(name);
  if (runs.length === 0) return figures.skip(name, 'not measured yet');
  const measured = sampleOf(runs.flatMap((run) => run.migrations.slice(warmUp)));
  const repeat = 2 + SIMULATED_MOVES;
  const experiment = experimentFrom({ ...input, attach: 'sim', migration: { ...input.migration, repeat } });
  const simulated = sampleOf((await simulateExperiment(experiment, { costs })).migrations.slice(2));
  const row = [name];
  for (const what of ['total', 'pause'] as const) {
    const real = figures.add(`${what}.${name}`, 'ms', measured[what]);
    const virtual = figures.add(`${what}.${name}.simulated`, 'ms', simulated[what], 'simulated');
    const off = virtual.value - real.value;
    const error = Math.abs(off) / real.value;
    figures.add(`${what}.${name}.error`, '', [error]);
    errors[what].push(what === 'pause' && Math.abs(off) <= PAUSE_SPARE_MS ? 0 : error);
    const s = sorted(measured[what]);
    const signed = `${off < 0 ? '−' : '+'}${(error * 100).toFixed(0)} %`;
    row.push(ms(real.value), `${ms(quantile(s, 0.25))}–${ms(quantile(s, 0.75))}`, ms(virtual.value), signed);
  }
  rows.push([...row, `${measured.total.length}`]);
}

function sampleOf(migrations: readonly MigrationResult[]): Record<'total' | 'pause', number[]> {
  return { total: migrations.map((m) => m.totalNs / 1e6), pause: migrations.map((m) => m.pauseNs! / 1e6) };
}

function ms(value: number): string {
  return value < 100 ? value.toFixed(2) : value.toFixed(0);
}
