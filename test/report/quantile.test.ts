import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { median, quantile, sorted } from '../../src/report/index.js';
import { suite } from '../suite.js';

const test = suite('report/quantile');

test('nearest rank by hand', () => {
  const v = [15, 20, 35, 40, 50];
  assert.equal(
    [0, 0.05, 0.3, 0.4, 0.5, 1].map((q) => quantile(v, q)),
    [15, 15, 20, 20, 35, 50],
  );
  assert.is(quantile(sorted(Array.from({ length: 20 }, (_, i) => i + 1)), 0.99), 20);
  assert.is(median([3, 1]), 1);
  assert.ok(Number.isNaN(median([])));
});

test('a quantile was observed, and at least that share is not above it', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer(), { minLength: 1 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (values, q) => {
        const v = quantile(sorted(values), q);
        return values.includes(v) && values.filter((x) => x <= v).length >= q * values.length - 1e-9;
      },
    ),
  );
});

test('sorting leaves the caller’s values alone', () => {
  const values = [3, 1, 2];
  sorted(values);
  assert.equal(values, [3, 1, 2]);
});

test.run();
