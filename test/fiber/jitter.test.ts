import * as assert from 'uvu/assert';
import { ConfigError, Rng } from '../../src/core/index.js';
import { checkLane, type JitterSettings, newJitter, parseDistribution } from '../../src/fiber/index.js';
import { suite } from '../suite.js';
import { kolmogorov, meanOf, normalDistribution } from './statistics.js';

const test = suite('fiber/jitter');
const N = 100_000;

function drawsOf(settings: JitterSettings, n = N): number[] {
  const jitter = newJitter(settings, new Rng(`draws ${settings.model}`));
  return Array.from({ length: n }, () => jitter.drawNs());
}

/** The 0.1 % limit of Kolmogorov's statistic. */
const LIMIT = 1.95;

test('uniform lies evenly between minus and plus', () => {
  const draws = drawsOf({ model: 'uniform', halfWidthNs: 1e6 });
  assert.ok(draws.every((ns) => Number.isInteger(ns) && Math.abs(ns) <= 1e6));
  const off = kolmogorov(draws, (ns) => Math.min(1, Math.max(0, (ns + 1e6) / 2e6)));
  assert.ok(off < LIMIT, `${off}`);
});

test('normal has its mean and standard deviation, and no drift between odd and even draws', () => {
  const draws = drawsOf({ model: 'normal', sigmaNs: 1e6 });
  const off = kolmogorov(draws, (ns) => normalDistribution(ns / 1e6));
  assert.ok(off < LIMIT, `${off}`);
  const pairs = draws.filter((_, i) => i % 2 === 0).map((x, i) => (x * draws[2 * i + 1]!) / 1e12);
  assert.ok(Math.abs(meanOf(pairs)) < 3 / Math.sqrt(N / 2), 'the two of a pair are independent');
});

test('pareto adds, has its mean, and its tail', () => {
  const draws = drawsOf({ model: 'pareto', scaleNs: 1e6, shape: 3 });
  assert.ok(draws.every((ns) => ns >= 0));
  const off = kolmogorov(draws, (ns) => 1 - (1 + ns / 1e6) ** -3);
  assert.ok(off < LIMIT, `${off}`);
  // Lomax: mean scale / (shape − 1), variance scale² shape / ((shape − 1)² (shape − 2)) = 0.75 scale²
  assert.ok(Math.abs(meanOf(draws) - 0.5e6) < 3 * Math.sqrt(0.75 / N) * 1e6);
});

test('a table is followed through its quantiles, straight between them', () => {
  const quantiles = [-1, 0, 0.5, 4];
  const draws = drawsOf({ model: 'table', scaleNs: 1e6, quantiles });
  const distribution = (ns: number): number => {
    const x = ns / 1e6;
    for (let i = 0; i < 3; i++) {
      const [low, high] = [quantiles[i]!, quantiles[i + 1]!];
      if (x < high) return Math.max(0, (i + (x - low) / (high - low)) / 3);
    }
    return 1;
  };
  const off = kolmogorov(draws, distribution);
  assert.ok(off < LIMIT, `${off}`);
});

test('a heavy tail ends at ten seconds, in whole nanoseconds', () => {
  for (const ns of drawsOf({ model: 'pareto', scaleNs: 9e9, shape: 1.01 }, 10_000)) {
    assert.ok(Number.isSafeInteger(ns) && ns <= 1e10);
  }
});

test('a netem table is read in units of its scale', () => {
  assert.equal(parseDistribution('# normal\n -8192 0\n4096\t8192\n', 'x.dist'), [-1, 0, 0.5, 1]);
  assert.throws(
    () => parseDistribution('1\n2 x\n', 'x.dist'),
    (e: ConfigError) => e.line().startsWith('FIBER_JITTER_RANGE: x.dist:2: "x" is not a whole number'),
  );
});

test('wrong parameters are refused by name', () => {
  const line = (jitter: JitterSettings) => {
    try {
      checkLane({ jitter });
    } catch (e) {
      assert.instance(e, ConfigError);
      return (e as ConfigError).line();
    }
    throw new Error('was accepted');
  };
  assert.match(line({ model: 'uniform', halfWidthNs: 11e9 }), 'uniform jitter of 11.0 s is outside 0..10s');
  assert.match(line({ model: 'normal', sigmaNs: Number.NaN }), 'normal jitter of NaN ns');
  assert.match(line({ model: 'pareto', scaleNs: 1, shape: 1 }), 'shape 1 is outside 1.01..100');
  assert.match(line({ model: 'table', scaleNs: 1, quantiles: [1] }), 'with 1 quantiles is outside 2..16384');
  assert.match(line({ model: 'table', scaleNs: 1, quantiles: [2, 1] }), 'quantile 1 after 2');
  assert.match(line({ model: 'table', scaleNs: 1e9, quantiles: [0, 20] }), 'takes outside −10s..10s');
});

test.run();
