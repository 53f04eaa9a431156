import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { Rng, WOKE } from '../../src/core/index.js';
import {
  accountingCloses,
  type Direction,
  Fiber,
  type FiberAction,
  type FiberEvent,
  type FiberFrameOffered,
  type FiberSettings,
  type LaneSettings,
  type TrafficClass,
} from '../../src/fiber/index.js';
import { suite } from '../suite.js';
import {
  atGaps,
  drive,
  FULL,
  frameNo,
  type Input,
  LANE,
  offer,
  outcomeOf,
  type Shape,
  shapes,
} from './traffic.js';

const test = suite('fiber/fiber');

function fiberOf(...lanes: readonly (LaneSettings | readonly [LaneSettings, LaneSettings])[]): FiberSettings {
  const spans = lanes.map((lane) => {
    const [aToB, bToA] = 'oneWayNs' in lane ? [lane, lane] : lane;
    return { aToB, bToA };
  });
  return { profile: 'test', spans };
}

function send(
  id: number,
  direction: Direction = 'a-b',
  trafficClass: TrafficClass = 0,
  shape: Shape = FULL,
): FiberFrameOffered {
  return { ...offer(id, trafficClass, shape), direction };
}

const due = (actions: readonly FiberAction[]) =>
  actions.map((a) =>
    a.type === 'deliver' ? [a.frame.start, a.direction, a.dueNs] : [a.frame.start, a.reason],
  );

test('the directions are two fibers of their own', () => {
  const fiber = new Fiber(fiberOf([LANE, { ...LANE, oneWayNs: 50_000, rateBps: 1e9 }]), new Rng(1));
  const inputs = atGaps<FiberEvent>([
    [0, send(1, 'a-b')],
    [0, send(2, 'b-a')],
    [0, send(3, 'b-a')],
  ]);
  assert.equal(due(drive(fiber, inputs)), [
    [2, 'b-a', 62_304],
    [3, 'b-a', 74_608],
    [1, 'a-b', 401_231],
  ]);
});

test('spans in a row add up: delays, and one serialisation each', () => {
  const fiber = new Fiber(
    fiberOf(
      { ...LANE, oneWayNs: 100_000, rateBps: 1e9 },
      { ...LANE, oneWayNs: 250_000 },
      { ...LANE, oneWayNs: 7 },
    ),
    new Rng(1),
  );
  // 12 304 + 100 000, then 1230.4 rounded up + 250 000, then 1230.4 rounded up + 7
  const sum = 112_304 + 251_231 + 1_238;
  const actions = drive(fiber, atGaps<FiberEvent>([[0, send(1)]]));
  assert.equal(due(actions), [[1, 'a-b', sum]]);
  assert.is(actions[0]!.span, 2);
});

test('from site B the spans are crossed in reverse, and keep their numbers', () => {
  const far = { ...LANE, oneWayNs: 250_000, link: 'down' as const };
  const actions = drive(
    new Fiber(fiberOf(LANE, far), new Rng(1)),
    atGaps<FiberEvent>([
      [0, send(1)],
      [0, send(2, 'b-a')],
    ]),
  );
  assert.equal(
    actions.map((a) => [a.frame.start, a.direction, a.span]),
    [
      [2, 'b-a', 1], // dropped at once at its entry
      [1, 'a-b', 1], // dropped behind span 0
    ],
  );
});

test('without queueing, spans without rate are the sum of their delays', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 1_000_000 }), { minLength: 1, maxLength: 8 }),
      fc.array(fc.integer({ min: 0, max: 2_000_000 }), { minLength: 1, maxLength: 30 }),
      (delays, gaps) => {
        const unlimited = { ...LANE, rateBps: Number.POSITIVE_INFINITY };
        const fiber = new Fiber(
          fiberOf(...delays.map((oneWayNs) => ({ ...unlimited, oneWayNs }))),
          new Rng(1),
        );
        const inputs = atGaps<FiberEvent>(gaps.map((gap, id) => [gap, send(id)] as const));
        const sum = delays.reduce((n, d) => n + d, 0);
        assert.equal(
          due(drive(fiber, inputs)),
          inputs.map(({ atNs }, id) => [id, 'a-b', atNs + sum]),
        );
      },
    ),
  );
});

