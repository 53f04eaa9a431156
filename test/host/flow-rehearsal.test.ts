import { readdirSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { rehearseFlow } from '../../src/host/flow-rehearsal.js';
import { suite } from '../suite.js';

const test = suite('host/flow-rehearsal');

for (const sealed of [false, true])
  test(`${sealed ? 'sealed' : 'in clear'}: every round arrives as it was sent, and no descriptor stays open`, () => {
    const openBefore = readdirSync('/proc/self/fd').length;
    const { arrived, good } = rehearseFlow(sealed, 5, Number.POSITIVE_INFINITY);
    assert.is(arrived, 5);
    assert.ok(good, 'memory is the same on both sides');
    assert.is(readdirSync('/proc/self/fd').length, openBefore);
  });

test('a rehearsal whose time is over leaves no descriptor open', () => {
  const openBefore = readdirSync('/proc/self/fd').length;
  for (const limitNs of [1, 500_000, 5_000_000]) {
    const { arrived } = rehearseFlow(true, 1_000_000, limitNs);
    assert.ok(arrived < 1_000_000);
    assert.is(readdirSync('/proc/self/fd').length, openBefore, `after ${limitNs} ns`);
  }
});

test.run();
