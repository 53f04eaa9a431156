import * as assert from 'uvu/assert';
import { ConfigError } from '../../src/core/index.js';
import {
  bandwidthDelayProductBytes,
  CODEL_DEFAULTS,
  checkLane,
  describeFiber,
  type FiberOptions,
  fiberWarnings,
  PROFILES,
  propagationNs,
  resolveFiber,
  rttNs,
  UNIMPAIRED,
} from '../../src/fiber/index.js';
import { suite } from '../suite.js';

const test = suite('fiber/resolve');

/** The one line a user sees. */
function refusal(body: () => unknown): string {
  try {
    body();
  } catch (e) {
    assert.instance(e, ConfigError);
    return (e as ConfigError).line();
  }
  throw new Error('was accepted');
}

const delays = (options: FiberOptions) =>
  resolveFiber(options).spans.map((s) => [s.aToB.oneWayNs, s.bToA.oneWayNs]);

test('the default is the 2009 proof of concept', () => {
  const lane = {
    oneWayNs: 400_000,
    rateBps: 10e9,
    queueBytes: 4_194_304,
    queueFrames: Number.POSITIVE_INFINITY,
    ...UNIMPAIRED,
  };
  assert.equal(resolveFiber(), { profile: 'metro-80km', spans: [{ aToB: lane, bToA: lane }] });
});

test('each profile has the round trip it is named for, a source, and a queue of one to eight products', () => {
  const rtts: Record<string, number> = {
    'campus-10km': 100_000,
    'metro-80km': 800_000,
    'metro-200km': 2_000_000,
    'vmotion-5ms': 5_000_000,
    'metro-vmotion-10ms': 10_000_000,
    'wan-50ms': 50_000_000,
    'wan-100ms': 100_000_000,
    'vmotion-150ms': 150_000_000,
    'satellite-600ms': 600_000_000,
  };
  assert.equal(Object.keys(PROFILES), Object.keys(rtts));
  for (const [name, profile] of Object.entries(PROFILES)) {
    const settings = resolveFiber({ profile: name });
    assert.is(rttNs(settings), rtts[name], name);
    assert.is(settings.spans[0]!.aToB.oneWayNs, profile.oneWayNs);
    assert.ok(profile.source.length > 10 && profile.description.length > 10);
    const products = profile.queueBytes / bandwidthDelayProductBytes(settings, 'a-b');
    assert.ok(products >= 1 && products <= 9, `${name}: ${products} bandwidth-delay products`);
    assert.equal(fiberWarnings(settings), [], name);
  }
});

test('distance gives delay: 5 µs a kilometre, or by the refractive index', () => {
  assert.is(propagationNs(80_000), 400_000);
  assert.is(propagationNs(80_000, 1.467), 391_471); // 80 km × 1.467 / 299 792.458 km/s
  assert.is(propagationNs(299_792_458, 1), 1_000_000_000);
  assert.equal(delays({ distanceM: 1_234 }), [[6_170, 6_170]]);
  assert.equal(delays({ refractiveIndex: 1.467 }), [[391_471, 391_471]]); // the profile's 80 km
});

test('an upper layer replaces the delay of a lower one, as distance or directly', () => {
  assert.equal(delays({ profile: 'wan-50ms', distanceM: 10_000 }), [[50_000, 50_000]]);
  assert.equal(delays({ oneWayNs: 77, perDirection: { 'b-a': { distanceM: 2_000 } } }), [[77, 10_000]]);
  assert.equal(delays({ distanceM: 2_000, perDirection: { 'a-b': { oneWayNs: 5 } } }), [[5, 10_000]]);
});

test('spans begin from what stands above, or from a profile of their own', () => {
  const settings = resolveFiber({
    rateBps: 1e9,
    lossProb: 0.1,
    perDirection: { 'b-a': { rateBps: 2e9 } },
    spans: [
      {},
      { distanceM: 1_000, perDirection: { 'b-a': { lossProb: 0.2 } } },
      { rateBps: 3e9 },
      { profile: 'campus-10km' },
    ],
  });
  assert.equal(
    settings.spans.map(({ aToB: a, bToA: b }) => [a.oneWayNs, a.rateBps, b.rateBps, a.lossProb, b.lossProb]),
    [
      [400_000, 1e9, 2e9, 0.1, 0.1],
      [5_000, 1e9, 2e9, 0.1, 0.2],
      [400_000, 3e9, 3e9, 0.1, 0.1],
      [50_000, 10e9, 10e9, 0, 0],
    ],
  );
});

