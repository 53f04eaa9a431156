import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { Rng } from '../../src/core/index.js';
import { type LaneSettings, resolveFiber } from '../../src/fiber/index.js';
import type { Link, LinkSettings } from '../../src/sim/link.js';
import { Stack } from '../../src/sim/stack.js';
import { StretchedSegment } from '../../src/sim/stretched-segment.js';
import { TraceHash } from '../../src/sim/trace-hash.js';
import { VirtualTime } from '../../src/sim/virtual-time.js';
import { suite } from '../suite.js';

const test = suite('sim/link');
const MS = 1_000_000;
const LINK = { windowBytes: 2_000_000, segmentPackets: 44, silenceNs: 500 * MS, retransmitNs: 20 * MS };

interface Pair {
  readonly time: VirtualTime;
  readonly segment: StretchedSegment;
  readonly a: Stack;
  readonly b: Stack;
}

function pair(
  lane: Partial<LaneSettings>,
  seed = 'link',
  over: Partial<LinkSettings> = {},
  profile = 'metro-80km',
): Pair {
  const time = new VirtualTime();
  const metro = resolveFiber({ profile });
  const link = { ...LINK, ...over };
  const spans = metro.spans.map(({ aToB, bToA }) => ({
    aToB: { ...aToB, ...lane },
    bToA: { ...bToA, ...lane },
  }));
  const settings = { fiber: { ...metro, spans }, guestFirst: true, portNs: 0 };
  const segment = new StretchedSegment(time, settings, new Rng(seed), new TraceHash());
  const numbers = { next: 1 };
  return {
    time,
    segment,
    a: new Stack(time, segment, 'a', 0x020000000001, 0x020000000002, link, numbers),
    b: new Stack(time, segment, 'b', 0x020000000002, 0x020000000001, link, numbers),
  };
}

/** Sends items of these sizes from A to B; gives what came. */
function carry({ time, a, b }: Pair, sizes: readonly number[]): number[] {
  const came: number[] = [];
  b.onAccept = (link) => {
    link.onItem = (item) => came.push(item as number);
  };
  const link = a.connect('pages');
  for (const [n, bytes] of sizes.entries()) link.send(bytes, n);
  time.run(60_000 * MS, () => came.length === sizes.length && link.isIdle);
  return came;
}

test('items arrive once and in order, whatever the fiber does to their frames', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 1, maxLength: 40 }),
      fc.record({
        lossProb: fc.constantFrom(0, 0.001, 0.05, 0.2),
        duplicateProb: fc.constantFrom(0, 0.1),
        corruptProb: fc.constantFrom(0, 0.02),
        reorder: fc.boolean(),
      }),
      fc.string(),
      (sizes, { reorder, ...lane }, seed) => {
        const jitter = reorder ? ({ model: 'uniform', halfWidthNs: 300_000 } as const) : null;
        const p = pair({ ...lane, reorder, jitter }, seed);
        assert.equal(
          carry(p, sizes),
          sizes.map((_, n) => n),
        );
        assert.ok(p.segment.closes());
      },
    ),
    { numRuns: 60 },
  );
});

test('a bulk transfer goes at the rate of the fiber', () => {
  const p = pair({});
  const items = 400;
  carry(p, new Array(items).fill(62_500));
  // 25 MB at 10 Gbit/s with 1538 wire bytes for 1448 of payload, and one way beyond.
  const idealNs = ((items * 62_500 * 1538) / 1448) * 0.8 + 400_000;
  assert.ok(p.time.nowNs > idealNs && p.time.nowNs < idealNs * 1.1, `${p.time.nowNs} against ${idealNs}`);
});

test('a link that opens in two round trips carries its first item in the half after them', () => {
  const p = pair({}, 'link', { openingTurns: { control: 2, pages: 2, demand: 2 } });
  carry(p, [100]);
  // The time of the acknowledgement is in it: three round trips, and what short packets take on the wire.
  const beyondNs = p.time.nowNs - 6 * 400_000;
  assert.ok(beyondNs > 0 && beyondNs < 10_000, `${p.time.nowNs}`);
});

test('a start that overflowed the queue took a minute and a half to mend', () => {
  const items = 400;
  const congestions = ['bbr', 'cubic'] as const;
  for (const congestion of congestions) {
    const over = { congestion, windowBytes: 256 * 2 ** 20, segmentPackets: 4 };
    const p = pair({}, 'link', over, 'metro-vmotion-10ms');
    carry(p, new Array(items).fill(62_500));
    const lost = p.segment.fiber.counters().aToB.dropped['queue-full'].packets;
    assert.ok(lost > 100, `${congestion}: the queue has overflowed, ${lost} packets`);
    const idealNs = (items * 62_500 * 8 * 1538) / 1448;
    assert.ok(
      p.time.nowNs < idealNs * (congestion === 'bbr' ? 1.6 : 3),
      `${congestion}: ${p.time.nowNs} against ${idealNs}`,
    );
    assert.ok(p.segment.closes());
  }
});

test('after a cut, one segment came back with each timer and the rest waited for the next', () => {
  for (const congestion of [undefined, 'bbr', 'cubic'] as const) {
    const p = pair({}, 'cut', congestion === undefined ? {} : { congestion });
    const came: unknown[] = [];
    p.b.onAccept = (link) => {
      link.onItem = (item) => came.push(item);
    };
    const link = p.a.connect('pages');
    for (let n = 0; n < 400; n++) link.send(62_500, n);
    p.time.run(10 * MS);
    p.segment.change('both', { link: 'down' });
    p.time.run(300 * MS);
    const before = came.length;
    assert.ok(before < 390, 'much is left');
    p.segment.change('both', { link: 'up' });
    p.time.run(1_000 * MS);
    assert.is(came.length, 400, `${congestion}: ${before} before the end of the cut`);
  }
});

