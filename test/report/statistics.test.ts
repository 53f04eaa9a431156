import * as assert from 'uvu/assert';
import { mannWhitney, rankCorrelation, ranksOf, ratioOfMedians } from '../../src/report/index.js';
import { suite } from '../suite.js';

const test = suite('report/statistics');

test('a ratio of medians and its interval: a doubling shows, no difference does not', () => {
  const base = [10, 11, 9, 10, 12, 8, 10, 11, 9, 10];
  const double = ratioOfMedians(
    base,
    base.map((v) => 2 * v),
  );
  assert.is(double.ratio, 2);
  assert.ok(double.low > 1.5 && double.high < 2.7, `${double.low}–${double.high}`);
  const same = ratioOfMedians(base, [...base].reverse());
  assert.is(same.ratio, 1);
  assert.ok(same.low <= 1 && same.high >= 1);
  assert.equal(ratioOfMedians(base, base), ratioOfMedians(base, base));
});

test('Mann and Whitney: published critical values at 5 %', () => {
  // n = m = 5: U = 2 is significant at 5 % (p = 0.0317), U = 3 is not (p = 0.0556).
  assert.ok(Math.abs(mannWhitney([1, 2, 3, 4, 7.5], [4.5, 6, 7, 8, 9]) - 0.0556) < 5e-4);
  assert.ok(Math.abs(mannWhitney([1, 2, 3, 4, 6.5], [4.5, 6, 7, 8, 9]) - 0.0317) < 5e-4);
  assert.ok(Math.abs(mannWhitney([1, 2, 3], [4, 5, 6]) - 0.1) < 1e-9);
  const many = Array.from({ length: 30 }, (_, i) => i);
  assert.ok(
    mannWhitney(
      many,
      many.map((v) => v + 20),
    ) < 1e-4,
  );
  assert.ok(mannWhitney(many, [...many].reverse()) > 0.9);
  assert.is(mannWhitney([5, 5, 5], [5, 5, 5]), 1);
});

test('ranks share ties, and Spearman reads the order alone', () => {
  assert.equal(ranksOf([10, 20, 20, 5]), [2, 3.5, 3.5, 1]);
  assert.is(rankCorrelation([1, 2, 3, 4], [1, 10, 100, 1000]), 1);
  assert.is(rankCorrelation([1, 2, 3, 4], [4, 3, 2, 1]), -1);
  // one neighbouring pair swapped of five: 1 − 6·2 / (5·24)
  assert.ok(Math.abs(rankCorrelation([1, 2, 3, 4, 5], [1, 2, 3, 5, 4]) - 0.9) < 1e-12);
  assert.ok(Number.isNaN(rankCorrelation([1, 1], [1, 2])));
});

test.run();