test('of a loss by chance and a model the upper layer counts', () => {
  const model = { model: 'periodic', every: 100 } as const;
  const losses = (options: FiberOptions) =>
    resolveFiber(options).spans.map(({ aToB }) => [aToB.lossProb, aToB.lossModel?.model ?? null]);
  assert.equal(losses({ lossModel: model }), [[0, 'periodic']]);
  assert.equal(losses({ lossProb: 0.1, spans: [{}, { lossModel: model }] }), [
    [0.1, null],
    [0, 'periodic'],
  ]);
  assert.equal(losses({ lossModel: model, perDirection: { 'a-b': { lossProb: 0.2 } } }), [[0.2, null]]);
  assert.equal(losses({ lossModel: model, spans: [{ profile: 'wan-50ms' }] }), [[0, null]]);
});

test('a profile of the user is what the fiber lies on, and may have spans', () => {
  const line = {
    name: 'line',
    options: { profile: 'wan-50ms', rateBps: 2e9, perDirection: { 'b-a': { rateBps: 3e9 } } },
  };
  const settings = resolveFiber({ profile: line, lossProb: 0.1 });
  assert.is(settings.profile, 'line');
  assert.equal(
    settings.spans.map(({ aToB: a, bToA: b }) => [a.oneWayNs, a.rateBps, b.rateBps, b.lossProb]),
    [[25_000_000, 2e9, 3e9, 0.1]],
  );
  const route = { name: 'route', options: { spans: [{ distanceM: 1_000 }, { rateBps: 1e9 }] } };
  assert.equal(
    resolveFiber({ profile: route, lossProb: 0.1 }).spans.map(({ aToB: a }) => [
      a.oneWayNs,
      a.rateBps,
      a.lossProb,
    ]),
    [
      [5_000, 10e9, 0.1],
      [400_000, 1e9, 0.1],
    ],
  );
  assert.equal(delays({ profile: line, spans: [{}, { distanceM: 1_000 }] }), [
    [25_000_000, 25_000_000],
    [5_000, 5_000],
  ]);
  assert.match(
    refusal(() => resolveFiber({ profile: route, spans: [{}] })),
    'FIBER_SPANS_TWICE: fiber: spans are given, and profile route has spans of its own',
  );
  assert.match(
    refusal(() => resolveFiber({ spans: [{ profile: route }] })),
    'FIBER_SPANS_TWICE: span 0',
  );
  assert.match(
    refusal(() => resolveFiber({ profile: { name: 'x', options: { profile: line } } })),
    'FIBER_PROFILE_UNKNOWN: fiber: profile x begins from line, which is a file itself',
  );
});

test('what is undefined is not given', () => {
  assert.equal(resolveFiber({ distanceM: undefined, rateBps: undefined, spans: undefined }), resolveFiber());
});

test('values become whole nanoseconds, bits and bytes', () => {
  const { oneWayNs, rateBps, queueBytes } = resolveFiber({
    oneWayNs: 0.6,
    rateBps: 1_000_000.4,
    queueBytes: 4096.2,
  }).spans[0]!.aToB;
  assert.equal([oneWayNs, rateBps, queueBytes], [1, 1_000_000, 4096]);
});

