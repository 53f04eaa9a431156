/** What holds for a lane whatever is offered, changed and however late the driver is. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { Rng } from '../../src/core/index.js';
import {
  accountingCloses,
  Lane,
  type LaneAction,
  type LaneEvent,
  type LaneSettings,
  type LossModel,
} from '../../src/fiber/index.js';
import { suite } from '../suite.js';
import { oracle } from './lane-oracle.js';
import { atGaps, drive, frameNo, LANE, offer, outcomeOf, shapes } from './traffic.js';

const test = suite('fiber/lane-properties');

type Change = Partial<LaneSettings>;
type Step = { readonly gapNs: number; readonly event: Exclude<LaneEvent, { type: 'woke' }> };

/** Gaps around a serialisation: none, a fraction of one, several, and exactly one (84 bytes at 1 Gbit/s are 672 ns). */
const gaps = fc.oneof(
  fc.constant(0),
  fc.constant(672),
  fc.integer({ min: 1, max: 3_000 }),
  fc.integer({ min: 0, max: 60_000 }),
);
const offers = fc
  .tuple(fc.constantFrom(0 as const, 1 as const), shapes)
  .map(([trafficClass, shape]) => offer(0, trafficClass, shape));
const changesOf = (change: fc.Arbitrary<Change>) => change.map((set) => ({ type: 'changed' as const, set }));

function inputsOf(change: fc.Arbitrary<Change>, max = 60): fc.Arbitrary<ReturnType<typeof numbered>> {
  const event = fc.oneof({ weight: 8, arbitrary: offers }, { weight: 1, arbitrary: changesOf(change) });
  return fc
    .array(fc.record({ gapNs: gaps, event }), { minLength: 1, maxLength: max })
    .map((steps) => numbered(steps));
}

/** Every frame its own number, so that traces tell them apart. */
function numbered(steps: readonly Step[]) {
  return atGaps(
    steps.map(({ gapNs, event }, id) => [
      gapNs,
      event.type === 'changed' ? event : { ...event, frame: frameNo(id) },
    ]),
  );
}

const lanes: fc.Arbitrary<LaneSettings> = fc
  .record({
    oneWayNs: fc.constantFrom(0, 1, 5_000, 400_000),
    rateBps: fc.constantFrom(1e9, 622_080_000, 10e9, 999_999_937, Number.POSITIVE_INFINITY),
    queueBytes: fc.constantFrom(2048, 5_000, 4 * 1024 * 1024),
    queueFrames: fc.constantFrom(1, 5, Number.POSITIVE_INFINITY),
    lossProb: fc.constantFrom(0, 0.05, 0.5, 1),
  })
  .map((some): LaneSettings => ({ ...LANE, ...some }));

const anyChange: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ oneWayNs: fc.constantFrom(0, 1_000, 50_000, 400_000) }),
  fc.record({ rateBps: fc.constantFrom(1e6, 1e9, 622_080_000, 10e9, Number.POSITIVE_INFINITY) }),
  fc.record({ lossProb: fc.constantFrom(0, 0.1, 1) }),
  fc.record({ queueBytes: fc.constantFrom(2048, 10_000), queueFrames: fc.constantFrom(1, 4) }),
  fc.record({ link: fc.constantFrom('up' as const, 'down' as const) }),
);

/** The lane rounds the fraction of a nanosecond when one finite rate follows another; the oracle does not. */
const exactChange: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ oneWayNs: fc.constantFrom(0, 1_000, 50_000, 400_000) }),
  fc.record({ queueBytes: fc.constantFrom(2048, 10_000), queueFrames: fc.constantFrom(1, 4) }),
  fc.record({ link: fc.constantFrom('up' as const, 'down' as const) }),
);

test('agrees with the naive lane, frame by frame and nanosecond by nanosecond', () => {
  const pattern = fc.array(fc.boolean(), { minLength: 1, maxLength: 7 });
  fc.assert(
    fc.property(lanes, inputsOf(exactChange), pattern, (settings, inputs, lost) => {
      const isLost = (sent: number) => lost[sent % lost.length]!;
      let sent = 0;
      const loss: LossModel = {
        hits(packets, out) {
          for (let i = 0; i < packets; i++) if (isLost(sent++)) out.push(i);
        },
      };
      const got = drive(new Lane(settings, new Rng(1), { loss }), inputs);
      const arrives = (a: LaneAction) => a.type === 'deliver' || a.reason === 'loss';
      const wanted = oracle(settings, inputs, isLost);
      assert.equal(got.filter(arrives).map(outcomeOf), wanted.arrived);
      assert.equal(got.filter((a) => !arrives(a)).map(outcomeOf), wanted.refused);
    }),
    { numRuns: 600 },
  );
});

