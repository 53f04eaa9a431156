/** The policy behind `auto`, as a script: what was measured, at which rate, and the verdict. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { PAGE_SIZE } from '../../../src/core/index.js';
import {
  agreeOnCodec,
  codecList,
  PathRate,
  type Switch,
  Worth,
} from '../../../src/vmotion-protocol/index.js';
import { suite } from '../../suite.js';

const test = suite('vmotion-protocol/pipeline/worth');
const WINDOW = 64;

function worth(setting: Switch = 'auto'): Worth {
  return new Worth(setting, { windowTries: WINDOW, baseNs: 1_500 });
}

/** One window of tries that all go the same way. */
function window(w: Worth, savedShare: number, costNs: number): void {
  for (let i = 0; i < WINDOW; i++) w.tried(savedShare * PAGE_SIZE, w.timesNext ? costNs : -1);
}

test('a page in a third of its bytes for 6 µs: on at 1 Gbit/s, off at 10', () => {
  const slow = worth();
  slow.pathRate(1e9); // a page takes 32.8 µs on the wire
  window(slow, 0.66, 6_000);
  assert.ok(slow.active);
  const fast = worth();
  fast.pathRate(10e9); // 3.3 µs
  window(fast, 0.66, 6_000);
  assert.not.ok(fast.active);
});

test('what saves nothing is switched off at any rate, and what costs nothing is not kept for nothing', () => {
  const w = worth();
  w.pathRate(1e6);
  window(w, 0, 100);
  assert.not.ok(w.active);
});

test('without a rate the wire is never what holds things up: off', () => {
  const w = worth();
  w.pathRate(Number.POSITIVE_INFINITY);
  window(w, 0.9, 300);
  assert.not.ok(w.active);
});

test('a rate that falls switches on at once, from what is known already', () => {
  const w = worth();
  w.pathRate(40e9);
  window(w, 0.66, 6_000);
  assert.not.ok(w.active);
  w.pathRate(1e9);
  assert.ok(w.active);
  w.pathRate(40e9);
  assert.not.ok(w.active);
  assert.is(w.switches, 3, 'from trying to off, on, off');
});

test('between the two thresholds it stays as it is', () => {
  // At 4 Gbit/s a page takes 8192 ns: a cost of 6300 gives 7800, a gain of 5 %.
  const off = worth();
  off.pathRate(4e9);
  window(off, 0, 6_300);
  for (let i = 0; i < 12; i++) window(off, 0.66, 6_300);
  assert.not.ok(off.active, 'not enough of a gain to switch on');
  const on = worth();
  on.pathRate(1e9);
  window(on, 0.66, 6_300);
  assert.ok(on.active);
  on.pathRate(4e9);
  window(on, 0.66, 6_300);
  assert.ok(on.active, 'no loss: it stays on');
});

test('content that changes is noticed after a few windows, both ways', () => {
  const w = worth();
  w.pathRate(1e9);
  window(w, 0.66, 6_000);
  for (let i = 0; i < 10; i++) window(w, 0, 34_000);
  assert.not.ok(w.active, 'incompressible, and slow at that');
  for (let i = 0; i < 4; i++) window(w, 0.66, 6_000);
  assert.ok(w.active);
});

test('one try that was interrupted does not turn the verdict', () => {
  const w = worth();
  w.pathRate(1e9);
  for (let i = 0; i < WINDOW; i++) w.tried(0.66 * PAGE_SIZE, i === 7 ? 40e6 : 6_000);
  assert.ok(w.active);
});

test('on and off are as they are set, and off tries no sample either', () => {
  const on = worth('on');
  on.pathRate(100e9);
  window(on, 0, 50_000);
  assert.ok(on.active && on.takes(false));
  const off = worth('off');
  assert.not.ok(off.active || off.takes(true));
});

test('while on, one try in sixteen is timed; while off, each of the few', () => {
  const w = worth();
  w.pathRate(1e9);
  window(w, 0.66, 6_000);
  let timed = 0;
  for (let i = 0; i < 160; i++) {
    const times = w.timesNext;
    if (times) timed++;
    w.tried(0.66 * PAGE_SIZE, times ? 6_000 : -1);
  }
  assert.is(timed, 10);
  assert.is(w.timedWeight, 16);
});

test('the rate of the path is only what was sent between two refusals', () => {
  const rate = new PathRate();
  rate.sent(1_000_000);
  assert.not.ok(rate.refused(0), 'the first one begins');
  rate.sent(1_250_000);
  assert.ok(rate.refused(10_000_000));
  assert.is(rate.rateBps, 1e9);
  rate.sent(1_000);
  rate.ranEmpty(11_000_000);
  rate.sent(500);
  assert.not.ok(rate.refused(40_000_000), 'a stretch in which the links ran empty is void');
  assert.is(rate.rateBps, 1e9);
  assert.not.ok(rate.ranEmpty(69_000_000));
  assert.ok(rate.ranEmpty(71_000_000), '30 ms without a refusal');
  assert.is(rate.rateBps, Number.POSITIVE_INFINITY);
});

test('compression that slow start switched on does not stay on while the link has room', () => {
  const rate = new PathRate();
  const w = worth();
  const told = () => w.pathRate(rate.rateBps);
  told();
  rate.refused(0);
  rate.sent(40_000);
  assert.ok(rate.refused(1_400_000), 'a window of ten packets: 228 Mbit/s');
  told();
  window(w, 0.3, 13_000);
  assert.ok(w.active);
  // From here this side is the slower one: 16 µs a page, and the link is empty each time.
  for (let nowNs = 1_400_000; nowNs < 40_000_000; nowNs += 1_000_000) {
    rate.sent(180_000);
    if (rate.ranEmpty(nowNs)) told();
  }
  assert.not.ok(w.active);
});

test('a codec is agreed on by name: the first that both have', () => {
  assert.is(agreeOnCodec(codecList(['zstd', 'lz4', 'sparse']), ['lz4', 'sparse', 'zstd']), 'zstd');
  assert.is(agreeOnCodec('brotli,sparse', ['lz4', 'sparse']), 'sparse');
  assert.is(agreeOnCodec('', ['lz4']), '');
  assert.is(agreeOnCodec('lz4,,zstd', ['lz4']), '', 'no such list');
  assert.is(agreeOnCodec(Array(9).fill('lz4').join(), ['lz4']), '', 'too many');
  fc.assert(
    fc.property(fc.string(), (text) =>
      assert.ok(['', 'lz4', 'zstd'].includes(agreeOnCodec(text, ['lz4', 'zstd']))),
    ),
  );
});

test('on a slow wire what it takes does not show; what gains nothing is switched off all the same', () => {
  const w = worth();
  w.pathRate(1e8);
  window(w, 0.5, 6_000);
  assert.ok(w.active);
  for (let i = 0; i < 8; i++) window(w, 0, 6_000);
  assert.not.ok(w.active, 'pages that no longer get shorter');
  for (let i = 0; i < 8; i++) window(w, 0.5, 6_000);
  assert.ok(w.active, 'and those that do again');
});

test.run();
