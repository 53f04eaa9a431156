import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import {
  COSTS_VERSION,
  type CostsFile,
  parseCosts,
  readCosts,
} from '../../../src/lab/calibration/costs-file.js';
import { experimentFrom } from '../../../src/lab/config/experiment-file.js';
import { simulateExperiment } from '../../../src/lab/simulate.js';
import { HOST_COSTS } from '../../../src/sim/index.js';
import { suite } from '../../suite.js';

const test = suite('lab/calibration/costs-file');

const FILE: CostsFile = {
  schema: COSTS_VERSION,
  measuredAt: '2026-11-30T12:00:00.000Z',
  revision: '0.1.0+abc1234',
  machine: { cpu: 'some processor', cores: 2, kernel: '6.18', node: 'v20' },
  congestion: 'cubic',
  costs: { ...HOST_COSTS, prepareNs: 90_000_000 },
  observed: [],
};

const codeOf = (body: () => unknown): string => {
  try {
    body();
  } catch (e) {
    return (e as { code: string }).code;
  }
  return 'nothing was thrown';
};

test('a file from before a cost was told apart is read, with the built-in one', () => {
  const { populatePageNs: _, ...before } = FILE.costs;
  const { costs } = parseCosts({ ...FILE, costs: before }, 'f');
  assert.is(costs.populatePageNs, HOST_COSTS.populatePageNs);
  assert.is(costs.prepareNs, 90_000_000);
});

test('a file of another version, one that lacks a cost, and one that is none are refused by their codes', () => {
  const { parkNs: _, ...lacking } = FILE.costs;
  assert.is(
    codeOf(() => parseCosts({ ...FILE, schema: 'longhaul/costs/9' }, 'f')),
    'LAB_COSTS_VERSION',
  );
  assert.is(
    codeOf(() => parseCosts({ ...FILE, costs: lacking }, 'f')),
    'LAB_COSTS_SHAPE',
  );
  assert.is(
    codeOf(() => parseCosts({ ...FILE, costs: { ...FILE.costs, parkNs: -1 } }, 'f')),
    'LAB_COSTS_SHAPE',
  );
  assert.is(
    codeOf(() => readCosts('/nowhere/costs.json')),
    'LAB_COSTS_FILE',
  );
});

test('a simulation takes the costs of a file, and its result names them', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'longhaul-test-'));
  try {
    const path = join(dir, 'costs.json');
    writeFileSync(path, JSON.stringify(FILE));
    const costs = readCosts(path);
    const experiment = experimentFrom({ attach: 'sim', guest: { memory: '1MiB' }, probe: { count: 10 } });
    const plain = await simulateExperiment(experiment);
    const costly = await simulateExperiment(experiment, { costs });
    assert.is(plain.costs!.source, 'built in');
    assert.match(costly.costs!.source, /costs\.json: measured 2026-11-30 12:00 at 0\.1\.0\+abc1234/);
    assert.is(costly.costs!.values.prepareNs, 90_000_000);
    const setup = (r: typeof plain) => r.migrations[0]!.rounds[0]!.startNs - r.migrations[0]!.startNs;
    assert.ok(setup(costly) - setup(plain) > 30_000_000);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test.run();
