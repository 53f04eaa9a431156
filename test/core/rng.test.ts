import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { Rng } from '../../src/core/index.js';
import { suite } from '../suite.js';

const test = suite('core/rng');
const GOLDEN_SEED_7 = [3090031709, 1740206369, 2339094715, 181616503];
const take = (rng: Rng, n: number): number[] => Array.from({ length: n }, () => rng.u32());

test('the same seed gives the same stream, another seed another', () => {
  assert.equal(take(new Rng(7), 50), take(new Rng(7), 50));
  assert.not.equal(take(new Rng(7), 50), take(new Rng(8), 50));
});

test('a golden stream: results recorded with a seed stay reproducible', () => {
  assert.equal(take(new Rng(7), 4), GOLDEN_SEED_7);
});

test('one more draw in one fork shifts nothing in another', () => {
  const a = new Rng(7);
  const before = take(a.fork('loss b→a'), 10);
  take(a, 3);
  take(a.fork('loss a→b'), 100);
  assert.equal(take(a.fork('loss b→a'), 10), before);
});

test('floats lie in [0, 1) and below(n) in [0, n), evenly', () => {
  const rng = new Rng('even');
  const counts = new Array(10).fill(0);
  let sum = 0;
  for (let i = 0; i < 100_000; i++) {
    const f = rng.float();
    assert.ok(f >= 0 && f < 1);
    sum += f;
    counts[rng.below(10)]++;
  }
  assert.ok(Math.abs(sum / 100_000 - 0.5) < 0.005);
  const chi2 = counts.reduce((s, c) => s + (c - 10_000) ** 2 / 10_000, 0);
  assert.ok(chi2 < 27.9, `chi-square ${chi2} at 9 degrees of freedom`); // p = 0.001
});

test('geometric gaps have the mean of the probability they came from', () => {
  const rng = new Rng('gaps');
  let sum = 0;
  for (let i = 0; i < 50_000; i++) sum += rng.geometric(0.01);
  assert.ok(Math.abs(sum / 50_000 - 99) < 3, `mean ${sum / 50_000}`);
  assert.is(rng.geometric(0), Number.POSITIVE_INFINITY);
  assert.is(rng.geometric(1), 0);
});

test('fill writes every byte of any length', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 67 }), (n) => {
      const out = new Uint8Array(n + 1).fill(0xaa);
      new Rng('fill').fill(out.subarray(0, n));
      return out[n] === 0xaa;
    }),
  );
});

test.run();
