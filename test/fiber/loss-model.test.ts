/** Loss with memory against theory: burst lengths by chi-square, shares within three standard deviations. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { Rng } from '../../src/core/index.js';
import {
  checkLane,
  type LossModel,
  type LossModelSettings,
  meanLossProb,
  newLossModel,
} from '../../src/fiber/index.js';
import { suite } from '../suite.js';
import { chiSquare, chiSquareLimit } from './statistics.js';

const test = suite('fiber/loss-model');

/** Which of `count` packets are lost, when they come in frames of `size`. */
function lostOf(model: LossModel, count: number, size: number): Uint8Array {
  const lost = new Uint8Array(count);
  const hits: number[] = [];
  for (let sent = 0; sent < count; sent += size) {
    hits.length = 0;
    model.hits(Math.min(size, count - sent), hits);
    for (const hit of hits) lost[sent + hit] = 1;
  }
  return lost;
}

const sum = (lost: Uint8Array) => lost.reduce((n, one) => n + one, 0);

/** How many runs of the value have each length; index 0 is length 1. */
function runs(lost: Uint8Array, of: 0 | 1): number[] {
  const lengths: number[] = [];
  let length = 0;
  for (const one of lost) {
    if (one === of) length++;
    else if (length > 0) {
      lengths[length - 1] = (lengths[length - 1] ?? 0) + 1;
      length = 0;
    }
  }
  return Array.from(lengths, (n) => n ?? 0);
}

/** Expected numbers of geometric lengths: P(length = n) = (1 − q)^(n−1) q; the last bin takes the tail. */
function geometric(q: number, total: number, bins: number): number[] {
  const expected = Array.from({ length: bins }, (_, i) => total * q * (1 - q) ** i);
  expected[bins - 1] = total * (1 - q) ** (bins - 1);
  return expected;
}

function fold(counts: readonly number[], bins: number): number[] {
  const folded = Array.from({ length: bins }, (_, i) => counts[i] ?? 0);
  folded[bins - 1] = counts.slice(bins - 1).reduce((n, c) => n + c, 0);
  return folded;
}

const ge = (p: number, r: number, h = 0, k = 1): LossModelSettings => ({
  model: 'gilbert-elliott',
  p,
  r,
  h,
  k,
});
const modelOf = (settings: LossModelSettings, seed: string) => newLossModel(0, settings, new Rng(seed));

for (const size of [1, 44]) {
  test(`Gilbert–Elliott bursts and gaps have geometric lengths, in frames of ${size}`, () => {
    for (const [p, r] of [
      [0.001, 0.2],
      [0.01, 0.5],
      [0.05, 0.1],
    ] as const) {
      const lost = lostOf(modelOf(ge(p, r), `bursts ${p} ${r}`), 1_000_000, size);
      for (const [of, q] of [
        [1, r],
        [0, p],
      ] as const) {
        const lengths = runs(lost, of);
        const total = lengths.reduce((n, c) => n + c, 0);
        const bins = Math.ceil(3 / q);
        const { statistic, freedom } = chiSquare(fold(lengths, bins), geometric(q, total, bins));
        assert.ok(freedom >= 3, `${freedom} degrees of freedom say nothing`);
        assert.ok(
          statistic < chiSquareLimit(freedom),
          `p=${p} r=${r} of=${of}: ${statistic} with ${freedom}`,
        );
      }
    }
  });
}

/** The share lost has the variance of a chain: for two states the lag-1 correlation is 1 − p − r. */
function sigmasOff(lost: Uint8Array, mean: number, correlation: number): number {
  const n = lost.length;
  const variance = (mean * (1 - mean) * ((1 + correlation) / (1 - correlation))) / n;
  return (sum(lost) / n - mean) / Math.sqrt(variance);
}

test('Gilbert–Elliott loses its share, with h and k at work', () => {
  for (const size of [1, 44]) {
    for (const settings of [ge(0.001, 0.2), ge(0.01, 0.3, 0.5, 0.999), ge(0.3, 0.3, 0.2, 0.9)]) {
      if (settings.model !== 'gilbert-elliott') throw new Error('unreachable');
      const { p, r } = settings;
      const lost = lostOf(modelOf(settings, `share ${p}`), 1_000_000, size);
      const off = sigmasOff(lost, meanLossProb(0, settings), 1 - p - r);
      assert.ok(Math.abs(off) < 3, `${JSON.stringify(settings)} in ${size}s: ${off} sigma`);
    }
  }
});

test('Gilbert–Elliott with p + r = 1 and h = 0 is Bernoulli', () => {
  const lost = lostOf(modelOf(ge(0.02, 0.98), 'memoryless'), 1_000_000, 1);
  const off = (sum(lost) - 20_000) / Math.sqrt(1e6 * 0.02 * 0.98);
  assert.ok(Math.abs(off) < 3, `${off} sigma`);
  const lengths = runs(lost, 1);
  const { statistic, freedom } = chiSquare(
    fold(lengths, 4),
    geometric(
      0.98,
      lengths.reduce((n, c) => n + c, 0),
      4,
    ),
  );
  assert.ok(statistic < chiSquareLimit(freedom));
});

type Four = Extract<LossModelSettings, { model: '4-state' }>;
const four = (p13: number, p31: number, p32: number, p23: number, p14: number): Four => ({
  model: '4-state',
  p13,
  p31,
  p32,
  p23,
  p14,
});

