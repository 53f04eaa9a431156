import * as assert from 'uvu/assert';
import { answerAsk, type KnownDecision } from '../../src/vmotion-protocol/index.js';
import { suite } from '../suite.js';

const test = suite('vmotion-protocol/resolve');
const STORE = 'bb'.repeat(16);
const answer = (known: Partial<KnownDecision>, storeId = STORE) =>
  answerAsk(
    { type: 'ask', migrationId: '00'.repeat(16), storeId },
    { storeId: STORE, decision: null, live: false, ...known },
  );

test('under another store a host answers unknown, whatever it has on record', () => {
  for (const known of [{}, { decision: 'RUNNING' }, { decision: 'NEVER' }, { live: true }] as const) {
    assert.is(answer(known, 'cc'.repeat(16)), 'unknown');
  }
});

test('a decision on record is the answer, also while its machine lives', () => {
  for (const live of [false, true]) {
    assert.is(answer({ decision: 'RUNNING', live }), 'running');
    assert.is(answer({ decision: 'NEVER', live }), 'never');
  }
});

test('without a record: a live machine decides, a restarted host records NEVER first', () => {
  assert.is(answer({ live: true }), 'undecided');
  assert.is(answer({ live: false }), 'record-never');
});

test.run();
