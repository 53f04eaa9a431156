/** Jitter, reordering, copies and damage on a lane and over spans in a row. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { Rng, WOKE } from '../../src/core/index.js';
import {
  accountingCloses,
  corruptedBit,
  type Deliver,
  Fiber,
  type FiberAction,
  type FiberEvent,
  Lane,
  type LaneAction,
  type LaneEvent,
  type LaneSettings,
  queueOverrun,
} from '../../src/fiber/index.js';
import { suite } from '../suite.js';
import { kolmogorov } from './statistics.js';
import { atGaps, drive, frameNo, LANE, offer, outcomeOf, type Shape, SMALL, shapes } from './traffic.js';

const test = suite('fiber/impairments');
const MS = 1_000_000;
const SUPER: Shape = { packets: 44, packetBytes: 1538, lastBytes: 738 };
const G1 = { ...LANE, rateBps: 1e9 };

function laneOf(set: Partial<LaneSettings>, seed = 'lane'): Lane {
  return new Lane({ ...LANE, ...set }, new Rng(seed));
}

/** Offers frames 0..count-1 so far apart and lets all arrive. */
function pass(lane: Lane, count: number, gapNs: number, shape: Shape = SMALL): LaneAction[] {
  const inputs = atGaps<LaneEvent>(
    Array.from({ length: count }, (_, id) => [gapNs, offer(id, 0, shape)] as const),
  );
  return drive(lane, inputs, {
    check: () => assert.ok(accountingCloses(lane.counters()), 'accounting closes'),
  });
}

const deliveries = (actions: readonly LaneAction[]) =>
  actions.filter((a): a is Deliver => a.type === 'deliver');

test('jitter spreads arrivals as its distribution says, exactly to the nanosecond', () => {
  const lane = laneOf({
    rateBps: Number.POSITIVE_INFINITY,
    jitter: { model: 'uniform', halfWidthNs: 100_000 },
  });
  const gapNs = 300_000; // farther apart than jitter reaches: nothing waits for anything
  const extra = deliveries(pass(lane, 20_000, gapNs)).map(
    (a) => a.dueNs - (a.frame.start + 1) * gapNs - 400_000,
  );
  assert.ok(kolmogorov(extra, (ns) => Math.min(1, Math.max(0, (ns + 1e5) / 2e5))) < 1.95);
});

test('jitter without reordering keeps the order, and lateness is what waiting adds', () => {
  const lane = laneOf({ jitter: { model: 'normal', sigmaNs: 100_000 } });
  const due = deliveries(pass(lane, 5_000, 10_000)).map((a) => [a.frame.start, a.dueNs] as const);
  for (let i = 1; i < due.length; i++) {
    assert.is(due[i]![0], i);
    assert.ok(due[i]![1] >= due[i - 1]![1]);
  }
});

test('with reordering each frame has its own time, and they arrive by time', () => {
  const jitter = { model: 'normal', sigmaNs: 100_000 } as const;
  const set = { rateBps: Number.POSITIVE_INFINITY, jitter };
  const kept = deliveries(pass(laneOf(set), 5_000, 10_000));
  const free = deliveries(pass(laneOf({ ...set, reorder: true }), 5_000, 10_000));
  for (let i = 1; i < free.length; i++) assert.ok(free[i]!.dueNs >= free[i - 1]!.dueNs, 'by time');
  const overtakes = free.filter((a, i) => i > 0 && a.frame.start < free[i - 1]!.frame.start).length;
  assert.ok(overtakes > 1_000, `${overtakes} overtakes`);
  assert.equal(
    free.map((a) => a.frame.start).sort((a, b) => a - b),
    kept.map((a) => a.frame.start),
  );
  // The same draws: in order, a frame arrives at its own time or with the latest before it.
  const own = new Map(free.map((a) => [a.frame.start, a.dueNs]));
  let latest = 0;
  for (const a of kept) {
    latest = Math.max(latest, own.get(a.frame.start)!);
    assert.is(a.dueNs, latest);
  }
});