/** The chain's stationary loss by multiplying its matrix, from state 1. */
function stationary({ p13, p31, p32, p23, p14 }: Four): number {
  const next = [
    [1 - p13 - p14, 0, p13, p14],
    [0, 1 - p23, p23, 0],
    [p31, p32, 1 - p31 - p32, 0],
    [1, 0, 0, 0],
  ];
  let state = [1, 0, 0, 0];
  let mean = state; // averaged, so that a periodic chain settles too
  for (let i = 1; i <= 200_000; i++) {
    state = [0, 1, 2, 3].map((to) => state.reduce((p, from, s) => p + from * next[s]![to]!, 0));
    mean = mean.map((m, s) => m + (state[s]! - m) / (i + 1));
  }
  return mean[2]! + mean[3]!;
}

test('4-state loses what its matrix says, also where states are never reached or never left', () => {
  for (const settings of [
    four(0.01, 0.3, 0.2, 0.5, 0.005),
    four(0.02, 0.98, 0, 1, 0), // netem's defaults
    four(0, 0.5, 0.1, 0.5, 0.02), // single losses only
    four(0.01, 0.4, 0, 0, 0.1), // state 2 is never entered
    four(0.2, 0, 0.5, 0.25, 0), // no way back to 1
    four(0.5, 0, 0, 1, 0), // all is lost in the end
  ]) {
    const theory = stationary(settings);
    assert.ok(Math.abs(meanLossProb(0, settings) - theory) < 1e-4, `${JSON.stringify(settings)}: ${theory}`);
    for (const size of [1, 44]) {
      const n = 1_000_000;
      const lost = lostOf(modelOf(settings, 'four'), n, size);
      // Blocks of 1000 packets are all but independent: their spread is the error of the mean.
      const blocks = Array.from(
        { length: 1000 },
        (_, b) => sum(lost.subarray(b * 1000, (b + 1) * 1000)) / 1000,
      );
      const mean = sum(lost) / n;
      const error = Math.sqrt(blocks.reduce((v, x) => v + (x - mean) ** 2, 0) / 1000 / 1000);
      assert.ok(
        Math.abs(mean - theory) <= 3 * error + 1e-4,
        `${JSON.stringify(settings)}: ${mean}, ${theory}`,
      );
    }
  }
});

test('4-state: losses of state 4 stand alone, bursts of state 3 are geometric', () => {
  const alone = runs(lostOf(modelOf(four(0, 1, 0, 1, 0.05), 'alone'), 100_000, 1), 1);
  assert.is(alone.length, 1);
  const lengths = runs(lostOf(modelOf(four(0.01, 0.25, 0, 1, 0), 'bursts'), 1_000_000, 44), 1);
  const total = lengths.reduce((n, c) => n + c, 0);
  const { statistic, freedom } = chiSquare(fold(lengths, 12), geometric(0.25, total, 12));
  assert.ok(statistic < chiSquareLimit(freedom), `${statistic} with ${freedom}`);
});

test('periodic loss takes every n-th packet, whatever the frames', () => {
  for (const size of [1, 7, 44]) {
    const lost = lostOf(modelOf({ model: 'periodic', every: 10 }, ''), 1000, size);
    assert.equal(
      [...lost.keys()].filter((i) => lost[i] === 1),
      Array.from({ length: 100 }, (_, i) => 10 * i + 9),
    );
  }
});

test('how packets are grouped into frames changes nothing in any model', () => {
  const prob = fc.constantFrom(0, 0.01, 0.3, 0.5, 1);
  const models: fc.Arbitrary<LossModelSettings> = fc.oneof(
    fc.record({ model: fc.constant('gilbert-elliott' as const), p: prob, r: prob, h: prob, k: prob }),
    fc.record({
      model: fc.constant('4-state' as const),
      p13: fc.constantFrom(0, 0.1, 0.5),
      p31: fc.constantFrom(0, 0.1, 0.5),
      p32: fc.constantFrom(0, 0.5),
      p23: prob,
      p14: fc.constantFrom(0, 0.5),
    }),
    fc.record({ model: fc.constant('periodic' as const), every: fc.integer({ min: 1, max: 60 }) }),
  );
  fc.assert(
    fc.property(models, fc.string(), fc.integer({ min: 2, max: 50 }), (settings, seed, size) => {
      const grouped = lostOf(modelOf(settings, seed), 500, size);
      assert.equal([...grouped], [...lostOf(modelOf(settings, seed), 500, 1)]);
    }),
    { numRuns: 300 },
  );
});

test('loss of 0.1, 1 and 5 % lies within three standard deviations, plain and in super-frames of 44', () => {
  for (const lossProb of [0.001, 0.01, 0.05]) {
    for (const size of [1, 44]) {
      const lost = sum(lostOf(newLossModel(lossProb, null, new Rng(`share ${lossProb}`)), 1_000_000, size));
      const off = (lost - 1e6 * lossProb) / Math.sqrt(1e6 * lossProb * (1 - lossProb));
      assert.ok(Math.abs(off) < 3, `${lossProb} in ${size}s: ${off} sigma`);
    }
  }
});

test('wrong parameters are refused by name', () => {
  const line = (lossModel: LossModelSettings) => {
    try {
      checkLane({ lossModel });
    } catch (e) {
      return (e as { line(): string }).line();
    }
    throw new Error('was accepted');
  };
  assert.match(line(ge(2, 0.1)), 'FIBER_LOSS_RANGE: lane: gilbert-elliott loss p 2 is outside 0..1');
  assert.match(line(ge(0.1, Number.NaN)), 'loss r NaN is outside 0..1');
  assert.match(line(four(0.7, 0.1, 0.1, 0.1, 0.4)), 'p13 and p14 add up to 1.1');
  assert.match(line(four(0.1, 0.7, 0.4, 0.1, 0.1)), 'p31 and p32 add up to 1.1');
  assert.match(line({ model: 'periodic', every: 1.5 }), 'every 1.5th packet is outside 1..1000000000');
});

test.run();
