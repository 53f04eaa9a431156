/** `longhaul calibrate`: measures this machine's hosts and writes a file of costs for simulated ones. */
import { writeFileSync } from 'node:fs';
import { calibrate } from '../lab/calibration/calibrate.js';
import type { CostsFile } from '../lab/calibration/costs-file.js';
import type { RunExperiment } from '../lab/run-events.js';
import { formatTable } from '../report/index.js';
import { COST_MEANINGS, COST_NAMES } from '../sim/index.js';
import { EXIT_OK } from './exit-codes.js';

export const DEFAULT_COSTS_FILE = 'costs.json';

export interface CalibrateTyped {
  readonly quick?: boolean;
  readonly out?: string;
  readonly json?: boolean;
  readonly runs?: string;
}

export interface CalibrateContext {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly signal: AbortSignal;
  readonly runExperiment: RunExperiment;
}

export async function calibrateCommand(typed: CalibrateTyped, context: CalibrateContext): Promise<number> {
  const { quick = false, out = DEFAULT_COSTS_FILE, json = false, runs: runsDir } = typed;
  const { signal, runExperiment } = context;
  const file = await calibrate({
    quick,
    signal,
    runExperiment,
    runsDir,
    say: (text) => context.err(`${text}\n`),
  });
  const text = JSON.stringify(file, null, 2);
  writeFileSync(out, `${text}\n`);
  context.out(`${json ? text : costsText(file)}\n`);
  context.err(`costs in ${out}; longhaul run --attach sim --costs ${out} takes them\n`);
  return EXIT_OK;
}

/** What was found, cost by cost, and how the simulation with them meets what was measured. */
export function costsText({ costs, observed }: CostsFile): string {
  const us = (ns: number): string => (ns / 1000).toFixed(1);
  const found = formatTable(
    [
      { title: 'cost', align: 'left' },
      { title: 'µs', align: 'right' },
      { title: 'of what', align: 'left' },
    ],
    COST_NAMES.map((name) => [name.replace(/Ns$/, ''), us(costs[name]), COST_MEANINGS[name]]),
    '',
  );
  const met = formatTable(
    [
      { title: 'figure', align: 'left' },
      { title: 'measured µs', align: 'right' },
      { title: 'p5', align: 'right' },
      { title: 'p95', align: 'right' },
      { title: 'n', align: 'right' },
      { title: 'simulated', align: 'right' },
    ],
    observed.map((o) => [o.name, us(o.measured), us(o.p5), us(o.p95), `${o.n}`, us(o.simulated)]),
    '',
  );
  return [...found, '', ...met].join('\n');
}