test('jitter takes no more than the delay', () => {
  const lane = laneOf({
    oneWayNs: 1_000,
    jitter: { model: 'uniform', halfWidthNs: MS },
    rateBps: Number.POSITIVE_INFINITY,
  });
  for (const a of deliveries(pass(lane, 500, 3 * MS))) assert.ok(a.dueNs >= (a.frame.start + 1) * 3 * MS);
});

test('frames of one instant leave in the order in which they were sent, with reordering too', () => {
  const lane = laneOf({ rateBps: Number.POSITIVE_INFINITY, reorder: true });
  const out: LaneAction[] = [];
  for (let id = 0; id < 50; id++) lane.step(0, offer(id), out);
  lane.step(MS, WOKE, out);
  assert.equal(
    out.map((a) => a.frame.start),
    Array.from({ length: 50 }, (_, i) => i),
  );
});

test('a delay lowered while running reorders when that is asked for', () => {
  const lane = new Lane({ ...G1, reorder: true }, new Rng(1));
  const out: LaneAction[] = [];
  lane.step(0, offer(1), out);
  lane.step(20_000, { type: 'changed', set: { oneWayNs: 1_000 } }, out);
  lane.step(30_000, offer(2), out);
  assert.is(lane.nextWakeNs(), 43_304);
  lane.step(500_000, WOKE, out);
  assert.equal(
    deliveries(out).map((a) => [a.frame.start, a.dueNs]),
    [
      [2, 43_304],
      [1, 412_304],
    ],
  );
});

test('reordering switched off lets nothing overtake any more, what is under way arrives as it was due', () => {
  const lane = laneOf({ rateBps: Number.POSITIVE_INFINITY, reorder: true });
  const out: LaneAction[] = [];
  lane.step(0, offer(1), out);
  lane.step(10, { type: 'changed', set: { oneWayNs: 1_000 } }, out);
  lane.step(20, offer(2), out);
  lane.step(30, { type: 'changed', set: { reorder: false } }, out);
  lane.step(40, offer(3), out);
  lane.step(MS, WOKE, out);
  assert.equal(
    deliveries(out).map((a) => [a.frame.start, a.dueNs]),
    [
      [2, 1_020],
      [1, 400_000],
      [3, 400_000],
    ],
  );
});

test('a copy follows its original at once, with the packets that were copied', () => {
  const all = laneOf({ duplicateProb: 1 });
  const whole = deliveries(pass(all, 3, MS, SUPER));
  assert.equal(
    whole.map((a) => [a.frame.start, a.duplicate, a.last, a.lost, a.packets, a.wireBytes]),
    [0, 1, 2].flatMap((id) => [
      [id, false, false, null, 44, 43 * 1538 + 738],
      [id, true, true, null, 44, 43 * 1538 + 738],
    ]),
  );
  assert.equal(all.counters().duplicated, { frames: 3, packets: 132, wireBytes: 3 * (43 * 1538 + 738) });
  assert.is(all.counters().delivered.packets, 264);

  const some = laneOf({ duplicateProb: 0.05, lossProb: 0.05 });
  const actions = deliveries(pass(some, 2_000, MS, SUPER));
  for (const [i, copy] of actions.entries()) {
    if (!copy.duplicate) continue;
    const original = actions[i - 1]!;
    assert.is(original.frame, copy.frame);
    assert.is(original.dueNs, copy.dueNs);
    assert.is(copy.packets + copy.lost!.length, 44);
    for (const lost of original.lost ?? [])
      assert.ok(copy.lost!.includes(lost), 'what is lost is not copied');
    const last = copy.lost!.includes(43) ? 1538 : 738;
    assert.is(copy.wireBytes, (copy.packets - 1) * 1538 + last);
  }
  const { offered, dropped, duplicated } = some.counters();
  const passed = offered.packets - dropped.loss.packets;
  const off = (duplicated.packets - passed * 0.05) / Math.sqrt(passed * 0.05 * 0.95);
  assert.ok(Math.abs(off) < 3, `${off} sigma`);
});

