/** A short part of the kill matrix; `npm run chaos` runs as much of it as is asked for. */
import * as assert from 'uvu/assert';
import { canCatchFaults } from '../../src/host/index.js';
import { killAndJudge } from '../chaos/kill.js';
import { suite } from '../suite.js';

const test = suite('interop/kill matrix');

test('the source is killed when COMMIT is on record and FINAL is not sent: lost, and nobody starts it', async () => {
  const { outcome, recordsA, recordsB } = await killAndJudge({
    side: 'source',
    signal: 'SIGKILL',
    at: 'after-commit',
    mode: 'precopy',
    seed: 1,
  });
  assert.is(outcome, 'lost');
  assert.equal([recordsA, recordsB], [['COMMIT'], []]);
});

test('the destination is killed when RUNNING is on record and the guest has not started: lost, and the source stands', async () => {
  const { outcome, copiesRunning } = await killAndJudge({
    side: 'destination',
    signal: 'SIGKILL',
    at: 'after-running',
    mode: 'precopy',
    seed: 2,
  });
  assert.equal([outcome, copiesRunning], ['lost', 0]);
});

test('the destination is killed before it has decided: in doubt, and the source stands', async () => {
  const { outcome, copiesRunning } = await killAndJudge({
    side: 'destination',
    signal: 'SIGKILL',
    at: 'before-running',
    mode: 'precopy',
    seed: 3,
  });
  assert.equal([outcome, copiesRunning], ['in-doubt', 0]);
});

test.when(
  canCatchFaults() ? null : 'no userfaultfd here',
  'a source killed while it served missing pages left the guest waiting for ever: it is called lost',
  async () => {
    const { outcome } = await killAndJudge({
      side: 'source',
      signal: 'SIGKILL',
      at: 'started-heard',
      mode: 'postcopy',
      seed: 4,
    });
    assert.is(outcome, 'lost');
  },
);

test.run();
