import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { ConfigError } from '../../src/core/index.js';
import {
  type ConvergenceHistory,
  predictivePolicy,
  type RoundStats,
} from '../../src/vmotion-protocol/index.js';
import { suite } from '../suite.js';

const test = suite('vmotion-protocol/convergence');
const MS = 1_000_000;
const PAGES = 65_536;
/** 4096 bytes in 4.096 µs: a page takes 4.096 µs. */
const RATE_BPS = 8e9;
const PAGE_NS = 4096;
const RTT_NS = 800_000;
const PRECOPY = { mode: 'pre-copy', slowdown: 0 } as const;

/** Plays rounds of a guest that dirties `dirtied(ns)` distinct pages in `ns`, until the policy stops. */
function play(dirtied: (ns: number) => number, policy = predictivePolicy(), pages = PAGES) {
  const rounds: RoundStats[] = [];
  const verdicts = [];
  let nowNs = 0;
  let dirty = pages;
  for (let round = 1; round <= 100; round++) {
    const startNs = nowNs;
    const movingNs = dirty * PAGE_NS;
    nowNs += movingNs + RTT_NS;
    const pagesSent = dirty;
    dirty = Math.min(pages, Math.round(dirtied(nowNs - startNs)));
    rounds.push({
      round,
      startNs,
      endNs: nowNs,
      dirtyPages: dirty,
      pagesSent,
      zeroPages: 0,
      bytes: pagesSent * 4096,
      throughputBps: (pagesSent * 4096 * 8e9) / Math.max(1, movingNs),
      dirtyRatePagesPerS: (dirty * 1e9) / (nowNs - startNs),
    });
    const v = policy.decide({ rounds, rttNs: RTT_NS, pages, ...PRECOPY });
    verdicts.push(v);
    if (v.action !== 'continue') break;
  }
  return { rounds, verdicts, last: verdicts[verdicts.length - 1]! };
}

const oneRound = (dirtyPages: number, over: Partial<RoundStats> = {}): ConvergenceHistory => ({
  rounds: [
    {
      round: 1,
      startNs: 0,
      endNs: 100 * MS,
      dirtyPages,
      pagesSent: PAGES,
      zeroPages: 0,
      bytes: PAGES * 4096,
      throughputBps: RATE_BPS,
      dirtyRatePagesPerS: dirtyPages * 10,
      ...over,
    },
  ],
  rttNs: RTT_NS,
  pages: PAGES,
  ...PRECOPY,
});

test('the analytic case: overhead, one way, and the pages of the last round at the rate', () => {
  const policy = predictivePolicy({ overheadNs: 300_000, targetPauseNs: 2 * MS });
  const first = oneRound(10_000).rounds[0]!;
  const second = { ...first, round: 2, dirtyPages: 1000, dirtyRatePagesPerS: 100_000 }; // in 10 ms; before in 100 ms
  const v = policy.decide({ rounds: [first, second], rttNs: RTT_NS, pages: PAGES, ...PRECOPY });
  // Ten times the pages in ten times the time: β = 1. The last round: 1000 pages · 4.096 µs + 0.8 ms = 4.896 ms;
  // at 100,000 pages/s 489.6 pages are dirtied in it.
  assert.is(v.predictedPauseNs, Math.round(300_000 + 400_000 + 489.6 * 4096));
  assert.is(v.action, 'continue');
  const relaxed = predictivePolicy({ overheadNs: 300_000, targetPauseNs: 3 * MS });
  assert.is(
    relaxed.decide({ rounds: [first, second], rttNs: RTT_NS, pages: PAGES, ...PRECOPY }).action,
    'switch',
  );
  assert.is(
    relaxed.decide({ rounds: [first, second], rttNs: RTT_NS, pages: PAGES, ...PRECOPY }).etaNs,
    4_896_000 + v.predictedPauseNs,
  );
});

