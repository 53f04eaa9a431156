import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { CellRunner } from '../../src/sweep/cell-runner.js';
import { cellOf, planFrom, sweep } from '../../src/sweep/index.js';
import { suite } from '../suite.js';

const test = suite('sweep/sweep');

const root = mkdtempSync(join(tmpdir(), 'longhaul-sweep-'));
process.on('exit', () => rmSync(root, { recursive: true, force: true }));

const SMALL = {
  attach: 'sim' as const,
  guest: { memory: '1MiB', dirty: 'idle' },
  clients: [],
  probe: { count: 10 },
};
const cells = planFrom({ base: SMALL, axes: { 'fiber.distance': ['1km', '80km', '200km'] } }).cells;
const never = new AbortController().signal;

test('a sweep leaves one result a cell, and goes on where it was', async () => {
  const storeDir = join(root, 'one');
  const seen: string[] = [];
  const half = new AbortController();
  const first = await sweep(cells, {
    storeDir,
    workers: 1,
    signal: half.signal,
    onProgress: ({ cell }) => {
      seen.push(cell.name);
      half.abort();
    },
  });
  assert.equal([first.done, first.of, seen.length], [1, 3, 1]);
  const second = await sweep(cells, {
    storeDir,
    signal: never,
    onProgress: ({ cell }) => seen.push(cell.name),
  });
  assert.equal([second.done, second.before, second.failed], [3, 1, []]);
  assert.equal(seen.sort(), cells.map((c) => c.name).sort());
});

test('each move of a cell is told while it runs', async () => {
  const made: number[] = [];
  const input = { ...SMALL, migration: { repeat: 3, between: '10ms' } };
  await sweep([cellOf('three', input)], {
    storeDir: join(root, 'moves'),
    signal: never,
    onProgress: () => made.push(0),
    onMove: (_, n) => made.push(n),
  });
  assert.equal(made, [1, 2, 3, 0]);
});

test('an impossible cell is named with its reason, and the others run', async () => {
  const end = await sweep(
    [cellOf('no such mode', { attach: 'sim', migration: { mode: 'warp' as never } }), cells[0]!],
    {
      storeDir: join(root, 'two'),
      signal: never,
      onProgress: () => {},
    },
  );
  assert.is(end.done, 1);
  assert.equal(
    end.failed.map((f) => [f.name, f.code]),
    [['no such mode', 'LAB_KEY_VALUE']],
  );
});

test('a cell whose process dies is an outcome, and the next cell has a new process', async () => {
  const runner = new CellRunner();
  try {
    const dying = runner.run(cellOf('long', { attach: 'sim', guest: { memory: '256MiB' } }));
    process.kill(runner.pid!, 'SIGKILL');
    const outcome = await dying;
    assert.equal([outcome.ok, !outcome.ok && outcome.code], [false, 'SWEEP_CHILD_DIED']);
    assert.ok((await runner.run(cells[0]!)).ok);
  } finally {
    runner.end();
  }
});

test.run();