test('a slower second span queues at its own entry', () => {
  const slow = { ...LANE, rateBps: 1e9, oneWayNs: 0, queueBytes: 2 * 1538 };
  const fiber = new Fiber(fiberOf({ ...LANE, oneWayNs: 0 }, slow), new Rng(1));
  const actions = drive(fiber, atGaps<FiberEvent>([1, 2, 3, 4, 5].map((id) => [0, send(id)] as const)));
  assert.equal(due(actions), [
    [4, 'queue-full'],
    [5, 'queue-full'],
    [1, 'a-b', 13_535],
    [2, 'a-b', 25_839],
    [3, 'a-b', 38_143],
  ]);
  assert.equal(
    fiber.spanCounters().map((s) => s.aToB.dropped['queue-full'].packets),
    [0, 2],
  );
});

test('packets lost in several spans come in one list of original numbers', () => {
  const lossy = { ...LANE, lossProb: 0.3 };
  const fiber = new Fiber(fiberOf(lossy, lossy, lossy), new Rng('compose'));
  const shape: Shape = { packets: 45, packetBytes: 1538, lastBytes: 500 };
  const inputs = atGaps<FiberEvent>(
    Array.from({ length: 50 }, (_, id) => [60_000, send(id, 'a-b', 0, shape)] as const),
  );
  const actions = drive(fiber, inputs);
  assert.is(actions.length, 50);
  for (const action of actions) {
    assert.is(action.type, 'deliver');
    if (action.type !== 'deliver' || action.lost === null) continue;
    assert.equal(
      action.lost,
      [...new Set(action.lost)].sort((a, b) => a - b),
    );
    assert.is(action.packets, 45 - action.lost.length);
    const last = action.lost.at(-1) === 44 ? 1538 : 500;
    assert.is(action.wireBytes, (action.packets - 1) * 1538 + last);
  }
  const { aToB } = fiber.counters();
  const share = aToB.delivered.packets / aToB.offered.packets;
  const sigma = Math.sqrt((0.343 * 0.657) / aToB.offered.packets);
  assert.ok(Math.abs(share - 0.343) < 3 * sigma, `${share} pass three spans`);
});

test('a change reaches one lane, one direction, one span, or all', () => {
  const fiber = new Fiber(fiberOf(LANE, LANE), new Rng(1));
  const delays = () => fiber.settings.spans.map((s) => [s.aToB.oneWayNs, s.bToA.oneWayNs]);
  const change = (direction: Direction | 'both', oneWayNs: number, span?: number) =>
    fiber.step(
      0,
      { type: 'changed', direction, set: { oneWayNs }, ...(span === undefined ? {} : { span }) },
      [],
    );
  change('b-a', 1, 0);
  assert.equal(delays(), [
    [400_000, 1],
    [400_000, 400_000],
  ]);
  change('a-b', 2);
  assert.equal(delays(), [
    [2, 1],
    [2, 400_000],
  ]);
  change('both', 3, 1);
  assert.equal(delays(), [
    [2, 1],
    [3, 3],
  ]);
  change('both', 4);
  assert.equal(delays(), [
    [4, 4],
    [4, 4],
  ]);
  change('both', 5, 9); // a span it does not have
  assert.equal(delays(), [
    [4, 4],
    [4, 4],
  ]);
});

test('one draw more in one direction shifts nothing in the other', () => {
  const lossy = { ...LANE, lossProb: 0.1 };
  const back = atGaps<FiberEvent>(Array.from({ length: 300 }, (_, id) => [2_000, send(id, 'b-a')] as const));
  const both = back.flatMap((input) => [input, { atNs: input.atNs, event: send(1_000_000, 'a-b') }]);
  const traceBack = (inputs: readonly Input<FiberEvent>[]) =>
    drive(new Fiber(fiberOf(lossy), new Rng(42)), inputs)
      .filter((a) => a.direction === 'b-a')
      .map(outcomeOf);
  assert.equal(traceBack(both), traceBack(back));
});

test('the directions lose different packets', () => {
  const lossy = { ...LANE, lossProb: 0.5 };
  const fiber = new Fiber(fiberOf(lossy), new Rng(42));
  const inputs = Array.from({ length: 64 }, (_, id) => ({
    atNs: id,
    event: send(id, id % 2 ? 'a-b' : 'b-a'),
  }));
  const lost = (direction: Direction, actions: readonly FiberAction[]) =>
    actions.filter((a) => a.direction === direction && a.type === 'drop').map((a) => a.frame.start >> 1);
  const actions = drive<FiberEvent, FiberAction>(fiber, inputs);
  assert.not.equal(lost('a-b', actions), lost('b-a', actions));
});

// ── whatever happens ─────────────────────────────────────────────────────────────────────────────