test('after one round the pause is predicted as if all that is dirty were a hot set: no promise is too good', () => {
  const v = predictivePolicy({ overheadNs: 300_000 }).decide(oneRound(1000));
  assert.is(v.predictedPauseNs, 300_000 + 400_000 + 1000 * 4096);
  assert.is(v.confidence, 0);
});

test('an idle guest is switched after the first round', () => {
  const v = predictivePolicy().decide(oneRound(0, { dirtyRatePagesPerS: 0 }));
  assert.is(v.action, 'switch');
  assert.is(v.predictedPauseNs, 500_000 + 400_000);
});

test('a guest that dirties slower than the link sends converges to the target', () => {
  const { last, rounds } = play((ns) => (ns * 50_000) / 1e9); // a fifth of the link
  assert.is(last.action, 'switch');
  assert.is(last.reason, 'the target is met');
  assert.ok(last.predictedPauseNs <= 5 * MS);
  assert.ok(rounds.length < 10, `${rounds.length} rounds`);
});

test('a hot set is recognised: after a few rounds that bring nothing the switch comes', () => {
  const hot = 8000; // 33 ms of pages, rewritten all the time
  const { last, rounds } = play((ns) => Math.min(hot, ns / 1000));
  assert.is(last.action, 'switch');
  assert.match(last.reason, 'by too little');
  assert.ok(rounds.length <= 7, `${rounds.length} rounds`);
  assert.ok(Math.abs(last.predictedPauseNs - hot * PAGE_NS) < 2 * MS, 'the prediction is the hot set');
});

test('a pause longer than the limit is not made', () => {
  const policy = predictivePolicy({ pauseMaxNs: 10 * MS });
  const { last } = play((ns) => Math.min(20_000, ns), policy);
  assert.is(last.action, 'give-up');
  assert.ok(last.predictedPauseNs > 10 * MS);
});

test('a guest faster than the link: the verdict comes early, and says that it is out of reach', () => {
  const { verdicts, last } = play((ns) => (ns * 400_000) / 1e9);
  assert.is(verdicts[0]!.etaNs, Infinity);
  assert.is(last.action, 'switch');
});

test('the ETA of a steady guest comes true', () => {
  const { verdicts, rounds } = play((ns) => (ns * 80_000) / 1e9);
  const startOfLastRoundNs = rounds[rounds.length - 1]!.endNs;
  const lastRoundAndPauseNs = verdicts[verdicts.length - 1]!.etaNs;
  const first = verdicts[0]!;
  const cameNs = startOfLastRoundNs - rounds[0]!.endNs + lastRoundAndPauseNs;
  assert.ok(Math.abs(first.etaNs - cameNs) < 0.05 * cameNs, `${first.etaNs} predicted, ${cameNs} came`);
});

test('confidence is high when the model held, low when the guest changed its ways', () => {
  const steady = play((ns) => (ns * 80_000) / 1e9);
  assert.ok(steady.last.confidence > 0.9, String(steady.last.confidence));
  let n = 0;
  const wild = play(
    (ns) => (ns * (n++ % 2 === 0 ? 200_000 : 2000)) / 1e9,
    predictivePolicy({ targetPauseNs: 0 }),
  );
  assert.ok(wild.last.confidence < 0.5, String(wild.last.confidence));
});

test('a round of a few pages does not spoil the rate', () => {
  const big = oneRound(5000).rounds[0]!;
  const tiny: RoundStats = {
    ...big,
    round: 2,
    endNs: MS,
    bytes: 4096,
    pagesSent: 1,
    throughputBps: 1e6,
    dirtyPages: 10,
  };
  const policy = predictivePolicy();
  assert.ok(policy.decide({ ...oneRound(0), rounds: [big, tiny] }).predictedPauseNs < 2 * MS);
});

