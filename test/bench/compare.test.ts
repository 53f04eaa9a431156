import * as assert from 'uvu/assert';
import { type Turns, turnsNeeded, verdictsOf } from '../../bench/compare/verdicts.js';
import { Rng } from '../../src/core/index.js';
import { suite } from '../suite.js';

const test = suite('bench/compare');

function turns(name: string, unit: string, a: number, b: number, n = 7): Turns {
  const rng = new Rng(name);
  const around = (of: number): number[] => Array.from({ length: n }, () => of * (0.99 + 0.02 * rng.float()));
  return { name, unit, a: around(a), b: around(b) };
}

function wordOf(t: Turns): string {
  return verdictsOf([t])[0]!.word;
}

test('less time is faster, more of a rate is faster, and so is a larger share', () => {
  assert.is(wordOf(turns('page.hash', 'ns', 400, 300)), 'faster');
  assert.is(wordOf(turns('page.hash', 'ns', 300, 400)), 'slower');
  assert.is(wordOf(turns('tcp.gbps', 'Gbit/s', 8, 10)), 'faster');
  assert.is(wordOf(turns('tcp.over_iperf3', 'ratio', 0.8, 0.9)), 'faster');
  assert.is(wordOf(turns('udp.100ms.1e-3.share', 'ratio', 0.9, 0.8)), 'slower');
});

test('further above a limit is slower', () => {
  assert.is(wordOf(turns('pause_over_limit.hybrid', 'ratio', 2, 3)), 'slower');
});

test('what lies within the noise is neither', () => {
  assert.is(wordOf(turns('page.hash', 'ns', 400, 401)), 'neither');
});

test('of two equal revisions, sixty figures in ten comparisons: hardly one comparison names a difference', () => {
  let named = 0;
  for (let i = 0; i < 10; i++) {
    const all = Array.from({ length: 60 }, (_, k) => turns(`${i}.${k}`, 'ns', 100, 100));
    if (verdictsOf(all).some((v) => v.word !== 'neither')) named++;
  }
  assert.ok(named <= 2, `${named} of 10`);
});

test('a figure that one revision lacks has no verdict', () => {
  assert.equal(verdictsOf([{ name: 'new', unit: 'ns', a: [], b: [1, 2, 3] }]), []);
});

test('more figures need more turns', () => {
  assert.equal([1, 10, 60].map(turnsNeeded), [4, 6, 7]);
});

test.run();