test('a late driver gets the same actions in the same order with the same due instants', () => {
  fc.assert(
    fc.property(
      lanes,
      inputsOf(anyChange),
      fc.integer(),
      fc.boolean(),
      (settings, inputs, seed, wakeFirst) => {
        const run = (latenessNs: () => number, first: boolean) =>
          drive(new Lane(settings, new Rng(seed)), inputs, { latenessNs, wakeFirst: first }).map(outcomeOf);
        const lateness = new Rng(seed).fork('lateness');
        const punctual = run(() => 0, wakeFirst);
        assert.equal(
          run(() => lateness.below(20_000), false),
          punctual,
        );
        assert.equal(
          run(() => 1e12, false),
          punctual,
        );
      },
    ),
    { numRuns: 400 },
  );
});

test('a punctual driver is woken once for what arrives, and then it has arrived', () => {
  fc.assert(
    fc.property(lanes, inputsOf(anyChange), (settings, inputs) => {
      drive(new Lane(settings, new Rng(5)), inputs, {
        check(nowNs, ordered, woke) {
          if (!woke) return;
          assert.ok(ordered.length > 0, 'woken for nothing');
          for (const action of ordered) {
            // Without delay the end of a serialisation is settled a nanosecond later.
            if (action.type === 'deliver')
              assert.ok(nowNs - action.dueNs <= 1, `${nowNs - action.dueNs} ns late`);
          }
        },
      });
    }),
    { numRuns: 300 },
  );
});

test('accounting closes after every step, and nothing reorders within a class', () => {
  fc.assert(
    fc.property(lanes, inputsOf(anyChange, 100), fc.integer(), (settings, inputs, seed) => {
      const lane = new Lane(settings, new Rng(seed));
      const actions = drive(lane, inputs, {
        latenessNs: (n) => (n % 3) * 700,
        check: () => assert.ok(accountingCloses(lane.counters()), 'accounting closes'),
      });
      const due = [-1, -1];
      const last = [-1, -1];
      for (const a of actions) {
        if (a.type === 'drop') continue;
        assert.ok(a.dueNs >= Math.max(...due), 'arrivals in order of time');
        assert.ok(a.frame.start > last[a.trafficClass]!, 'frames of a class in order');
        due[a.trafficClass] = a.dueNs;
        last[a.trafficClass] = a.frame.start;
      }
      const { delivered, dropped, queued, inFlight } = lane.counters();
      assert.equal([queued.frames, inFlight.frames, inFlight.wireBytes], [0, 0, 0]);
      const delivers = actions.filter((a) => a.type === 'deliver');
      assert.is(delivered.frames, delivers.length);
      assert.is(
        delivered.packets,
        delivers.reduce((n, a) => n + a.packets, 0),
      );
      assert.is(
        delivered.wireBytes,
        delivers.reduce((n, a) => n + a.wireBytes, 0),
      );
      for (const reason of ['queue-full', 'loss', 'link-down'] as const) {
        const drops = actions.filter((a) => a.type === 'drop' && a.reason === reason);
        assert.is(dropped[reason].frames, drops.length, reason);
      }
    }),
    { numRuns: 400 },
  );
});

test('the same seed gives the same trace, another seed another', () => {
  const settings = { ...LANE, lossProb: 0.1 };
  const inputs = atGaps(
    Array.from({ length: 500 }, (_, id) => [1_000, offer(id, (id % 2) as 0 | 1)] as const),
  );
  const trace = (seed: number) =>
    JSON.stringify(drive(new Lane(settings, new Rng(seed)), inputs).map(outcomeOf));
  assert.is(trace(7), trace(7));
  assert.is.not(trace(7), trace(8));
});

test('a million packets through a lane lose within 3 sigma, plain and in super-frames', () => {
  for (const packets of [1, 45]) {
    const settings = { ...LANE, rateBps: Number.POSITIVE_INFINITY, oneWayNs: 0, lossProb: 0.01 };
    const lane = new Lane(settings, new Rng('3 sigma'));
    const out: LaneAction[] = [];
    const event = offer(1, 0, { packets, packetBytes: 1538, lastBytes: 1538 });
    for (let i = 0; i < 1e6 / packets; i++) {
      lane.step(i, event, out);
      out.length = 0;
    }
    const { offered, dropped, delivered } = lane.counters();
    const sigma = Math.sqrt(offered.packets * 0.01 * 0.99);
    assert.ok(Math.abs(dropped.loss.packets - offered.packets * 0.01) < 3 * sigma);
    assert.is(delivered.packets + dropped.loss.packets, offered.packets);
    assert.is(delivered.wireBytes, delivered.packets * 1538);
  }
});

test.run();