test('a policy is pure and always decides: no figure makes it throw or predict nonsense', () => {
  const figure = fc.double({ min: 0, max: 1e12, noNaN: true });
  const stats: fc.Arbitrary<RoundStats> = fc.record({
    round: fc.nat(100),
    startNs: fc.nat(1e9),
    endNs: fc.integer({ min: 1e9, max: 2e9 }),
    dirtyPages: fc.nat(PAGES),
    pagesSent: fc.nat(PAGES),
    zeroPages: fc.nat(PAGES),
    bytes: fc.nat(2 ** 31 - 1),
    throughputBps: figure,
    dirtyRatePagesPerS: figure,
  });
  fc.assert(
    fc.property(fc.array(stats, { minLength: 1, maxLength: 35 }), fc.nat(1e9), (rounds, rttNs) => {
      const policy = predictivePolicy();
      const v = policy.decide({ rounds, rttNs, pages: PAGES, ...PRECOPY });
      assert.equal(policy.decide({ rounds, rttNs, pages: PAGES, ...PRECOPY }), v);
      assert.ok(v.predictedPauseNs >= 0 && v.etaNs >= 0 && v.confidence >= 0 && v.confidence <= 1);
      if (rounds.length >= 30) assert.is.not(v.action, 'continue');
    }),
  );
});

test('options out of range are refused with what is allowed', () => {
  for (const options of [{ roundsMax: 0 }, { pauseWorth: -1 }, { targetPauseNs: -1 }, { stallRounds: 0.5 }]) {
    assert.throws(
      () => predictivePolicy(options),
      (e: unknown) => e instanceof ConfigError && e.code === 'VMOTION_CONFIG_RANGE',
    );
  }
});

const HYBRID = { mode: 'hybrid', slowdown: 0 } as const;

/** Rounds that found these many pages dirty, each as long as the pages before it take. */
function historyOf(
  dirtyPages: readonly number[],
  over: Partial<ConvergenceHistory> = {},
): ConvergenceHistory {
  let carried = PAGES;
  const rounds = dirtyPages.map((dirty, i) => {
    const ns = carried * PAGE_NS + RTT_NS;
    const stats: RoundStats = {
      round: i + 1,
      startNs: 0,
      endNs: ns,
      dirtyPages: dirty,
      pagesSent: carried,
      zeroPages: 0,
      bytes: carried * 4096,
      throughputBps: RATE_BPS,
      dirtyRatePagesPerS: (dirty * 1e9) / ns,
    };
    carried = dirty;
    return stats;
  });
  return { rounds, rttNs: RTT_NS, pages: PAGES, ...PRECOPY, ...over };
}

/** What a hybrid move decides with a page in 4.096 µs and an RTT of 0.8 ms: pages dirty after each round, the decision. */
const HYBRID_DECISIONS: readonly (readonly [dirtyPages: readonly number[], action: string, why: string])[] = [
  [[0], 'switch', 'nothing is left: the target is met'],
  [[5], 'switch', 'what is left fits the pause'],
  [[300], 'switch', '1.2 ms of pages: the last round carries them, and another would find next to nothing'],
  [[2000], 'switch', 'the last round takes 9 ms and leaves 67, worth less than an RTT'],
  [[8000], 'continue', 'after a round of 34 ms some 1000 are left, and another takes 5 ms and leaves 146'],
  [[60_000], 'post-copy', 'a round would find nearly as many: it only sends them twice'],
  [[30_000], 'continue', 'after a round of 124 ms 13,800 are left, after another 6,400'],
  [[20_000, 6150], 'continue', 'a quarter of what the link carries: it came so, and pays once more'],
  [[30_000, 29_500], 'post-copy', 'a hot set that is rewritten within a round: none leaves fewer'],
  [[8000, 7900], 'post-copy', 'the same, as soon as it shows'],
  [[8000, 100, 100], 'post-copy', 'no round leaves fewer than a hot set of 100 pages'],
];