test('damage names packets that arrive, in their original numbers, as often as was asked for', () => {
  const lane = laneOf({ corruptProb: 0.02, lossProb: 0.1 });
  const actions = deliveries(pass(lane, 5_000, MS, SUPER));
  const seeds = new Set<number>();
  let damaged = 0;
  for (const { corrupted, lost, corruptSeed } of actions) {
    if (corrupted === null) continue;
    seeds.add(corruptSeed);
    damaged += corrupted.length;
    assert.ok(corrupted.length > 0 && corrupted.every((i) => i >= 0 && i < 44 && !lost?.includes(i)));
    assert.equal(
      [...corrupted].sort((a, b) => a - b),
      corrupted,
    );
  }
  const { corrupted, delivered } = lane.counters();
  assert.is(corrupted.packets, damaged);
  assert.is(corrupted.frames, actions.filter((a) => a.corrupted !== null).length);
  const off = (damaged - delivered.packets * 0.02) / Math.sqrt(delivered.packets * 0.02 * 0.98);
  assert.ok(Math.abs(off) < 3, `${off} sigma`);
  assert.ok(seeds.size > 0.99 * corrupted.frames, 'another bit each time');
});

test('an ordinary frame that is damaged names packet 0, and its copy is damaged alike', () => {
  const [original, copy] = deliveries(pass(laneOf({ corruptProb: 1, duplicateProb: 1 }), 1, MS));
  assert.equal([original!.corrupted, copy!.corrupted], [[0], [0]]);
  assert.is(original!.corruptSeed, copy!.corruptSeed);
});

test('the damaged bit is fixed by seed and packet, and lies anywhere', () => {
  assert.is(corruptedBit(7, 3, 8_000), corruptedBit(7, 3, 8_000));
  const bits = Array.from({ length: 20_000 }, (_, i) => corruptedBit(i >> 5, i & 31, 8_000));
  assert.ok(bits.every((bit) => Number.isInteger(bit) && bit >= 0 && bit < 8_000));
  assert.ok(new Set(bits).size > 7_000);
  assert.is(corruptedBit(1, 1, 1), 0);
});

test('switching one impairment on shifts nothing in another', () => {
  const base = { lossProb: 0.2, corruptProb: 0, duplicateProb: 0 };
  const lostOf = (set: Partial<LaneSettings>) =>
    pass(laneOf({ ...base, ...set }), 500, 10_000, SUPER).flatMap((a) =>
      a.type === 'deliver' && !a.duplicate ? [[a.frame.start, a.lost]] : [],
    );
  const plain = lostOf({});
  assert.equal(lostOf({ corruptProb: 0.1 }), plain);
  assert.equal(lostOf({ duplicateProb: 0.1, jitter: { model: 'normal', sigmaNs: 5_000 } }), plain);
});

test('`none` takes what drop-tail would drop', () => {
  const small = { rateBps: 1e6, queueBytes: 2048, queueFrames: 1 };
  const dropped = (set: Partial<LaneSettings>) => {
    const lane = laneOf({ ...small, ...set });
    pass(lane, 1_000, 100);
    return lane.counters().dropped;
  };
  assert.ok(dropped({})['queue-full'].packets > 900);
  const none = dropped({ queueDiscipline: { kind: 'none' } });
  assert.equal([none['queue-full'].packets, none['queue-overrun'].packets], [0, 0]);
});

test('`none` at the end of memory drops visibly, as an overrun', () => {
  const lane = laneOf({ rateBps: 1_000, queueDiscipline: { kind: 'none' } });
  const out: LaneAction[] = [];
  const megabyte = { ...offer(1), packets: 681, packetBytes: 1538, wireBytes: 681 * 1538 };
  for (let i = 0; i < 1_100; i++) lane.step(i, megabyte, out);
  const { dropped, queued } = lane.counters();
  assert.ok(queued.wireBytes <= 1024 ** 3 && queued.wireBytes > 1024 ** 3 - 2 ** 21);
  assert.is(dropped['queue-overrun'].frames, out.length);
  assert.ok(out.length > 0 && out.every((a) => a.type === 'drop' && a.reason === 'queue-overrun'));
  assert.ok(accountingCloses(lane.counters()));
  const quiet = laneOf({}).counters();
  assert.is(queueOverrun({ aToB: quiet, bToA: quiet }), null);
  assert.match(
    queueOverrun({ aToB: quiet, bToA: lane.counters() })!.line(),
    `FIBER_QUEUE_OVERRUN: b-a: the queue without a limit met the end of memory and dropped ${dropped['queue-overrun'].packets} packets`,
  );
});

