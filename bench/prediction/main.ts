/**
 * `npm run bench:prediction -- --costs FILE [--moves N] [--only WORD,…] [--resume] [--measure] [--out FILE]`
 *
 * Real moves against simulated ones: 3 profiles × 3 dirty rates × 2 modes, medians of N moves each (10), the first move
 * each way left out. `--resume` measures only cells that the file named by `--out` does not have; simulated ones are
 * always made anew, with the costs that are given; `--measure` makes none.
 *
 *   total.CELL, pause.CELL                    measured, ms
 *   total.CELL.simulated, pause.CELL.simulated
 *   total.CELL.error, pause.CELL.error        |simulated − measured| over measured, of the medians
 *   total.error.max, pause.error.max          the largest; a pause that is off by 0.3 ms or less counts as 0 there
 *
 * Where the fiber loses packets there are no clients: what they lose would refuse the move.
 * The total is from the offer until STARTED has reached the source. Pages are random and travel as they are: the
 * simulation makes none shorter.
 */
import { existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { BUILT_IN_COSTS, readCosts } from '../../src/lab/calibration/costs-file.js';
import { experimentFrom } from '../../src/lab/config/experiment-file.js';
import type { ExperimentInput } from '../../src/lab/config/experiment-keys.js';
import type { MigrationResult } from '../../src/lab/result.js';
import { simulateExperiment } from '../../src/lab/simulate.js';
import { formatTable } from '../../src/report/index.js';
import { type BenchResult, type Figure, Figures, say } from '../figures.js';
import { makeMoves } from '../migration/moves.js';

const PROFILES: Readonly<Record<string, object>> = {
  'metro-80km': { profile: 'metro-80km' },
  'metro-vmotion-10ms': { profile: 'metro-vmotion-10ms' },
  'metro-1Gbit-loss1e-3': { profile: 'metro-80km', rate: '1Gbit', loss: '0.1%' },
};
const DIRTY = { '0MBps': 'idle', '20MBps': 'uniform:20MB/s', '50MBps': 'uniform:50MB/s' } as const;
const MODES = ['precopy', 'hybrid'] as const;
/** The first move each way is slower: untouched memory, code that never ran. */
const WARM_UP_MOVES = 2;
/** Simulated moves differ little. */
const SIMULATED_MOVES = 6;
/** A pause within this of the measured one is as good as met. */
const PAUSE_SPARE_MS = 0.3;

interface Cell {
  readonly name: string;
  readonly input: ExperimentInput;
}

const CELLS: readonly Cell[] = Object.entries(PROFILES).flatMap(([profile, fiber]) =>
  (Object.keys(DIRTY) as (keyof typeof DIRTY)[]).flatMap((dirty) =>
    MODES.map((mode) => ({
      name: `${profile}.${dirty}.${mode}`,
      input: {
        attach: 'netns' as const,
        seed: 7,
        fiber,
        guest: { memory: '64MiB', fill: 'random', dirty: DIRTY[dirty], 'hot-set': '16MiB' } as const,
        probe: { count: 10 },
        ...('loss' in fiber ? { clients: [] } : {}),
        migration: { mode, compress: 'off', delta: 'off', dedup: 'off', between: '100ms' } as const,
      },
    })),
  ),
);

/** Two figures of a cell, in ms. */
interface Sample {
  readonly total: number[];
  readonly pause: number[];
}

const { values } = parseArgs({
  options: {
    costs: { type: 'string' },
    moves: { type: 'string', default: '10' },
    only: { type: 'string' },
    resume: { type: 'boolean', default: false },
    measure: { type: 'boolean', default: false },
    out: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const moves = Number(values.moves);
const only = values.only?.split(',') ?? [''];
if (values.help || !(moves >= 1 && moves <= 1000)) {
  console.log(
    'npm run bench:prediction -- [--costs FILE] [--moves 1..1000] [--only WORD,…] [--resume] [--measure] [--out FILE]',
  );
  console.log(`cells: ${CELLS.map((c) => c.name).join(' ')}`);
  process.exit(values.help ? 0 : 2);
}

const costs = values.costs === undefined ? BUILT_IN_COSTS : readCosts(values.costs);
say(`costs of simulated hosts: ${costs.source}`);
const figures = new Figures('prediction');
const known = values.resume && values.out !== undefined && existsSync(values.out) ? earlier(values.out) : [];
const rows: string[][] = [];
const errors: { total: number[]; pause: number[] } = { total: [], pause: [] };

const measuredBefore = ({ name }: Cell): Figure[] =>
  known.filter((f) => f.label === 'measured' && f.name.split('.').slice(1, 4).join('.') === name);
// Those first that are known: what is written after each cell then lacks none of them.
const order = [...CELLS].sort((x, y) => measuredBefore(y).length - measuredBefore(x).length);
for (const cell of order) {
  const { name, input } = cell;
  const before = measuredBefore(cell);
  if (before.length === 0 && !only.some((word) => name.includes(word))) continue;
  try {
    await compare(name, input, before);
    figures.save(values.out);
  } catch (e) {
    figures.skip(name, e instanceof Error ? e.message : String(e));
    process.exitCode = 1;
  }
}
if (rows.length > 0) {
  figures.add('total.error.max', '', [Math.max(...errors.total)]);
  figures.add('pause.error.max', '', [Math.max(...errors.pause)]);
}
const columns = [
  'cell',
  'total ms',
  'p5–p95',
  'simulated',
  'error',
  'pause ms',
  'p5–p95',
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

async function compare(name: string, input: ExperimentInput, before: readonly Figure[]): Promise<void> {
  const measured = before.length > 0 ? before.map((f) => figures.keep(f)) : await measure(name, input);
  if (values.measure) return;
  const repeat = WARM_UP_MOVES + SIMULATED_MOVES;
  const experiment = experimentFrom({ ...input, attach: 'sim', migration: { ...input.migration, repeat } });
  const simulated = sampleOf((await simulateExperiment(experiment, { costs })).migrations);
  const row = [name];
  for (const [i, what] of (['total', 'pause'] as const).entries()) {
    const real = measured[i]!;
    const virtual = figures.add(`${what}.${name}.simulated`, 'ms', simulated[what], 'simulated');
    const offMs = Math.abs(virtual.value - real.value);
    const error = offMs / real.value;
    figures.add(`${what}.${name}.error`, '', [error]);
    errors[what].push(what === 'pause' && offMs <= PAUSE_SPARE_MS ? 0 : error);
    row.push(
      ms(real.value),
      `${ms(real.p5)}–${ms(real.p95)}`,
      ms(virtual.value),
      `${(error * 100).toFixed(0)} %`,
    );
  }
  rows.push([...row, `${measured[0]!.n}`]);
}

async function measure(name: string, input: ExperimentInput): Promise<Figure[]> {
  say(`── ${name}, ${moves} moves`);
  const repeat = WARM_UP_MOVES + moves;
  const { migrations } = await makeMoves({ ...input, migration: { ...input.migration, repeat } });
  const sample = sampleOf(migrations);
  return (['total', 'pause'] as const).map((what) => figures.add(`${what}.${name}`, 'ms', sample[what]));
}

function sampleOf(migrations: readonly MigrationResult[]): Sample {
  const warm = migrations.slice(WARM_UP_MOVES);
  return { total: warm.map((m) => m.totalNs / 1e6), pause: warm.map((m) => m.pauseNs! / 1e6) };
}

/** Figures that an earlier run of this bench has written. */
function earlier(path: string): readonly Figure[] {
  const { figures: all } = JSON.parse(readFileSync(path, 'utf8')) as BenchResult;
  return all.filter((f) => f.n > 1);
}

function ms(value: number): string {
  return value < 100 ? value.toFixed(2) : value.toFixed(0);
}
