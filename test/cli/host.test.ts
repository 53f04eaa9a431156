import * as assert from 'uvu/assert';
import { type HostContext, hostList, hostResolve } from '../../src/cli/host.js';
import { findHosts, guestsOf, resolveDoubt } from '../../src/host/index.js';
import { inRun, type PreparedRun } from '../host/run-stores.js';
import { suite } from '../suite.js';

const test = suite('cli/host');

function context(run: PreparedRun | null): HostContext & { said: string } {
  const c = {
    said: '',
    out: (text: string) => {
      c.said += text;
    },
    colour: false,
    uid: 1000,
    now: () => new Date(0),
    runDirectories: () => (run === null ? [] : [run.dir]),
    findHosts,
    guestsOf,
    resolveDoubt,
  };
  return c;
}

test('list: one line a guest and host, with what its state means, and the next step', () =>
  inRun(async (run) => {
    const storeA = run.store('a', 'COMMIT');
    run.store('b', 'NEVER');
    const c = context(run);
    assert.is(await hostList({}, c), 0);
    const lines = c.said.split('\n');
    assert.match(lines[0]!, /^run +host +guest +epoch +state +store +written \(UTC\) +process$/);
    assert.match(lines[1]!, /A +web +3 +memory-lost/);
    assert.match(lines[1]!, storeA.slice(0, 8));
    assert.match(lines[1]!, 'the process is gone, and the memory with it');
    assert.match(lines[2]!, /B +web +3 +never .* never started here/);
    assert.match(c.said, '1 in doubt: longhaul host resolve web --ask');
  }));

test('list --json: an array, also when there is nothing', async () => {
  await inRun(async (run) => {
    run.store('a', 'RUNNING');
    await run.live('a', 'running');
    const c = context(run);
    await hostList({ json: true }, c);
    const [guest] = JSON.parse(c.said) as Record<string, unknown>[];
    assert.equal(
      [guest!.site, guest!.guest, guest!.state, guest!.epoch, guest!.pid],
      ['a', 'web', 'running', 3, 4711],
    );
  });
  const none = context(null);
  assert.is(await hostList({ json: true }, none), 0);
  assert.is(none.said, '[]\n');
  const bare = context(null);
  await hostList({}, bare);
  assert.match(bare.said, 'no host of a run is on record');
});

test('resolve: 0 when it is settled, 1 when it is not', () =>
  inRun(async (run) => {
    run.store('a', 'COMMIT');
    await run.live('a', 'in-doubt', async (_, verdict) =>
      verdict === 'ask'
        ? { ok: false, text: 'still in doubt: no answer came' }
        : { ok: true, text: 'web runs here again' },
    );
    const ask = context(run);
    assert.is(await hostResolve('web', 'ask', {}, ask), 1);
    assert.match(ask.said, 'web, epoch 3: in-doubt');
    const word = context(run);
    assert.is(await hostResolve('web', 'resume-here', { json: true }, word), 0);
    const said = JSON.parse(word.said) as { settled: boolean; outcome: string; verdict: string };
    assert.equal([said.settled, said.outcome, said.verdict], [true, 'resumed', 'unreachable']);
  }));

test('resolve: a guest that is unknown or not in doubt, by code', () =>
  inRun(async (run) => {
    run.store('a', 'RUNNING');
    const code = async (guest: string): Promise<string> =>
      hostResolve(guest, 'ask', {}, context(run)).then(
        () => 'nothing',
        (e) => e.code,
      );
    assert.is(await code('db'), 'HOST_GUEST_UNKNOWN');
    assert.is(await code('web'), 'HOST_NO_DOUBT');
  }));

test('resolve: a name in doubt in two runs asks for --run, and takes it', () =>
  inRun((one) =>
    inRun(async (two) => {
      one.store('a', 'COMMIT');
      two.store('a', 'COMMIT');
      const c = { ...context(null), runDirectories: () => [one.dir, two.dir] };
      const refusal = await hostResolve('web', 'discard', {}, c).catch((e) => e);
      assert.is(refusal.code, 'HOST_GUEST_AMBIGUOUS');
      assert.match(refusal.hint, `--run ${two.dir}`);
      assert.is(await hostResolve('web', 'discard', { run: two.dir }, c), 0);
      assert.equal(await one.kinds('a'), ['COMMIT']);
      assert.equal(await two.kinds('a'), ['COMMIT', 'ENDED']);
    }),
  ));

test.run();
