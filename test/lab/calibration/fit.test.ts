import * as assert from 'uvu/assert';
import { fitCosts } from '../../../src/lab/calibration/fit.js';
import { calibrationRuns } from '../../../src/lab/calibration/plan.js';
import type { Experiment } from '../../../src/lab/config/experiment.js';
import { simulateExperiment } from '../../../src/lab/simulate.js';
import { HOST_COSTS, type HostCosts } from '../../../src/sim/index.js';
import { suite } from '../../suite.js';

const test = suite('lab/calibration/fit');

/** The plan's runs, of a small guest, few moves and no clients. */
const RUNS: readonly Experiment[] = calibrationRuns(true).map(({ experiment: e }) => ({
  ...e,
  clients: [],
  guest: { ...e.guest, memoryBytes: 4 << 20, dirty: { ...e.guest.dirty, hotSetBytes: 2 << 20 } },
  migration: { ...e.migration, repeat: 3 },
}));

const simulate = (experiment: Experiment, values: HostCosts) =>
  simulateExperiment(experiment, { costs: { source: 'test', congestion: 'bbr', values } });

test('hosts whose costs are known are found out by their moves alone', async () => {
  const hidden: HostCosts = {
    ...HOST_COSTS,
    parkNs: 70_000,
    harvestNs: 90_000,
    sendPageNs: 9_000,
    applyPageNs: 8_100,
    zeroPageNs: 900,
    messageNs: 150_000,
    roundNs: 600_000,
    recordNs: 50_000,
    poiseNs: 900_000,
    finalNs: 200_000,
    finalPageNs: 5_000,
    verifyNs: 120_000,
    prepareNs: 9_000_000,
    populatePageNs: 1_700,
    startNs: 40_000,
  };
  const measured = await Promise.all(RUNS.map((experiment) => simulate(experiment, hidden)));
  const { costs, fitted } = await fitCosts(measured, HOST_COSTS, simulate);
  for (const name of [
    'parkNs',
    'sendPageNs',
    'zeroPageNs',
    'prepareNs',
    'populatePageNs',
    'poiseNs',
    'finalNs',
    'finalPageNs',
    'verifyNs',
    'startNs',
  ] as const) {
    // What a step takes is known to a few microseconds, what a page takes is less than that.
    const tolerance = Math.max(name.endsWith('PageNs') ? 0 : 20_000, 0.15 * hidden[name]);
    assert.ok(
      Math.abs(costs[name] - hidden[name]) <= tolerance,
      `${name}: ${costs[name]} for ${hidden[name]}`,
    );
  }
  for (const f of fitted.filter((x) => x.name.endsWith('precopy.pause')))
    assert.ok(Math.abs(f.simulated - f.measured) < 0.05 * f.measured + 50_000, JSON.stringify(f));
});

test.run();
