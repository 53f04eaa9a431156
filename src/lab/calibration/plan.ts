/**
 * The moves that a calibration measures: short, of a guest whose pages cannot be made shorter, each way several times.
 *
 *   near    10 km, 10 Gbit/s: the hosts are the bottleneck, and their pace shows
 *   far     5 ms, 622 Mbit/s: the hosts wait for the line, and find their caches cold
 *   zeros   pages that are looked at and travel as a number
 */
import { experimentFrom } from '../config/experiment-file.js';
import type { ExperimentInput } from '../config/experiment-keys.js';
import type { RunResult } from '../result.js';

/** The first move each way is slower: untouched memory, code that never ran. */
const WARM_UP_MOVES = 2;
const MOVES = 10;
const MOVES_QUICK = 4;

export interface CalibrationRun {
  readonly name: string;
  readonly experiment: RunResult['experiment'];
}

const RUNS: readonly {
  readonly name: string;
  readonly profile: string;
  readonly guest: object;
  readonly mode: string;
}[] = [
  { name: 'near-precopy', profile: 'campus-10km', guest: {}, mode: 'precopy' },
  { name: 'near-hybrid', profile: 'campus-10km', guest: {}, mode: 'hybrid' },
  { name: 'far-precopy', profile: 'vmotion-5ms', guest: { memory: '32MiB' }, mode: 'precopy' },
  { name: 'far-hybrid', profile: 'vmotion-5ms', guest: { memory: '32MiB' }, mode: 'hybrid' },
  { name: 'zeros', profile: 'campus-10km', guest: { fill: 'zero', dirty: 'idle' }, mode: 'precopy' },
];

export function calibrationRuns(quick: boolean): CalibrationRun[] {
  return RUNS.map(({ name, profile, guest, mode }) => ({
    name,
    experiment: experimentFrom({
      name,
      fiber: { profile },
      guest: { memory: '64MiB', fill: 'random', dirty: 'uniform:30MB/s', 'hot-set': '16MiB', ...guest },
      probe: { count: 10 },
      migration: {
        mode,
        repeat: WARM_UP_MOVES + (quick ? MOVES_QUICK : MOVES),
        compress: 'off',
        delta: 'off',
        dedup: 'off',
        between: '100ms',
      },
    } as ExperimentInput),
  }));
}

/** The moves that count. */
export function warmMoves({ migrations }: Pick<RunResult, 'migrations'>): RunResult['migrations'] {
  return migrations
    .slice(Math.min(WARM_UP_MOVES, migrations.length - 1))
    .filter((m) => m.outcome === 'completed');
}