test('a refusal says what is wrong, the range and the remedy', () => {
  assert.is(
    refusal(() => resolveFiber({ lossProb: 1.5 })),
    'FIBER_LOSS_RANGE: fiber a-b: loss 1.5 is outside 0..1; for 1.5 % write 1.5%',
  );
  assert.is(
    refusal(() => resolveFiber({ distanceM: 50_000_000 })),
    'FIBER_DISTANCE_RANGE: fiber a-b: distance 50000 km is outside 0..40000km; for a longer way give the one-way delay instead',
  );
  assert.is(
    refusal(() => resolveFiber({ perDirection: { 'b-a': { oneWayNs: 11e9 } } })),
    'FIBER_ONE_WAY_RANGE: fiber b-a: one-way delay 11.0 s is outside 0..10s; give the delay of one direction, half the round trip, such as 400us',
  );
  assert.is(
    refusal(() => resolveFiber({ rateBps: 0 })),
    'FIBER_RATE_RANGE: fiber a-b: rate 0 bit/s is outside 1kbit..1Tbit or unlimited; write it like 10Gbit; to cut the link set link: down',
  );
  assert.is(
    refusal(() => resolveFiber({ spans: [{}, { queueBytes: 100 }] })),
    'FIBER_QUEUE_RANGE: span 1 a-b: queue 100 B is outside 2KiB..1GiB; rate × RTT / 8 bytes is a good size',
  );
  assert.is(
    refusal(() => resolveFiber({ distanceM: 1, oneWayNs: 5 })),
    'FIBER_DELAY_TWICE: fiber a-b: both a distance and a one-way delay are given; give one of them; 5 µs per km turns one into the other',
  );
  assert.is(
    refusal(() => resolveFiber({ oneWayNs: 5, refractiveIndex: 1.4 })),
    'FIBER_INDEX_UNUSED: fiber a-b: a refractive index needs a distance, and the delay is given directly; give the distance, or leave the refractive index out',
  );
  assert.is(
    refusal(() => resolveFiber({ profile: 'metro' })),
    `FIBER_PROFILE_UNKNOWN: fiber: there is no profile "metro"; choose one of ${Object.keys(PROFILES).join(', ')}`,
  );
});

test('every value out of its range is refused with its code', () => {
  const nine = new Array(9).fill({});
  const cases: [string, () => unknown][] = [
    ['FIBER_PROFILE_UNKNOWN', () => resolveFiber({ profile: 'toString' })],
    ['FIBER_PROFILE_UNKNOWN', () => resolveFiber({ profile: '', spans: [{ profile: 'wan-50ms' }] })],
    ['FIBER_SPANS_RANGE', () => resolveFiber({ spans: [] })],
    ['FIBER_SPANS_RANGE', () => resolveFiber({ spans: nine })],
    ['FIBER_INDEX_RANGE', () => resolveFiber({ refractiveIndex: 0.9 })],
    ['FIBER_INDEX_RANGE', () => resolveFiber({ refractiveIndex: Number.NaN })],
    ['FIBER_DISTANCE_RANGE', () => resolveFiber({ distanceM: -1 })],
    ['FIBER_ONE_WAY_RANGE', () => checkLane({ oneWayNs: -1 })],
    ['FIBER_ONE_WAY_RANGE', () => checkLane({ oneWayNs: Number.POSITIVE_INFINITY })],
    ['FIBER_RATE_RANGE', () => checkLane({ rateBps: 999 })],
    ['FIBER_RATE_RANGE', () => checkLane({ rateBps: Number.NaN })],
    ['FIBER_RATE_RANGE', () => checkLane({ rateBps: 1.1e12 })],
    ['FIBER_QUEUE_RANGE', () => checkLane({ queueBytes: 2 ** 31 })],
    ['FIBER_QUEUE_RANGE', () => checkLane({ queueFrames: 0 })],
    ['FIBER_LOSS_RANGE', () => checkLane({ lossProb: -0.1 })],
    ['FIBER_LOSS_RANGE', () => checkLane({ lossProb: Number.NaN })],
    ['FIBER_DUPLICATE_RANGE', () => checkLane({ duplicateProb: 2 })],
    ['FIBER_CORRUPT_RANGE', () => checkLane({ corruptProb: Number.NaN })],
    ['FIBER_LINK_STATE', () => checkLane({ link: 'sideways' as 'up' })],
  ];
  for (const [code, body] of cases) assert.ok(refusal(body).startsWith(`${code}: `), refusal(body));
});

test('a change keeps only what it names', () => {
  assert.equal(checkLane({ lossProb: 0.5 }), { lossProb: 0.5 });
  assert.equal(checkLane({ rateBps: Number.POSITIVE_INFINITY, link: 'down' }), {
    rateBps: Number.POSITIVE_INFINITY,
    link: 'down',
  });
});

test('a fiber in one line per direction', () => {
  assert.equal(describeFiber(resolveFiber()), [
    'a-b: 400 µs one way, 10.0 Gbit/s, queue 4.00 MiB, no loss',
    'b-a: 400 µs one way, 10.0 Gbit/s, queue 4.00 MiB, no loss',
  ]);
  const settings = resolveFiber({
    spans: [
      { lossProb: 0.01 },
      { rateBps: 1e9, queueBytes: 65_536, perDirection: { 'b-a': { link: 'down' } } },
    ],
    perDirection: { 'a-b': { lossProb: 0.01 } },
  });
  assert.equal(describeFiber(settings), [
    'a-b: 2 spans, 800 µs one way, 1.00 Gbit/s, queue 64.0 KiB, loss 1.99%',
    'b-a: 2 spans, 800 µs one way, 1.00 Gbit/s, queue 64.0 KiB, loss 1%, link down',
  ]);
});

