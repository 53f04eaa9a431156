import * as assert from 'uvu/assert';
import { RttCourse } from '../../src/guest/rtt-course.js';
import { suite } from '../suite.js';

const test = suite('guest/rtt-course');

test('bins by the instant of sending, with minimum, mean and maximum', () => {
  const course = new RttCourse();
  assert.is(course.snapshot(), null);
  for (const [sentNs, rttNs] of [
    [100e6, 10],
    [101e6, 30],
    [112e6, 7],
  ] as const)
    course.add(sentNs, rttNs);
  assert.equal(course.snapshot(), {
    startNs: 100e6,
    binNs: 5e6,
    count: [2, 0, 1],
    minNs: [10, 0, 7],
    meanNs: [20, 0, 7],
    maxNs: [30, 0, 7],
  });
  course.clear();
  assert.is(course.snapshot(), null);
});

test('an hour fits: bins are joined, and no answer, shortest or longest round trip is lost', () => {
  const course = new RttCourse();
  for (let s = 0; s < 3600; s++) course.add(s * 1e9, s === 1234 ? 9e9 : 1000 + (s % 7));
  const { count, minNs, maxNs, binNs } = course.snapshot()!;
  assert.ok(count.length <= 240 && binNs >= 3600e9 / 240, `${count.length} bins of ${binNs}`);
  assert.is(
    count.reduce((sum, n) => sum + n, 0),
    3600,
  );
  assert.is(Math.min(...minNs.filter((_, i) => count[i]! > 0)), 1000);
  assert.is(Math.max(...maxNs), 9e9);
  const at = Math.floor(1234e9 / binNs);
  assert.is(maxNs[at], 9e9);
});

test.run();
