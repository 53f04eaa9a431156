/** The model checker checks, and is itself checked: mutations are caught, states taken for one are one. */
import * as assert from 'uvu/assert';
import {
  type Bounds,
  diagramOf,
  explore,
  machinesAgree,
  QUIET_BOUNDS,
  readSchedule,
  writeSchedule,
} from '../../../src/sim/check/index.js';
import { MIGRATION_MODES } from '../../../src/vmotion-protocol/index.js';
import { MUTATIONS } from '../../prove/mutations.js';
import { suite } from '../../suite.js';

const test = suite('sim/check');
const STATES_MAX = 60_000;

/** Small enough to be searched to the end in a second. */
const ONE_FAULT: readonly Partial<Bounds>[] = [
  { losses: 1 },
  { partitions: 1 },
  { crashes: 1 },
  { duplicates: 1 },
];

for (const mode of MIGRATION_MODES) {
  test(`${mode}: no rule breaks with one fault of each kind, and every world is searched`, () => {
    for (const faults of ONE_FAULT) {
      const r = explore({ ...QUIET_BOUNDS, ...faults, mode }, STATES_MAX);
      assert.is(r.violation, null, `${JSON.stringify(faults)}: ${r.violation?.text}`);
      assert.ok(r.exhaustive, `${JSON.stringify(faults)}: ${r.states} states`);
      assert.is(r.faultsCovered, 1);
    }
  });
}

for (const mutation of MUTATIONS) {
  test(`caught: ${mutation.name}`, () => {
    const bounds = { ...QUIET_BOUNDS, ...mutation.takes, mode: mutation.mode };
    const { violation } = explore(bounds, STATES_MAX, mutation);
    assert.ok(violation, 'no rule broke');
    assert.is(violation.rule, mutation.rule, violation.text);
    if (mutation.rule === 6) return; // a path that cannot end has no last move
    const drawn = diagramOf(bounds, readSchedule(writeSchedule(violation.moves))!, mutation);
    assert.equal(
      drawn.violation,
      { rule: violation.rule, text: violation.text },
      'the schedule does it again',
    );
    // Without the mutation the same moves do no harm, or cannot be made.
    assert.is(diagramOf(bounds, violation.moves).violation, null);
  });
}

test('states taken for one do the same on every event', () => {
  const agreed = machinesAgree({ ...QUIET_BOUNDS, writes: 1, losses: 1, mode: 'hybrid' }, STATES_MAX);
  assert.ok(agreed.merged > 100, `${agreed.merged} ways led to a known state`);
  assert.is(agreed.differing, 0);
});

test('the same search twice reaches the same worlds', () => {
  const bounds: Bounds = { ...QUIET_BOUNDS, losses: 1, mode: 'post-copy' };
  assert.equal(explore(bounds, STATES_MAX), explore(bounds, STATES_MAX));
});

test('a search that is cut short says so', () => {
  const r = explore({ ...QUIET_BOUNDS, crashes: 2, losses: 2, mode: 'pre-copy' }, 1000);
  assert.not.ok(r.exhaustive);
  assert.is(r.faultsCovered, -1);
});

test('a schedule that cannot be carried out is shown up to where it fails', () => {
  const { lines, violation } = diagramOf({ ...QUIET_BOUNDS, mode: 'pre-copy' }, [0, 0, 0]);
  assert.is(violation, null);
  assert.match(lines[lines.length - 1]!, /not possible/);
  assert.is(readSchedule('0.!'), null);
});

test.run();
