import * as assert from 'uvu/assert';
import { resolveFiber } from '../../../src/fiber/index.js';
import { EXPERIMENT_SCHEMA } from '../../../src/lab/config/experiment.js';
import { experimentFrom } from '../../../src/lab/config/experiment-file.js';
import { fiberSettingsOf } from '../../../src/lab/config/resolve-experiment.js';
import { suite } from '../../suite.js';

const test = suite('lab/config/experiment');

test('nothing said is the first experiment', () => {
  const e = experimentFrom();
  assert.is(e.guest.memoryBytes, 256 * 2 ** 20);
  assert.is(e.guest.fill, 'mix');
  assert.equal(e.guest.dirty, {
    model: 'uniform',
    pagesPerS: 50e6 / 4096,
    hotSetBytes: 256 * 2 ** 20,
    skew: 0,
  });
  assert.is(e.fiber.profile, 'metro-80km');
  assert.is(e.fiber.spans.length, 1);
  assert.is(e.fiber.spans[0]!.aToB.oneWayNs, 400_000);
  assert.is(e.fiber.spans[0]!.aToB.rateBps, 10e9);
  assert.is(e.migration.pauseTargetNs, 1_000_000);
  assert.is(e.migration.repeat, 1);
  assert.ok(e.probe.count >= 200);
  assert.equal(
    e.clients.map((c) => [c.site, c.icmpIntervalNs, c.serviceIntervalNs]),
    [
      ['a', 10_000_000, 1_000_000],
      ['b', 10_000_000, 1_000_000],
    ],
  );
  assert.not.ok('testHooks' in e);
});

test('a resolved experiment is JSON: it survives the result file unchanged', () => {
  const e = experimentFrom({ fiber: { rate: 'unlimited' }, background: [{ rate: '1Gbit' }] });
  assert.is(e.fiber.spans[0]!.bToA.rateBps, null);
  assert.equal(EXPERIMENT_SCHEMA.parse(JSON.parse(JSON.stringify(e))), e);
});

test('the nearest level that speaks of a lane is heard', () => {
  const e = experimentFrom({
    fiber: {
      rate: '5Gbit',
      loss: '1%',
      'b-a': { loss: '2%' },
      spans: [
        { distance: '50km' },
        { 'one-way': '1ms', rate: '1Gbit', 'a-b': { distance: '10km', loss: '0%' } },
        { profile: 'metro-200km' },
      ],
    },
  });
  const [first, second, third] = e.fiber.spans;
  assert.is(first!.aToB.oneWayNs, 250_000);
  assert.is(first!.aToB.rateBps, 5e9);
  assert.is(first!.aToB.lossProb, 0.01);
  assert.is(first!.bToA.lossProb, 0.02);
  assert.is(second!.aToB.oneWayNs, 50_000);
  assert.is(second!.bToA.oneWayNs, 1_000_000);
  assert.is(second!.bToA.rateBps, 1e9);
  assert.is(second!.aToB.lossProb, 0);
  // a span that names a profile begins anew
  assert.is(third!.aToB.oneWayNs, 1_000_000);
  assert.is(third!.aToB.lossProb, 0);
});

test('the fiber’s machines take it as it was resolved', () => {
  const settings = fiberSettingsOf(
    experimentFrom({ fiber: { rate: 'unlimited', 'b-a': { rate: '1Gbit' } } }),
  );
  const { aToB, bToA } = settings.spans[0]!;
  assert.is(aToB.rateBps, Number.POSITIVE_INFINITY);
  assert.is(bToA.rateBps, 1e9);
  assert.equal(
    settings,
    resolveFiber({ rateBps: Number.POSITIVE_INFINITY, perDirection: { 'b-a': { rateBps: 1e9 } } }),
  );
});

test('background in both directions is two streams', () => {
  const e = experimentFrom({
    background: [{ rate: '1Gbit' }, { direction: 'b-a', rate: '2Mbit', frame: '100B' }],
  });
  assert.equal(e.background, [
    { direction: 'a-b', rateBps: 1e9, frameBytes: 1514 },
    { direction: 'b-a', rateBps: 1e9, frameBytes: 1514 },
    { direction: 'b-a', rateBps: 2e6, frameBytes: 100 },
  ]);
});

test.run();