test('what goes wrong is told where it does', () => {
  const settings = resolveFiber({
    jitter: { model: 'uniform', halfWidthNs: 50_000 },
    lossModel: { model: 'gilbert-elliott', p: 0.001, r: 0.2, h: 0, k: 1 },
    duplicateProb: 0.001,
    perDirection: {
      'a-b': { reorder: true, queueDiscipline: { kind: 'codel', targetNs: 5_000_000, intervalNs: 1e8 } },
      'b-a': {
        jitter: null,
        corruptProb: 0.0001,
        queueDiscipline: { kind: 'none' },
        lossModel: { model: 'periodic', every: 1000 },
        drops: [{ fromNs: 0, untilNs: null, match: null, nth: 1, count: 1 }],
      },
    },
  });
  assert.equal(describeFiber(settings), [
    'a-b: 400 µs one way, jitter ±50.0 µs, reordering, 10.0 Gbit/s, queue 4.00 MiB CoDel 5.00 ms, ' +
      'loss 0.498% (Gilbert–Elliott, bad for 5 packets), duplicates 0.1%',
    'b-a: 400 µs one way, 10.0 Gbit/s, queue without a limit, loss 0.1% (every 1000th), 1 scripted drop, ' +
      'duplicates 0.1%, damages 0.01%',
  ]);
});

test('the bandwidth-delay product is of the slowest span and the whole round trip', () => {
  assert.is(bandwidthDelayProductBytes(resolveFiber(), 'a-b'), 1_000_000); // 10 Gbit/s × 0.8 ms
  const settings = resolveFiber({
    spans: [{}, { rateBps: 1e9 }],
    perDirection: { 'b-a': { oneWayNs: 100_000 } },
  });
  assert.is(bandwidthDelayProductBytes(settings, 'a-b'), 125_000); // 1 Gbit/s × (0.8 + 0.2) ms
  assert.is(bandwidthDelayProductBytes(resolveFiber({ rateBps: Number.POSITIVE_INFINITY }), 'b-a'), Infinity);
});

test('warnings name what makes figures differ from what one may expect', () => {
  const one = (options: FiberOptions) =>
    fiberWarnings(resolveFiber(options)).filter((warning) => warning.startsWith('a-b'));
  assert.equal(one({ queueBytes: 500_000 }), [
    'a-b: a queue of 488 KiB is below the bandwidth-delay product of 977 KiB; one loss-based TCP stream will not fill 10.0 Gbit/s',
  ]);
  assert.equal(one({ profile: 'campus-10km', rateBps: 1e9, queueBytes: 20_000 }), [
    'a-b: a queue of 19.5 KiB does not hold one super-frame of 64 KiB; its last packets are dropped whenever it has to wait',
  ]);
  assert.equal(one({ lossProb: 0.0001 }), [
    'a-b: with loss 0.01% and 800 µs RTT one Reno-like TCP stream reaches about 1.77 Gbit/s',
  ]);
  assert.equal(one({ link: 'down' }), ['a-b: the link is down; nothing passes until it is set up']);
  assert.equal(one({ rateBps: Number.POSITIVE_INFINITY, queueBytes: 2048 }), []);
  assert.equal(one({ queueBytes: 2048, queueDiscipline: { kind: 'none' } }), [
    'a-b: a queue without a limit grows until memory ends; a sender that fills it waits ever longer and is never told by loss',
  ]);
  assert.equal(one({ profile: 'vmotion-150ms', queueDiscipline: CODEL_DEFAULTS }), [
    "a-b: CoDel's interval of 100 ms is below the round trip of 150 ms; it drops before a sender can have answered",
  ]);
  assert.equal(one({ jitter: { model: 'normal', sigmaNs: 200_000 } }), [
    'a-b: jitter takes up to 600 µs from a delay of 400 µs; what would be below 0 is 0',
  ]);
  assert.equal(one({ jitter: { model: 'pareto', scaleNs: 1e9, shape: 3 } }), []);
});

test.run();
