/** What must hold of a pair of machines, however a migration ended. */
import * as assert from 'uvu/assert';
import type { Pair } from './pair.js';

/** Where the guest is, and that it is whole there. */
export function guestAt(p: Pair): 'a' | 'b' | 'nowhere' {
  assert.not.ok(p.a.running && p.b.running, 'two copies run');
  const host = p.a.running ? p.a : p.b.running ? p.b : null;
  if (host === null) return 'nowhere';
  const at = host.memory.findIndex(
    (v, pfn) => (host === p.b && p.missing.has(pfn) ? p.a.memory[pfn] : v) !== p.truth[pfn],
  );
  assert.is(at, -1, `the running guest has lost page ${at}`);
  return host === p.a ? 'a' : 'b';
}

/** What must hold however it ended; hosts that died aside. */
export function checkRules(p: Pair, what: string): void {
  const at = guestAt(p);
  const decided = p.b.records.filter((r) => r === 'RUNNING' || r === 'NEVER');
  assert.ok(decided.length <= 1, `${what}: decided ${decided}`);
  if (p.b.running) assert.equal(decided, ['RUNNING'], `${what}: runs by a record`);
  if (!p.a.alive) return;
  switch (p.sourceOutcome) {
    case 'completed':
      assert.is(at, p.b.alive ? 'b' : 'nowhere', what);
      assert.equal(decided, ['RUNNING'], what);
      break;
    case 'refused':
    case 'aborted':
      assert.is(at, 'a', what);
      assert.not.equal(decided, ['RUNNING'], what);
      assert.ok(
        !p.a.records.includes('COMMIT') || p.a.records.includes('ENDED'),
        `${what}: COMMIT is closed`,
      );
      break;
    case 'none':
      if (p.source.phase === 'reconnecting') {
        assert.is(at, 'a', `${what}: before COMMIT the guest runs on`);
        assert.not.ok(p.a.records.includes('COMMIT'), what);
        break;
      }
      assert.ok(['serving', 'proving'].includes(p.source.phase), `${what}: ${p.source.phase} has an end`);
      assert.is(at, p.b.alive ? 'b' : 'nowhere', what);
      if (p.source.phase === 'proving') break;
      assert.ok(p.missing.next(0) >= 0 || !p.sentTypes.includes('ended'), `${what}: the memory is kept`);
      assert.not.ok(p.released, `${what}: it is free only on COMPLETE`);
      break;
    case 'in-doubt':
      assert.not.ok(p.a.running, `${what}: an in-doubt source stays paused`);
      assert.ok(p.a.records.includes('COMMIT') && !p.a.records.includes('ENDED'), what);
      break;
    default:
      throw new Error(`${what}: the source has no outcome`);
  }
}
