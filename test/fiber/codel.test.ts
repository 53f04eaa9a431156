/** CoDel by script. Target 5 ms, interval 100 ms; packets of 1538 bytes wait at the head when they are asked about. */
import * as assert from 'uvu/assert';
import { Rng, WOKE } from '../../src/core/index.js';
import {
  accountingCloses,
  CODEL_DEFAULTS,
  Codel,
  checkLane,
  Lane,
  type LaneAction,
} from '../../src/fiber/index.js';
import { suite } from '../suite.js';
import { LANE, offer, type Shape } from './traffic.js';

const test = suite('fiber/codel');
const MS = 1_000_000;
const NO_LIMIT = () => ({ queueBytes: 1e9, queueFrames: 1e9 });
const BEHIND = { packets: 100, wireBytes: 153_800 };

/** A queue in which every packet has waited `waitMs`, with 100 packets behind it. */
function ask(codel: Codel, atMs: number, waitMs: number, behind = BEHIND): boolean {
  const startNs = Math.round(atMs * MS);
  const offeredNs = startNs - Math.round(waitMs * MS);
  return codel.keeps({ packets: 1, wireBytes: 1538, packetBytes: 0, offeredNs }, behind, startNs);
}

/** The instants in ms at which it drops, asked every `everyMs` from 0; each drop is followed by the packet behind it. */
function dropsOf(codel: Codel, untilMs: number, everyMs: number, waitMs: (atMs: number) => number): number[] {
  const drops: number[] = [];
  for (let n = 0; n * everyMs < untilMs; n++) {
    const atMs = n * everyMs;
    while (!ask(codel, atMs, waitMs(atMs))) drops.push(atMs);
  }
  return drops;
}

test('a standing queue is dropped from after an interval, then at intervals that shrink with the root', () => {
  const drops = dropsOf(new Codel(CODEL_DEFAULTS, NO_LIMIT), 600, 1, () => 10);
  // First above target at 0, so 100; the next after 100/√1, 100/√2, 100/√3, …, at the next packet taken.
  const wanted = [100];
  let next = 100;
  for (let count = 1; ; count++) {
    next += 100 / Math.sqrt(count);
    if (next >= 600) break;
    wanted.push(Math.ceil(next));
  }
  assert.equal(drops, wanted);
  assert.is(wanted.length, 10);
});

test('nothing is dropped below the target, or when the wait dips below it within every interval', () => {
  assert.equal(
    dropsOf(new Codel(CODEL_DEFAULTS, NO_LIMIT), 2000, 1, () => 4.999),
    [],
  );
  assert.equal(
    dropsOf(new Codel(CODEL_DEFAULTS, NO_LIMIT), 2000, 1, (at) => (at % 99 === 0 ? 1 : 50)),
    [],
  );
});

test('a queue that holds no more than a packet is no standing queue', () => {
  const codel = new Codel(CODEL_DEFAULTS, NO_LIMIT);
  for (let at = 0; at < 1000; at++) assert.ok(ask(codel, at, 200, { packets: 1, wireBytes: 1538 }));
});

test('one packet below the target ends the dropping', () => {
  const codel = new Codel(CODEL_DEFAULTS, NO_LIMIT);
  const wait = (at: number) => (at === 150 ? 1 : 10);
  // 100: first drop, next one due at 200; at 150 all is well, so it takes another whole interval from 151.
  assert.equal(dropsOf(codel, 340, 1, wait).slice(0, 2), [100, 251]);
});

test('dropping that begins again soon goes on at its rate, later it begins anew', () => {
  const again = (pauseMs: number) => {
    const codel = new Codel(CODEL_DEFAULTS, NO_LIMIT);
    const wait = (at: number) => (at >= 600 && at < 600 + pauseMs ? 1 : 10);
    const from = 600 + pauseMs;
    return dropsOf(codel, from + 300, 1, wait)
      .filter((at) => at >= from)
      .map((at) => at - from);
  };
  // Ten drops in the first phase, counted 1 to 10: it goes on with 9, 100/√9, 100/√10, …
  assert.equal(again(50).slice(0, 4), [100, 134, 165, 196]);
  assert.equal(again(2000).slice(0, 3), [100, 200, 271]);
});

