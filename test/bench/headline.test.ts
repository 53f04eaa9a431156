import * as assert from 'uvu/assert';
import { benchCells } from '../../bench/headline/cells.js';
import { experimentFrom } from '../../src/lab/config/experiment-file.js';
import { suite } from '../suite.js';

const test = suite('bench/headline');

test('every cell is an experiment, has a name of its own, and its keys a hash of their own', () => {
  for (const quick of [true, false]) {
    const cells = benchCells(quick, 3);
    for (const { cell, point } of cells) {
      const { migration } = experimentFrom(cell.input);
      assert.equal([migration.repeat, migration.mode], [3, point.mode]);
    }
    assert.is(new Set(cells.map((c) => c.name)).size, cells.length);
    assert.is(new Set(cells.map((c) => c.cell.hash)).size, cells.length);
    for (const { name } of cells) assert.match(name, /^[\w-]+(\.[\w-]+)*$/);
  }
});

test('the full bench has every distance, mode, transport, dirty rate and memory', () => {
  const points = benchCells(false, 1).map((c) => c.point);
  const seen = (key: 'distance' | 'mode' | 'transport' | 'dirty' | 'memory'): number =>
    new Set(points.map((p) => p[key])).size;
  assert.equal(
    [seen('distance'), seen('mode'), seen('transport'), seen('dirty'), seen('memory')],
    [5, 3, 2, 3, 3],
  );
});

test('words choose cells by their names', () => {
  const names = benchCells(false, 1, ['udp.0km', '1GiB']).map((c) => c.name);
  assert.ok(names.length > 1 && names.every((n) => n.includes('udp.0km') || n.includes('1GiB')));
});

test.run();
