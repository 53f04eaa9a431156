import * as assert from 'uvu/assert';
import { ConfigError, Rng, WOKE } from '../../src/core/index.js';
import {
  checkTrack,
  Fiber,
  type FiberAction,
  type FiberChanged,
  FiberTimeline,
  type Timeline,
  type TimelineEntry,
  type Track,
} from '../../src/fiber/index.js';
import { suite } from '../suite.js';
import { LANE, offer } from './traffic.js';

const test = suite('fiber/timeline');
const SETTINGS = { profile: 'test', spans: [{ aToB: LANE, bToA: LANE }] };

const at = (atNs: number, oneWayNs: number, more: Partial<TimelineEntry> = {}): TimelineEntry => ({
  atNs,
  direction: 'both',
  set: { oneWayNs },
  ...more,
});
const once = (...entries: TimelineEntry[]): Track => ({ entries, repeatNs: null });

/** Delays that are set, and when the timeline wakes for them. */
function play(timeline: Timeline, untilNs: number, epochNs = 0): [number, number | undefined][] {
  const machine = new FiberTimeline(timeline, epochNs);
  const played: [number, number | undefined][] = [];
  for (let nowNs = machine.nextWakeNs(); nowNs <= untilNs; nowNs = machine.nextWakeNs()) {
    const out: FiberChanged[] = [];
    machine.step(nowNs, WOKE, out);
    assert.ok(out.length > 0, 'woken for nothing');
    for (const change of out) played.push([nowNs, change.set.oneWayNs]);
  }
  return played;
}

test('each change comes at its instant, counted from the epoch, and then nothing more', () => {
  assert.equal(play([once(at(5, 1), at(20, 2))], 1e12, 1_000), [
    [1_005, 1],
    [1_020, 2],
  ]);
  assert.is(new FiberTimeline([], 0).nextWakeNs(), Number.POSITIVE_INFINITY);
});

test('a track begins anew after its period', () => {
  assert.equal(play([{ entries: [at(0, 1), at(30, 2)], repeatNs: 100 }], 230), [
    [0, 1],
    [30, 2],
    [100, 1],
    [130, 2],
    [200, 1],
    [230, 2],
  ]);
});

test('tracks run side by side, the first first', () => {
  assert.equal(play([{ entries: [at(10, 1)], repeatNs: 50 }, once(at(60, 2), at(60, 3), at(61, 4))], 110), [
    [10, 1],
    [60, 1],
    [60, 2],
    [60, 3],
    [61, 4],
    [110, 1],
  ]);
});

test('a late driver gets all that is due, in order', () => {
  const machine = new FiberTimeline([{ entries: [at(0, 1), at(30, 2)], repeatNs: 100 }, once(at(20, 9))], 0);
  const out: FiberChanged[] = [];
  machine.step(101, WOKE, out);
  assert.equal(
    out.map((c) => c.set.oneWayNs),
    [1, 9, 2, 1],
  );
  assert.is(machine.nextWakeNs(), 130);
});

test('a checked track is in order of time, in whole nanoseconds, and names only spans that there are', () => {
  const { entries } = checkTrack(once(at(20.4, 1), at(5, 2), at(5, 3)), 1);
  assert.equal(
    entries.map((e) => [e.atNs, e.set.oneWayNs]),
    [
      [5, 2],
      [5, 3],
      [20, 1],
    ],
  );
  const line = (track: Track, spans = 1) => {
    try {
      checkTrack(track, spans);
    } catch (e) {
      assert.instance(e, ConfigError);
      return (e as ConfigError).line();
    }
    throw new Error('was accepted');
  };
  assert.match(line(once(at(-1, 1))), 'FIBER_TIMELINE: time line: entry 0 is at -1 ns');
  assert.match(line(once(at(0, 1), at(0, 1, { span: 1 }))), 'entry 1 is of span 1, outside 0..0');
  assert.match(line({ entries: [at(2e9, 1)], repeatNs: 2e9 }), 'repeats every 2.00 s');
  assert.match(line({ entries: [at(0, 1)], repeatNs: 1e3 }), 'below 1 ms');
  assert.match(line(once(at(0, 11e9))), 'FIBER_ONE_WAY_RANGE: time line entry 0: one-way delay 11.0 s');
});

test('a fiber makes the changes at their own instants, however late its driver is', () => {
  const timeline = [
    once(
      at(10_000, 50_000, { direction: 'a-b' }),
      at(30_000, 0, { set: { link: 'down' } }),
      at(40_000, 0, { set: { link: 'up' } }),
    ),
  ];
  const run = (late: boolean) => {
    const fiber = new Fiber(SETTINGS, new Rng(1), { timeline, epochNs: 1_000 });
    const out: FiberAction[] = [];
    const send = (nowNs: number, id: number) => fiber.step(nowNs, { ...offer(id), direction: 'a-b' }, out);
    const wake = (nowNs: number) => {
      if (!late && fiber.nextWakeNs() <= nowNs) fiber.step(nowNs, WOKE, out);
    };
    send(1_000, 1);
    wake(11_000);
    send(20_000, 2); // its last bit leaves with the new delay
    wake(31_000);
    if (!late) send(35_000, 3); // the link is down
    wake(41_000);
    send(60_000, 4);
    fiber.step(1e9, WOKE, out);
    assert.is(fiber.changes, 3);
    assert.is(fiber.settings.spans[0]!.aToB.oneWayNs, 50_000);
    assert.is(fiber.settings.spans[0]!.bToA.oneWayNs, 400_000);
    return out.flatMap((a) => (a.type === 'deliver' ? [[a.frame.start, a.dueNs]] : []));
  };
  // 1230.4 ns of serialisation; frame 2 waits for none and yet is not before frame 1.
  const wanted = [
    [1, 402_231],
    [2, 402_231],
    [4, 402_231],
  ];
  assert.equal(run(false), wanted);
  assert.equal(run(true), wanted);
});

test('an empty time line never wakes the fiber', () => {
  assert.is(new Fiber(SETTINGS, new Rng(1)).nextWakeNs(), Number.POSITIVE_INFINITY);
  const fiber = new Fiber(SETTINGS, new Rng(1), { timeline: [once(at(7, 1))] });
  assert.is(fiber.nextWakeNs(), 7);
});

test.run();
