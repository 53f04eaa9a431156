import * as assert from 'uvu/assert';
import { ConfigError } from '../../src/core/index.js';
import { parseCut } from '../../src/lab/config/cut-spec.js';
import { endByDeath, type MoveEvidence } from '../../src/lab/move-end.js';
import { suite } from '../suite.js';

const test = suite('lab/move end');

const end = (over: Partial<MoveEvidence>): string => {
  const e = endByDeath({
    from: 'a',
    to: 'b',
    sourceLives: true,
    destinationLives: true,
    returned: false,
    decision: null,
    guestThere: 'no',
    ...over,
  });
  return e === null ? 'as the source says' : `${e.outcome} ${e.guestAt ?? '-'} ${e.reason?.code}`;
};

test('an operator had the guest run on at its source: a destination that started it and died does not make it lost', () => {
  assert.is(end({ destinationLives: false, decision: 'RUNNING', returned: true }), 'as the source says');
  assert.is(
    end({ sourceLives: false, destinationLives: false, decision: 'RUNNING', returned: true }),
    'lost - LAB_HOST_DIED',
  );
});

test('who has died, and what the records say, leaves one end', () => {
  assert.is(end({}), 'as the source says');
  assert.is(end({ decision: 'RUNNING', guestThere: 'whole' }), 'as the source says');
  assert.is(end({ destinationLives: false }), 'as the source says');
  assert.is(end({ destinationLives: false, decision: 'NEVER' }), 'as the source says');
  assert.is(end({ destinationLives: false, decision: 'RUNNING' }), 'lost - LAB_HOST_DIED');
  assert.is(end({ destinationLives: false, guestThere: 'whole' }), 'lost - LAB_HOST_DIED');
  assert.is(end({ sourceLives: false }), 'lost - LAB_HOST_DIED');
  assert.is(end({ sourceLives: false, decision: 'NEVER' }), 'lost - LAB_HOST_DIED');
  assert.is(
    end({ sourceLives: false, decision: 'RUNNING', guestThere: 'whole' }),
    'completed b LAB_HOST_DIED',
  );
  assert.is(
    end({ sourceLives: false, decision: 'RUNNING', guestThere: 'lacks-pages' }),
    'lost - LAB_PAGES_LOST',
  );
  assert.is(
    end({ sourceLives: false, destinationLives: false, decision: 'RUNNING', guestThere: 'whole' }),
    'lost - LAB_HOST_DIED',
  );
});

test('a cut is a time and a phase', () => {
  assert.equal(parseCut('5s@precopy', '--cut'), { phase: 'precopy', durationNs: 5e9 });
  assert.equal(parseCut('250ms@postcopy', '--cut'), { phase: 'postcopy', durationNs: 250e6 });
  for (const text of ['5s', '5s@lunch', '@precopy', '5s@precopy@x', '1h@precopy', ''])
    assert.throws(
      () => parseCut(text, '--cut'),
      (e: unknown) => e instanceof ConfigError,
    );
});

test.run();
