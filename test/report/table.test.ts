import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { formatTable, paint, wrap } from '../../src/report/index.js';
import { suite } from '../suite.js';

const test = suite('report/table');

test('words stand left, figures right, no space trails', () => {
  const columns = [{ title: 'site' }, { title: 'sent', align: 'right' }, { title: 'note' }] as const;
  assert.equal(
    formatTable(columns, [
      ['a', '5', ''],
      ['bravo', '12345', 'x'],
    ]),
    ['  site    sent  note', '  a          5', '  bravo  12345  x'],
  );
});

test('without titles there is no head', () => {
  assert.equal(formatTable([{ title: '' }, { title: '' }], [['a', 'b']]), ['  a  b']);
});

test('wrapping keeps every word and the width', () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1 }), (words) => {
      const lines = wrap(words.join(' '), 30, '  note  ');
      assert.equal(lines.join(' ').replace('note', '').trim().split(/\s+/), words);
      assert.ok(lines.every((l) => l.length <= 30 && /^( {2}note| {8})/.test(l)));
    }),
  );
});

test('colour is ANSI or nothing', () => {
  assert.is(paint(true).red('x'), '\x1b[31mx\x1b[39m');
  assert.is(paint(false).red('x'), 'x');
});

test.run();
