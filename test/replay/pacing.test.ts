import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { isLonghaulError } from '../../src/core/index.js';
import { describePace, PaceSchedule, parsePace } from '../../src/replay/pacing.js';
import { PacingErrors } from '../../src/replay/pacing-errors.js';
import { suite } from '../suite.js';

const test = suite('replay/pacing');

test('paces are read as people write them', () => {
  assert.equal(parsePace('captured'), { kind: 'captured', factor: 1 });
  assert.equal(parsePace('x2.5'), { kind: 'captured', factor: 2.5 });
  assert.equal(parsePace('1000pps'), { kind: 'packets', perSecond: 1000 });
  assert.equal(parsePace('100Mbit'), { kind: 'rate', bps: 100e6 });
  assert.equal(parsePace('top'), { kind: 'top' });
  assert.equal(parsePace('one-at-a-time'), { kind: 'one-at-a-time' });
  assert.is(describePace(parsePace('x2')), 'as captured, ×2');
});

test('what is no pace, or out of range, is refused with what may be written', () => {
  for (const text of ['', 'fast', 'x0', 'x5000', '0pps', '5', '-1pps', '10km']) {
    assert.throws(
      () => parsePace(text),
      (e: unknown) => isLonghaulError(e, 'REPLAY_PACE') && e.hint !== undefined,
      text,
    );
  }
  assert.throws(
    () => parsePace('1bit'),
    (e: unknown) => isLonghaulError(e, 'CORE_UNIT_RANGE'),
  );
});

test('as captured, each is as far from the first as in the capture; twice as fast, half as far', () => {
  const same = new PaceSchedule(parsePace('captured'));
  const twice = new PaceSchedule(parsePace('x2'));
  assert.equal(
    [0, 10, 1_000_001].map((t) => same.next(t, 84)),
    [0, 10, 1_000_001],
  );
  assert.equal(
    [0, 10, 1_000_001].map((t) => twice.next(t, 84)),
    [0, 5, 500_001],
  );
});

test('a packet stamped before one ahead of it leaves with that one, and is counted', () => {
  const schedule = new PaceSchedule(parsePace('captured'));
  assert.equal(
    [0, 100, 40, 120].map((t) => schedule.next(t, 84)),
    [0, 100, 100, 120],
  );
  assert.is(schedule.backwards, 1);
});

test('a rate counts preamble, FCS and gap: 1,250 wire bytes at 1 Gbit/s are 10 µs', () => {
  const schedule = new PaceSchedule(parsePace('1Gbit'));
  assert.equal(
    [1250, 125, 84].map((bytes) => schedule.next(0, bytes)),
    [0, 10_000, 11_000],
  );
});

test('no error adds up: the millionth packet at 3 a second is due where it belongs', () => {
  const schedule = new PaceSchedule({ kind: 'packets', perSecond: 3 });
  let last = 0;
  for (let i = 0; i <= 1_000_000; i++) last = schedule.next(0, 84);
  assert.is(last, Math.round((1_000_000 * 1e9) / 3));
});

test('whatever the stamps, instants never go back', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -1000, max: 1e12 })),
      fc.double({ min: 0.01, max: 100, noNaN: true }),
      (stamps, factor) => {
        const schedule = new PaceSchedule({ kind: 'captured', factor });
        const due = stamps.map((t) => schedule.next(t, 84));
        return due.every((d, i) => i === 0 || d >= due[i - 1]!);
      },
    ),
  );
});

test('drift is the end against the beginning, and one late packet does not decide it', () => {
  const errors = new PacingErrors();
  for (let i = 0; i < 1000; i++) errors.record(2000 + i * 3);
  errors.record(90e6);
  assert.is(errors.driftNs(), 2703);
  assert.is(errors.distribution().count, 1001);
  assert.is(errors.distribution().max > 89e6, true);
});

test.run();