test('a loss that the last acknowledgement told of waited for the timer', () => {
  // The timer is far away: only what acknowledgements tell mends a loss in time.
  for (const congestion of [undefined, 'bbr', 'cubic'] as const) {
    const over = { retransmitNs: 400 * MS, ...(congestion === undefined ? {} : { congestion }) };
    for (let seed = 0; seed < 20; seed++) {
      const p = pair({ lossProb: 0.02 }, `last ${seed}`, { ...over, segmentPackets: 4 });
      let doneNs = 0;
      let come = 0;
      p.b.onAccept = (link) => {
        link.onItem = () => {
          if (++come === 4) doneNs = p.time.nowNs;
        };
      };
      const link = p.a.connect('pages');
      for (let n = 0; n < 4; n++) link.send(62_500, n);
      // All but the last segments are seen to be lost by those behind them.
      link.send(20_000, 4);
      p.time.run(2_000 * MS, () => doneNs > 0);
      assert.ok(doneNs > 0 && doneNs < 300 * MS, `${congestion} ${seed}: ${doneNs}`);
    }
  }
});

test('the pace of a rate that is no whole number gave instants that were none', () => {
  const p = pair({}, 'pace', { congestion: 'bbr', windowBytes: 256 * 2 ** 20, pageLinkBps: 1e9 / 7 });
  const instants: number[] = [];
  p.b.onAccept = (link) => {
    link.onItem = () => instants.push(p.time.nowNs);
  };
  const link = p.a.connect('pages');
  for (let n = 0; n < 40; n++) link.send(20_011, n);
  p.time.run(5_000 * MS, () => instants.length === 40);
  assert.is(instants.length, 40);
  assert.equal(
    instants.filter((ns) => !Number.isInteger(ns)),
    [],
  );
});

test('the send buffer bounds what a far line may have under way, and its sender never learns the rate', () => {
  // 100 ms at 1 Gbit/s hold 12 MB, the buffer 4, of which a third stands empty before it is filled again. The timer is
  // shorter than the round trip at first.
  const p = pair({}, 'buffer', { congestion: 'bbr', windowBytes: 256 * 2 ** 20 }, 'wan-100ms');
  let came = 0;
  let sent = 0;
  p.b.onAccept = (link) => {
    link.onItem = () => came++;
  };
  const link = p.a.connect('pages');
  link.onRoom = () => {
    while (sent < 800 && link.takesMore) {
      sent++;
      link.send(62_500, sent);
    }
  };
  link.onRoom();
  p.time.run(60_000 * MS, () => came === 800);
  const bps = (800 * 62_500 * 8) / (p.time.nowNs / 1e9);
  assert.ok(bps > 120e6 && bps < 345e6, `${bps}`);
});

test('a page link keeps to the most that it may put on the wire', () => {
  const p = pair({}, 'link', { congestion: 'bbr', windowBytes: 256 * 2 ** 20, pageLinkBps: 100e6 });
  carry(p, new Array(40).fill(62_500));
  const idealNs = (40 * 62_500 * 8 * 10 * 1538) / 1448;
  assert.ok(
    p.time.nowNs > idealNs * 0.95 && p.time.nowNs < idealNs * 1.1,
    `${p.time.nowNs} against ${idealNs}`,
  );
});

test('a line that is cut is lost to both ends after their silence, and not before', () => {
  const p = pair({});
  const lost: string[] = [];
  p.b.onAccept = (link) => {
    link.onLost = () => lost.push(`b ${Math.round(p.time.nowNs / MS)}`);
  };
  const link = p.a.connect('control');
  link.onLost = () => lost.push(`a ${Math.round(p.time.nowNs / MS)}`);
  link.send(100, 'hello');
  p.time.run(1000 * MS); // heartbeats keep an idle line
  assert.equal(lost, []);
  p.segment.change('both', { link: 'down' });
  p.time.run(1370 * MS); // the last heartbeat came up to 125 ms before the cut
  assert.equal(lost, []);
  p.time.run(1600 * MS);
  assert.equal(lost.map((l) => l.split(' ')[0]).sort(), ['a', 'b']);
});

test('a frame of a line that is no more is answered by a reset; a late copy of its first one opens nothing', () => {
  const p = pair({});
  let accepted = 0;
  p.b.onAccept = () => {
    accepted++;
  };
  const link = p.a.connect('control');
  link.send(10, 1);
  p.time.run(10 * MS);
  let lost = '';
  link.onLost = (text) => {
    lost = text;
  };
  p.b.powerOff();
  p.b.powerOn();
  link.send(10, 2);
  p.time.run(20 * MS);
  assert.is(lost, 'the peer knows nothing of it');
  assert.is(accepted, 1);
});

test('the last items of a line that is closed still arrive; then the other end is told', () => {
  const p = pair({ lossProb: 0.05 });
  const came: unknown[] = [];
  let ended = '';
  p.b.onAccept = (link: Link) => {
    link.onItem = (item) => came.push(item);
    link.onLost = (text) => {
      ended = text;
    };
  };
  const link = p.a.connect('control');
  for (let n = 0; n < 50; n++) link.send(5000, n);
  link.close();
  link.send(10, 'after the end');
  p.time.run(5_000 * MS);
  assert.is(came.length, 50);
  assert.not.ok(link.isOpen);
  assert.ok(ended.length > 0);
});

test.run();