const anyLane = fc
  .record({
    oneWayNs: fc.constantFrom(0, 1, 5_000, 400_000),
    rateBps: fc.constantFrom(1e9, 10e9, Number.POSITIVE_INFINITY),
    queueBytes: fc.constantFrom(2048, 20_000),
    queueFrames: fc.constantFrom(3, Number.POSITIVE_INFINITY),
    lossProb: fc.constantFrom(0, 0.1, 0.5),
  })
  .map((some): LaneSettings => ({ ...LANE, ...some }));
const directions = fc.constantFrom('a-b' as const, 'b-a' as const);
const anyInputs = fc
  .array(
    fc.record({
      gap: fc.oneof(fc.constant(0), fc.constant(672), fc.integer({ min: 1, max: 20_000 })),
      event: fc.oneof(
        {
          weight: 8,
          arbitrary: fc
            .tuple(directions, fc.constantFrom(0 as const, 1 as const), shapes)
            .map(([direction, trafficClass, shape]) => send(0, direction, trafficClass, shape)),
        },
        {
          weight: 1,
          arbitrary: fc.record({
            type: fc.constant('changed' as const),
            direction: fc.constantFrom('a-b' as const, 'b-a' as const, 'both' as const),
            span: fc.constantFrom(0, 1, 2),
            set: fc.oneof(
              fc.record({ oneWayNs: fc.constantFrom(0, 30_000) }),
              fc.record({ rateBps: fc.constantFrom(1e8, 10e9) }),
              fc.record({ lossProb: fc.constantFrom(0, 0.3) }),
              fc.record({ link: fc.constantFrom('up' as const, 'down' as const) }),
            ),
          }),
        },
      ),
    }),
    { minLength: 1, maxLength: 60 },
  )
  .map((steps) =>
    atGaps<FiberEvent>(
      steps.map(({ gap, event }, id) => [
        gap,
        event.type === 'changed' ? event : { ...event, frame: frameNo(id) },
      ]),
    ),
  );
const anyFiber = fc
  .array(fc.tuple(anyLane, anyLane), { minLength: 1, maxLength: 3 })
  .map((l) => fiberOf(...l));

test('a late driver changes no arrival over any number of spans', () => {
  fc.assert(
    fc.property(anyFiber, anyInputs, fc.integer(), (settings, inputs, seed) => {
      const run = (latenessNs: () => number) => {
        const actions = drive(new Fiber(settings, new Rng(seed)), inputs, { latenessNs });
        // Drops of different spans may be told in another order when several wake-ups fall into one.
        return ['a-b', 'b-a'].map((direction) => {
          const mine = actions.filter((a) => a.direction === direction);
          return {
            delivered: mine.filter((a) => a.type === 'deliver').map(outcomeOf),
            dropped: mine
              .filter((a) => a.type === 'drop')
              .map((a) => JSON.stringify(outcomeOf(a)))
              .sort(),
          };
        });
      };
      const lateness = new Rng(seed).fork('lateness');
      const punctual = run(() => 0);
      assert.equal(
        run(() => lateness.below(30_000)),
        punctual,
      );
      assert.equal(
        run(() => 1e12),
        punctual,
      );
    }),
    { numRuns: 300 },
  );
});

test('accounting closes over all spans after every step, and every frame has one end', () => {
  fc.assert(
    fc.property(anyFiber, anyInputs, fc.integer(), (settings, inputs, seed) => {
      const fiber = new Fiber(settings, new Rng(seed));
      const actions = drive(fiber, inputs, {
        check() {
          const { aToB, bToA } = fiber.counters();
          assert.ok(accountingCloses(aToB) && accountingCloses(bToA), 'accounting closes');
        },
      });
      const offered = inputs.flatMap(({ event }) =>
        event.type === 'frame-offered' ? [event.frame.start] : [],
      );
      assert.equal(
        actions.map((a) => a.frame.start).sort((a, b) => a - b),
        offered,
      );
      assert.is(fiber.nextWakeNs(), Number.POSITIVE_INFINITY);
    }),
    { numRuns: 300 },
  );
});

test('nothing is ordered by waking an empty fiber', () => {
  const out: FiberAction[] = [];
  const fiber = new Fiber(fiberOf(LANE, LANE), new Rng(1));
  fiber.step(1e9, WOKE, out);
  assert.equal(out, []);
  assert.is(fiber.nextWakeNs(), Number.POSITIVE_INFINITY);
});

test.run();
