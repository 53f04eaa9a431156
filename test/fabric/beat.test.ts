import * as assert from 'uvu/assert';
import { BEAT_NS, Beat } from '../../src/fabric/beat.js';
import { suite } from '../suite.js';

const test = suite('fabric/beat');

/** Frames of so many bytes every so often, for 2 ms from `fromNs` on. @returns what the last question got */
function run(beat: Beat, fromNs: number, bytes: number, everyNs: number): number {
  let answer = 0;
  for (let t = fromNs; t < fromNs + 2_000_000; t += everyNs) {
    beat.passed(bytes);
    answer = beat.nextNs(t);
  }
  return answer;
}

test('ten thousand small frames a second are let out one by one', () => {
  assert.is(run(new Beat(true), 1e9, 60, 100_000), 0);
});

test('one gigabit a second is let out frame by frame', () => {
  assert.is(run(new Beat(true), 1e9, 1500, 12_000), 0);
});

test('a stream of super-frames goes by the beat, and no longer than it lasts', () => {
  const beat = new Beat(true);
  const endNs = 1e9 + 2_000_000;
  const nextNs = run(beat, 1e9, 65_226, 40_000);
  assert.ok(nextNs > 0);
  assert.ok(nextNs <= endNs + BEAT_NS, 'not later than a beat from now');
  // Then a ping, half a millisecond later: it is waited for as ever.
  beat.nextNs(endNs + 250_000);
  beat.passed(98);
  assert.is(beat.nextNs(endNs + 500_000), 0);
});

test('beats follow each other at their distance, and a missed one is not made up for', () => {
  const beat = new Beat(true);
  const startNs = run(beat, 1e9, 65_226, 40_000);
  beat.passed(1e6);
  assert.is(beat.nextNs(startNs), startNs + BEAT_NS);
  assert.is(beat.nextNs(startNs + BEAT_NS + 3_000), startNs + 2 * BEAT_NS);
  assert.is(beat.nextNs(startNs + 2 * BEAT_NS + 90_000), startNs + 2 * BEAT_NS + 90_000);
});

test('where cores are many it never beats', () => {
  assert.is(run(new Beat(false), 1e9, 65_226, 10_000), 0);
});

test.run();
