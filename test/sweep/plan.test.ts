import * as assert from 'uvu/assert';
import { experimentFrom } from '../../src/lab/config/experiment-file.js';
import { readYaml } from '../../src/lab/config/yaml-file.js';
import { cellOf, PLAN_FILE, parsePlan, parseShard, planFrom, shardOf } from '../../src/sweep/index.js';
import { suite } from '../suite.js';

const test = suite('sweep/plan');

const plan = () =>
  planFrom({
    name: 'p',
    base: { attach: 'sim', guest: { memory: '4MiB' } },
    axes: { 'fiber.distance': ['10km', '80km'], 'migration.mode': ['precopy', 'hybrid'] },
    repeats: 2,
  });

test('a plan becomes every combination in a fixed order, under names that stay', () => {
  const { cells } = plan();
  assert.equal(
    cells.map((c) => c.name),
    ['10km', '80km'].flatMap((d) =>
      ['precopy', 'hybrid'].flatMap((m) => [1, 2].map((i) => `distance ${d}, mode ${m}, ${i}`)),
    ),
  );
  assert.is(new Set(cells.map((c) => c.hash)).size, 8);
  assert.is(cells[0]!.hash, 'f4b17765f40032df', 'a store of an earlier run is found again');
  assert.equal(
    plan().cells.map((c) => c.hash),
    cells.map((c) => c.hash),
  );
  // what differs between two points is their axes alone
  assert.is(cells[0]!.input.seed, cells[2]!.input.seed);
  assert.is.not(cells[0]!.input.seed, cells[1]!.input.seed);
  assert.is(experimentFrom(cells[2]!.input).migration.mode, 'hybrid');
});

test('the order of keys does not name another cell', () => {
  const a = cellOf('c', { seed: 1, guest: { memory: '1MiB', fill: 'random' } });
  const b = cellOf('c', { guest: { fill: 'random', memory: '1MiB' }, seed: 1 });
  assert.is(a.hash, b.hash);
  assert.is.not(a.hash, cellOf('c', { guest: { fill: 'zero', memory: '1MiB' }, seed: 1 }).hash);
});

test('shards part the cells: each in exactly one, and about as many in each', () => {
  const { cells } = plan();
  const parts = [1, 2, 3].map((index) => shardOf(cells, { index, of: 3 }));
  assert.equal(
    parts.map((p) => p.length),
    [3, 3, 2],
  );
  assert.equal(
    parts
      .flat()
      .map((c) => c.hash)
      .sort(),
    cells.map((c) => c.hash).sort(),
  );
  assert.equal(parseShard('2/5'), { index: 2, of: 5 });
  for (const bad of ['0/3', '4/3', '2', 'a/b', '1/0'])
    assert.throws(() => parseShard(bad), /SWEEP_SHARD|is not one of/);
});

test('the example is a plan, and what is wrong in a plan is refused at its line', () => {
  assert.is(parsePlan(readYaml('examples/sweep.yaml', PLAN_FILE)).cells.length, 36);
  const line = (text: string): string => {
    try {
      parsePlan({ name: 'p.yaml', text });
    } catch (e) {
      return (e as { line(): string }).line();
    }
    return 'accepted';
  };
  assert.match(line('axis: {}'), /^LAB_KEY_UNKNOWN: p\.yaml:1:1: axis .*did you mean axes\?$/);
  assert.match(line('repeats: 0'), /p\.yaml:1:10: repeats/);
  assert.match(line('axes: {a: []}'), /axes\.a must have at least 1 entries/);
  assert.match(
    line('repeats: 1000\naxes: {seed: [1,2,3,4,5,6,7,8,9,10], guest.skew: [0,1,2,3,4,5,6,7,8,9,10]}'),
    'SWEEP_AXIS',
  );
});

test.run();