test('in a lane: an overloaded link keeps its delay near the target, drop-tail does not', () => {
  // 20 % more than 10 Mbit/s for 10 s. 1538 bytes take 1.2304 ms; one is offered every 1.0253 ms.
  const run = (queueDiscipline: typeof CODEL_DEFAULTS | { readonly kind: 'drop-tail' }) => {
    const settings = { ...LANE, rateBps: 10e6, oneWayNs: 0, queueDiscipline };
    const lane = new Lane(settings, new Rng('codel'));
    const out: LaneAction[] = [];
    const waitsMs: number[] = [];
    const offeredNs: number[] = [];
    for (let id = 0; id < 9_750; id++) {
      const atNs = Math.round(id * 1_025_333);
      offeredNs.push(atNs);
      lane.step(atNs, offer(id), out);
    }
    lane.step(1e12, WOKE, out);
    for (const a of out) {
      if (a.type === 'deliver') waitsMs.push((a.dueNs - offeredNs[a.frame.start]!) / MS);
    }
    assert.ok(accountingCloses(lane.counters()));
    return { waitsMs, counters: lane.counters() };
  };
  const codel = run(CODEL_DEFAULTS);
  const tail = run({ kind: 'drop-tail' });
  const late = (waits: number[]) => waits.slice(-1000).sort((a, b) => a - b)[500]!;
  assert.ok(late(tail.waitsMs) > 1000, `drop-tail: ${late(tail.waitsMs)} ms`);
  assert.ok(late(codel.waitsMs) < late(tail.waitsMs) / 2, `CoDel: ${late(codel.waitsMs)} ms`);
  assert.ok(codel.counters.dropped['queue-aqm'].packets > 100);
  assert.is(tail.counters.dropped['queue-aqm'].packets, 0);
});

test('a super-frame at the head loses one packet at a time, its first', () => {
  const shape: Shape = { packets: 4, packetBytes: 1538, lastBytes: 138 };
  // 1 Mbit/s: a full packet takes 12.304 ms, the super-frame 38.016 ms.
  const settings = {
    ...LANE,
    rateBps: 1e6,
    oneWayNs: 0,
    queueDiscipline: { ...CODEL_DEFAULTS, intervalNs: 30 * MS },
  };
  const lane = new Lane(settings, new Rng(1));
  const out: LaneAction[] = [];
  for (let id = 0; id < 6; id++) lane.step(0, offer(id, 0, shape), out);
  lane.step(1e12, WOKE, out);
  const lost = out.map((a) => (a.type === 'deliver' ? a.lost : a.reason));
  // Frame 1 is taken at 38 ms and has waited longer than the target: 30 ms later the first packet goes, frame 2's.
  assert.equal(lost.slice(0, 3), [null, null, [0]]);
  const { dropped, delivered } = lane.counters();
  assert.ok(accountingCloses(lane.counters()));
  assert.is(dropped['queue-aqm'].frames, 0);
  assert.is(delivered.frames, 6);
  assert.is(dropped['queue-aqm'].packets, 24 - delivered.packets);
  assert.is(dropped['queue-aqm'].wireBytes, dropped['queue-aqm'].packets * 1538);
});

test('each class is judged by itself', () => {
  const settings = { ...LANE, rateBps: 10e6, oneWayNs: 0, queueDiscipline: CODEL_DEFAULTS };
  const lane = new Lane(settings, new Rng(1));
  const out: LaneAction[] = [];
  // Class 1 stands in a long queue; class 0 passes it one by one.
  for (let id = 0; id < 1000; id++) lane.step(0, offer(id, 1), out);
  for (let id = 1000; id < 1200; id++) lane.step((id - 999) * 5 * MS, offer(id, 0), out);
  lane.step(1e12, WOKE, out);
  const dropped = out.filter((a) => a.type === 'drop');
  assert.ok(dropped.length > 10);
  assert.ok(
    dropped.every((a) => a.frame.start < 1000),
    'class 0 loses nothing',
  );
});

test('parameters are checked', () => {
  assert.throws(
    () => checkLane({ queueDiscipline: { kind: 'codel', targetNs: 100 * MS, intervalNs: 100 * MS } }),
    (e: { code: string }) => e.code === 'FIBER_CODEL_RANGE',
  );
});

test.run();
