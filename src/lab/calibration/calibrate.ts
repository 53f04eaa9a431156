/**
 * `longhaul calibrate`: measures what the hosts of this machine take, and makes a file of costs of it.
 *
 *   runs of the plan, on real hosts ─► fit ─► costs, with the machine, the revision and what they were derived from
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HOST_COSTS } from '../../sim/index.js';
import { describeMachine, revision } from '../machine.js';
import { parseResult, type RunResult } from '../result.js';
import type { RunExperiment } from '../run-events.js';
import { simulateExperiment } from '../simulate.js';
import { COSTS_VERSION, type CostsFile } from './costs-file.js';
import { fitCosts, type SimulateWith } from './fit.js';
import { calibrationRuns } from './plan.js';

/** Moves of a simulated run: those that are left out, and one each way. */
const SIMULATED_MOVES = 4;
const CONGESTION = '/proc/sys/net/ipv4/tcp_congestion_control';

export interface CalibrateOptions {
  readonly quick: boolean;
  readonly signal: AbortSignal;
  readonly runExperiment: RunExperiment;
  /** Folder for the results of the runs; those that lie there are not measured again. */
  readonly runsDir?: string | undefined;
  /** Told of each step. */
  readonly say: (text: string) => void;
}

/** @throws what a run throws */
export async function calibrate(options: CalibrateOptions): Promise<CostsFile> {
  const { quick, signal, say } = options;
  const congestion = kernelCongestion();
  const runs = calibrationRuns(quick);
  const measured: RunResult[] = [];
  for (const [i, { name, experiment }] of runs.entries()) {
    say(`run ${i + 1} of ${runs.length}, ${name}: ${experiment.migration.repeat} moves`);
    measured.push(await measuredRun(name, experiment, options));
  }
  say('fitting');
  const simulate: SimulateWith = (experiment, values) =>
    simulateExperiment(
      { ...experiment, migration: { ...experiment.migration, repeat: SIMULATED_MOVES } },
      { costs: { source: 'being fitted', congestion, values }, signal },
    );
  const { costs, fitted } = await fitCosts(measured, HOST_COSTS, simulate);
  const { cpu, cores, kernel, node } = describeMachine('kernel');
  const [first] = measured;
  return {
    schema: COSTS_VERSION,
    measuredAt: first?.startedAt ?? new Date().toISOString(),
    revision: first?.revision ?? revision(),
    machine: { cpu, cores, kernel, node },
    congestion,
    costs,
    observed: fitted,
  };
}

async function measuredRun(
  name: string,
  experiment: RunResult['experiment'],
  { signal, runExperiment, runsDir }: CalibrateOptions,
): Promise<RunResult> {
  const path = runsDir === undefined ? null : join(runsDir, `${name}.json`);
  if (path !== null && existsSync(path)) return parseResult(JSON.parse(readFileSync(path, 'utf8')), path);
  const result = await runExperiment(experiment, { signal, onEvent: () => {} });
  if (path !== null) {
    mkdirSync(runsDir!, { recursive: true });
    writeFileSync(path, JSON.stringify(result));
  }
  return result;
}

function kernelCongestion(): CostsFile['congestion'] {
  return readFileSync(CONGESTION, 'utf8').trim() === 'cubic' ? 'cubic' : 'bbr';
}