// ── whatever happens ─────────────────────────────────────────────────────────────────────────────

const impaired: fc.Arbitrary<Partial<LaneSettings>> = fc.record({
  oneWayNs: fc.constantFrom(0, 5_000, 400_000),
  rateBps: fc.constantFrom(1e8, 1e9, Number.POSITIVE_INFINITY),
  queueBytes: fc.constantFrom(2_048, 20_000),
  queueDiscipline: fc.constantFrom(
    { kind: 'drop-tail' } as const,
    { kind: 'none' } as const,
    { kind: 'codel', targetNs: 1_000, intervalNs: 20_000 } as const,
  ),
  lossProb: fc.constantFrom(0, 0.2),
  drops: fc.constantFrom([], [{ fromNs: 10_000, untilNs: 60_000, match: null, nth: 2, count: 3 }]),
  jitter: fc.constantFrom(
    null,
    { model: 'uniform', halfWidthNs: 30_000 } as const,
    { model: 'pareto', scaleNs: 20_000, shape: 2 } as const,
  ),
  reorder: fc.boolean(),
  duplicateProb: fc.constantFrom(0, 0.3),
  corruptProb: fc.constantFrom(0, 0.3),
});
const anyFiber = fc.array(impaired, { minLength: 1, maxLength: 3 }).map((spans) => ({
  profile: 'test',
  spans: spans.map((set) => ({ aToB: { ...LANE, ...set }, bToA: { ...LANE, ...set } })),
}));
const anyInputs = fc
  .array(
    fc.record({
      gap: fc.oneof(fc.constant(0), fc.constant(672), fc.integer({ min: 1, max: 20_000 })),
      event: fc.oneof(
        {
          weight: 8,
          arbitrary: fc
            .tuple(
              fc.constantFrom('a-b' as const, 'b-a' as const),
              fc.constantFrom(0 as const, 1 as const),
              shapes,
            )
            .map(([direction, trafficClass, shape]) => ({ ...offer(0, trafficClass, shape), direction })),
        },
        {
          weight: 1,
          arbitrary: fc.record({
            type: fc.constant('changed' as const),
            direction: fc.constant('both' as const),
            set: fc.oneof(impaired, fc.record({ link: fc.constantFrom('up' as const, 'down' as const) })),
          }),
        },
      ),
    }),
    { minLength: 1, maxLength: 50 },
  )
  .map((steps) =>
    atGaps<FiberEvent>(
      steps.map(({ gap, event }, id) => [
        gap,
        event.type === 'changed' ? event : { ...event, frame: frameNo(id) },
      ]),
    ),
  );

test('accounting closes after every step, and `last` is said once for every frame, at its end', () => {
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
      const ended = new Set<number>();
      for (const a of actions) {
        assert.not.ok(ended.has(a.frame.start), 'nothing is said of a frame after its last');
        if (a.last) ended.add(a.frame.start);
      }
      assert.equal(
        [...ended].sort((a, b) => a - b),
        offered,
      );
      assert.is(fiber.nextWakeNs(), Number.POSITIVE_INFINITY);
    }),
    { numRuns: 400 },
  );
});

test('a late driver changes no arrival, with reordering and every impairment', () => {
  fc.assert(
    fc.property(anyFiber, anyInputs, fc.integer(), (settings, inputs, seed) => {
      const run = (latenessNs: () => number) => {
        const actions: FiberAction[] = drive(new Fiber(settings, new Rng(seed)), inputs, { latenessNs });
        return ['a-b', 'b-a'].map((direction) => {
          const mine = actions.filter((a) => a.direction === direction);
          return {
            delivered: deliveries(mine).map((a) => ({
              ...outcomeOf(a),
              corrupted: a.corrupted,
              seed: a.corruptSeed,
            })),
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
    { numRuns: 400 },
  );
});

test.run();