test('hybrid: what costs more than it saves is not done', () => {
  const policy = predictivePolicy({ targetPauseNs: MS });
  for (const [dirtyPages, action, why] of HYBRID_DECISIONS) {
    const v = policy.decide(historyOf(dirtyPages, HYBRID));
    assert.is(v.action, action, `${dirtyPages.join(', ')}: ${why}; it said ${v.reason}`);
    assert.ok(v.flightPagesMax! >= 8 && v.flightPagesMax! <= 512);
    assert.ok(v.predictedPauseNs <= MS, 'the pause keeps to its target whatever is dirty');
    assert.ok(Number.isFinite(v.etaNs));
    assert.is(v.outlook, undefined, 'it always comes to an end');
  }
});

test('hybrid: rounds of a few pages that take milliseconds are seen to be so, and no more are made', () => {
  // As hosts that share two cores were seen to have them: 3 ms and more whatever a round carries.
  const busy = (...dirtyPages: number[]): ConvergenceHistory => {
    const { rounds, ...rest } = historyOf(dirtyPages, HYBRID);
    const slow = rounds.map((r, i) => (i === 0 ? r : { ...r, endNs: r.pagesSent * PAGE_NS + 3 * MS }));
    return { rounds: slow, ...rest };
  };
  const policy = predictivePolicy({ targetPauseNs: MS });
  assert.is(policy.decide(busy(20_000)).action, 'continue');
  assert.is(policy.decide(busy(20_000, 900)).action, 'switch');
});

test('pre-copy: two rounds that take more time than the pause they save is worth are the last', () => {
  const policy = predictivePolicy({ targetPauseNs: MS, pauseWorth: 20 });
  const action = (...dirtyPages: number[]) => policy.decide(historyOf(dirtyPages)).action;
  assert.is(action(8000, 4000), 'continue');
  assert.is(action(8000, 4000, 2000), 'continue', '8 ms less of a pause for a round of 17');
  assert.is(action(2000, 1000, 995, 990), 'switch', '20 µs less for 10 ms');
  assert.is(action(8000, 4000, 3990, 2000), 'continue', 'one of the last two paid');
});

test('a guest that outruns the link: said after a round, with the reason and what would help', () => {
  const v = predictivePolicy({ targetPauseNs: MS }).decide(historyOf([60_000, 60_000]));
  assert.is(v.action, 'continue');
  assert.match(
    v.outlook!,
    /^will not converge to a pause of .*, because 60000 pages are dirty again .*; would with --mode hybrid/,
  );
  const calm = predictivePolicy({ targetPauseNs: MS }).decide(historyOf([100, 5]));
  assert.is(calm.outlook, undefined);
});

test('a slowed guest: step by step while rounds stall, and only where it is allowed', () => {
  const stalled = [8000, 8000, 8000, 8000, 8000];
  const decide = (slowGuest: boolean, slowdown: number) =>
    predictivePolicy({ targetPauseNs: MS, slowGuest }).decide(
      historyOf(stalled, { mode: 'pre-copy', slowdown }),
    );
  assert.is(decide(false, 0).action, 'switch');
  let share = 0;
  const steps: number[] = [];
  for (let i = 0; i < 20; i++) {
    const v = decide(true, share);
    if (v.action !== 'slow') {
      assert.is(v.action, 'switch', 'slowed as far as it goes');
      break;
    }
    assert.ok(v.slowdown! > share && v.slowdown! < 1);
    share = v.slowdown!;
    steps.push(share);
  }
  assert.ok(steps.length >= 5 && share >= 0.95);
});

test('pages that travel shorter take less of the pause: the rate counts bytes, the guest writes pages', () => {
  const policy = predictivePolicy({ overheadNs: 300_000, targetPauseNs: MS });
  const pause = (bytes: number): number =>
    policy.decide(oneRound(1000, { bytes })).predictedPauseNs - 300_000 - RTT_NS / 2;
  const whole = pause(PAGES * 4096);
  assert.ok(Math.abs(pause(PAGES * 2048) - whole / 2) <= 2, 'half the bytes at the same rate, half the time');
  assert.is(pause(PAGES * 4200), whole, 'headers are no reason to think a page longer than it is');
});

test.run();
