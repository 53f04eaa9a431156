import * as assert from 'uvu/assert';
import { failureOf, verdictsOf } from '../../src/report/index.js';
import { suite } from '../suite.js';
import { sampleClient, sampleMigration, sampleResult } from './sample-result.js';

const test = suite('report/verdict');

test('a good run passes every line', () => {
  const result = sampleResult(1);
  assert.equal(new Set(verdictsOf(result).map((v) => v.level)), new Set(['pass']));
  assert.is(failureOf(result), null);
});

test('a move that stayed fails, and the line says where the guest is and why', () => {
  const reason = { code: 'VMOTION_PEER_LOST', text: 'silent before COMMIT' };
  const stayed = sampleMigration(0, { outcome: 'stayed', guestAt: 'a', reason, memoryIdentical: null });
  assert.is(
    failureOf(sampleResult(1, { migrations: [stayed] })),
    'move 1 (a→b) ended stayed, the guest runs at a: VMOTION_PEER_LOST: silent before COMMIT',
  );
  const doubt = sampleMigration(0, { outcome: 'in-doubt', guestAt: null, reason });
  assert.match(failureOf(sampleResult(1, { migrations: [doubt] }))!, 'the guest runs nowhere');
});

test('differing memory, a wrong answer, a forgotten session and open accounts fail', () => {
  const differs = sampleResult(1, { migrations: [sampleMigration(0, { memoryIdentical: false })] });
  assert.is(failureOf(differs), 'memory differs after move 1');
  const withClient = (change: object) =>
    sampleResult(1, { migrations: [sampleMigration(0, { clients: [sampleClient(change)] })] });
  assert.match(failureOf(withClient({ wrong: 1 }))!, '1 answer wrong');
  assert.match(failureOf(withClient({ resets: 2 }))!, '2 sessions were forgotten');
  const fabric = { ...sampleResult().fabric!, closes: false };
  assert.match(failureOf(sampleResult(1, { fabric }))!, 'does not close');
});

test('a missed target and a lost answer are no failure', () => {
  const rtt = { ...sampleResult().rtt!, p50Ns: 10_800_000 };
  const slow = sampleMigration(0, { pauseNs: 9_000_000, clients: [sampleClient({ lost: 3 })] });
  const result = sampleResult(1, { rtt, migrations: [slow] });
  assert.is(failureOf(result), null);
  assert.equal(
    verdictsOf(result)
      .filter((v) => v.level === 'miss')
      .map((v) => v.text),
    [
      'round trip 10.8 ms (p50) is not under the target of 1.00 ms',
      'pause 9.00 ms is above the target of 1.00 ms',
      '3 answers lost, 0 repeated; longest gap 3.20 ms',
    ],
  );
});

test('a memory that was not compared is not called identical', () => {
  const result = sampleResult(1, { migrations: [sampleMigration(0, { memoryIdentical: null })] });
  assert.ok(verdictsOf(result).some((v) => v.level === 'miss' && v.text.includes('0 of 1 moves')));
});

test.run();
