import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { LatenessRecorder } from '../../src/fabric/lateness.js';
import { suite } from '../suite.js';

const test = suite('fabric/lateness');

test('frames are stamped when the write that carries them begins, all of them at once', () => {
  const recorder = new LatenessRecorder();
  recorder.released(1000);
  recorder.released(1400);
  assert.is(recorder.lateness().count, 0, 'not before the write');
  recorder.writeBegins(1500);
  recorder.writeEnded(700);
  const { count, maxNs } = recorder.lateness();
  assert.is(count, 2);
  assert.is(maxNs, 500);
  assert.is(recorder.sumNs(), 600);
  assert.is(recorder.writeDuration().p50Ns, 700);
  assert.not.ok(recorder.isPending);
});

test('an early write counts as no lateness, not as a negative one', () => {
  const recorder = new LatenessRecorder();
  recorder.released(2000);
  recorder.writeBegins(1999);
  assert.is(recorder.lateness().maxNs, 0);
});

test('no percentile lies above the largest value seen', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 1e9 }), { minLength: 1, maxLength: 100 }), (lateness) => {
      const recorder = new LatenessRecorder();
      for (const ns of lateness) {
        recorder.released(5);
        recorder.writeBegins(5 + ns);
      }
      const { p50Ns, p99Ns, p999Ns, maxNs } = recorder.lateness();
      assert.is(maxNs, Math.max(...lateness));
      assert.ok(p50Ns <= p99Ns && p99Ns <= p999Ns && p999Ns <= maxNs);
    }),
  );
});

test('it is full when one write more is called for', () => {
  const recorder = new LatenessRecorder();
  for (let i = 0; i < 127; i++) recorder.released(i);
  assert.not.ok(recorder.isFull);
  recorder.released(127);
  assert.ok(recorder.isFull);
});

test.run();
