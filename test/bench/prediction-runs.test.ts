import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { openRuns, RunFolder } from '../../bench/prediction/runs.js';
import { experimentFrom } from '../../src/lab/config/experiment-file.js';
import { simulateExperiment } from '../../src/lab/simulate.js';
import { suite } from '../suite.js';

const test = suite('bench/prediction-runs');
const cells = [{ name: 'near' }, { name: 'far' }, { name: 'lossy' }];
const smallRun = () =>
  simulateExperiment(
    experimentFrom({
      attach: 'sim',
      guest: { memory: '4MiB', dirty: 'idle' },
      clients: [],
      probe: { count: 10 },
      migration: { mode: 'precopy' },
    }),
  );

async function inFolder(body: (folder: RunFolder, dir: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'prediction-runs-'));
  try {
    await body(new RunFolder(dir), dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

test('a measurement taken up again lost a cell that had been measured: what lies in the folder is kept, and only the rest is open', () =>
  inFolder(async (folder, dir) => {
    const result = await smallRun();
    folder.add('far', 0, result);
    const again = new RunFolder(dir);
    assert.equal(
      openRuns(cells, 2, again).map(({ cell, turn }) => `${cell.name} ${turn}`),
      ['near 0', 'lossy 0', 'near 1', 'far 1', 'lossy 1'],
    );
    for (const { cell, turn } of openRuns(cells, 2, again)) again.add(cell.name, turn, result);
    assert.equal(openRuns(cells, 2, new RunFolder(dir)), []);
    for (const { name } of cells) {
      const runs = new RunFolder(dir).of(name);
      assert.is(runs.length, 2, name);
      assert.equal(
        runs[0]!.migrations.map((m) => m.totalNs),
        result.migrations.map((m) => m.totalNs),
      );
    }
  }));

test('a run whose file was cut off in writing counts as not made', () =>
  inFolder(async (folder, dir) => {
    writeFileSync(join(dir, 'near.0.json.part'), '{"schema"');
    assert.is(folder.has('near', 0), false);
    assert.equal(folder.of('near'), []);
  }));

test.run();
