/** Scripted drops on a lane of 1 Gbit/s: 1538 wire bytes take 12 304 ns, 84 take 672. */
import * as assert from 'uvu/assert';
import { Rng, WOKE } from '../../src/core/index.js';
import { accountingCloses, checkLane, type DropRule, Lane, type LaneAction } from '../../src/fiber/index.js';
import { suite } from '../suite.js';
import { FULL, LANE, offer, type Shape, SMALL } from './traffic.js';

const test = suite('fiber/drop-script');
const RULE: DropRule = { fromNs: 0, untilNs: null, match: null, nth: 1, count: 1 };
const SUPER: Shape = { packets: 4, packetBytes: 1538, lastBytes: 138 };

/** What becomes of frames offered at instants: `1`, `1-[2]`, `1!`. */
function pass(
  rules: readonly Partial<DropRule>[],
  frames: readonly [number, Shape, (0 | 1)?][],
  epochNs = 0,
): string[] {
  const drops = rules.map((rule) => ({ ...RULE, ...rule }));
  const lane = new Lane({ ...LANE, rateBps: 1e9, drops: checkLane({ drops }).drops }, new Rng(1), {
    epochNs,
  });
  const out: LaneAction[] = [];
  for (const [id, [atNs, shape, trafficClass = 0]] of frames.entries()) {
    lane.step(atNs, offer(id, trafficClass, shape), out);
    assert.ok(accountingCloses(lane.counters()));
  }
  lane.step(1e13, WOKE, out);
  return out.map((a) => {
    if (a.type === 'drop') return `${a.frame.start}!`;
    return `${a.frame.start}${a.lost ? `-[${a.lost}]` : ''}`;
  });
}

/** So many full frames, a millisecond apart. */
const every = (count: number, shape: Shape = FULL) =>
  Array.from({ length: count }, (_, i) => [i * 1e6, shape] as [number, Shape]);

test('the first packet whose last bit leaves at an instant or later is dropped', () => {
  assert.equal(pass([{ fromNs: 2_012_304 }], every(4)), ['0', '1', '2!', '3']);
  assert.equal(pass([{ fromNs: 2_012_305 }], every(5)), ['0', '1', '2', '3!', '4']);
});

test('times count from the epoch', () => {
  const frames = every(4).map(([atNs, shape]) => [atNs + 5e9, shape] as [number, Shape]);
  assert.equal(pass([{ fromNs: 2_000_000 }], frames, 5e9), ['0', '1', '2!', '3']);
});

test('a window drops all that leaves within it', () => {
  const window = { fromNs: 1_000_000, untilNs: 3_012_304, count: null };
  assert.equal(pass([window], every(5)), ['0', '1!', '2!', '3', '4']);
});

test('the n-th packet and those after it', () => {
  assert.equal(pass([{ nth: 3 }], every(5)), ['0', '1', '2!', '3', '4']);
  assert.equal(pass([{ nth: 2, count: 2 }], every(5)), ['0', '1!', '2!', '3', '4']);
  assert.equal(pass([{ nth: 4, count: null }], every(5)), ['0', '1', '2', '3!', '4!']);
});

test('packets of super-frames are counted one by one', () => {
  assert.equal(pass([{ nth: 6, count: 2 }], every(3, SUPER)), ['0', '1-[1,2]', '2']);
  assert.equal(pass([{ nth: 4, count: 5 }], every(3, SUPER)), ['0-[3]', '1!', '2']);
});

test('by length: full packets are 1514 bytes, the last of the super-frame 114', () => {
  assert.equal(pass([{ match: { maxLength: 200 }, count: null }], every(2, SUPER)), ['0-[3]', '1-[3]']);
  assert.equal(pass([{ match: { minLength: 1514, maxLength: 1514 }, nth: 4 }], every(2, SUPER)), [
    '0',
    '1-[0]',
  ]);
  assert.equal(
    pass(
      [{ match: { maxLength: 60 }, nth: 2 }],
      [
        [0, FULL],
        [1e6, SMALL],
        [2e6, FULL],
        [3e6, SMALL],
      ],
    ),
    ['0', '1', '2', '3!'],
  );
});

test('by class', () => {
  const frames = every(4).map(
    ([atNs, shape], i) => [atNs, shape, (i % 2) as 0 | 1] as [number, Shape, 0 | 1],
  );
  assert.equal(pass([{ match: { trafficClass: 'vmotion' }, nth: 2 }], frames), ['0', '1', '2', '3!']);
});

test('rules stand side by side, and a packet that two of them name is dropped once', () => {
  assert.equal(pass([{ nth: 3 }, { nth: 2, count: 2 }, { nth: 4 }], every(5)), ['0', '1!', '2!', '3!', '4']);
  assert.equal(pass([{ nth: 3 }, { nth: 1 }], every(1, SUPER)), ['0-[0,2]']);
});

test('rules that cannot be are refused', () => {
  const line = (rule: Partial<DropRule>) => {
    try {
      checkLane({ drops: [{ ...RULE, ...rule }] });
    } catch (e) {
      return (e as { line(): string }).line();
    }
    throw new Error('was accepted');
  };
  assert.match(
    line({ fromNs: 5, untilNs: 5 }),
    'FIBER_DROPS_RANGE: lane: a scripted drop ends before it begins',
  );
  assert.match(line({ nth: 0 }), 'of packet 0 is outside 1..');
  assert.match(line({ count: 0.5 }), 'of packet 0.5 is outside 1..');
});

test.run();
