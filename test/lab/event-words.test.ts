import * as assert from 'uvu/assert';
import { eventLine } from '../../src/lab/event-words.js';
import { suite } from '../suite.js';

const test = suite('lab/event-words');

test('the moments of a migration have their names, all else is told as it is', () => {
  assert.is(
    eventLine('host a', 'committing → committed'),
    'host a: committing → committed (COMMIT is on record)',
  );
  assert.is(eventLine('host b', 'deciding → starting'), 'host b: deciding → starting (RUNNING is on record)');
  assert.is(eventLine('host a', 'last-round → pausing'), 'host a: last-round → pausing (pause)');
  assert.is(eventLine('host a', 'round 2: 7 pages'), 'host a: round 2: 7 pages');
});

test.run();
