/**
 * Whole experiments, small: real processes, real sockets, real frames. What works here decides the attach: in a
 * container without capabilities the `netns` tests are skipped and say so.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { canCatchFaults } from '../../src/host/index.js';
import { experimentFrom } from '../../src/lab/config/experiment-file.js';
import type { ExperimentInput } from '../../src/lab/config/experiment-keys.js';
import { parseResult, pausePartsSum, type RunResult } from '../../src/lab/result.js';
import { runExperiment } from '../../src/lab/run.js';
import type { RunEvent } from '../../src/lab/run-events.js';
import { suite } from '../suite.js';
import { children, hosts } from './children.js';
import { netnsLack } from './lacks.js';

const test = suite('lab/run');

const missingLack = canCatchFaults() ? null : 'no userfaultfd here';

const SMALL: ExperimentInput = {
  seed: 7,
  guest: { memory: '16MiB', dirty: 'uniform:5MB/s' },
  migration: { 'start-after': '300ms', between: '100ms' },
};

/** A directory of our own: other runs on this machine leave theirs beside it while they last. */
const own = mkdtempSync(join(tmpdir(), 'run-test-'));
process.env.TMPDIR = own;
process.on('exit', () => rmSync(own, { recursive: true, force: true }));

function leftovers(): string[] {
  const dirs = readdirSync(tmpdir()).filter((name) => name.startsWith('longhaul-'));
  return [...dirs, ...children().map((c) => c.command)];
}

async function run(
  input: ExperimentInput,
  onEvent: (e: RunEvent) => void = () => {},
  signal?: AbortSignal,
): Promise<RunResult> {
  const result = await runExperiment(experimentFrom({ ...SMALL, ...input }), {
    onEvent,
    signal: signal ?? new AbortController().signal,
  });
  assert.equal(children(), [], 'every child has ended');
  return result;
}

function assertKept(result: RunResult, moves: number): void {
  assert.is(result.migrations.length, moves);
  for (const m of result.migrations) {
    assert.is(m.outcome, 'completed', JSON.stringify(m.reason));
    assert.is(m.memoryIdentical, true);
    assert.ok(Math.abs(pausePartsSum(m.pauseParts!) - m.pauseNs!) <= 10, 'the parts sum to the pause');
    assert.ok(m.clients.length > 0);
    for (const c of m.clients) {
      assert.ok(c.answered > 0, `${c.site} ${c.kind} was answered`);
      assert.is(c.lost, 0, `${c.site} ${c.kind} lost ${c.lost}`);
      assert.is(c.duplicated, 0);
      assert.is(c.wrong, 0);
      assert.is(c.resets, 0);
    }
  }
  assert.is(result.fabric?.closes, true, 'every frame is accounted for');
  parseResult(JSON.parse(JSON.stringify(result)), 'the result');
}

for (const attach of ['netns', 'loopback'] as const) {
  const lack = attach === 'netns' ? netnsLack() : null;

  test.when(
    lack,
    `${attach}: a guest moves there and back, its sessions kept, its memory identical`,
    async () => {
      const before = leftovers();
      const result = await run({ attach, migration: { ...SMALL.migration, repeat: 2 } });
      assertKept(result, 2);
      assert.is(result.attach, attach);
      assert.equal(
        result.migrations.map((m) => m.to),
        ['b', 'a'],
      );
      assert.ok(result.rtt!.minNs >= 800_000, 'no probe crossed 2 × 400 µs faster than light in glass');
      assert.equal(leftovers(), before, 'nothing is left behind');
    },
  );

  test.when(
    lack ?? missingLack,
    `${attach}: post-copy: the guest runs while its pages come, a damaged one comes again, all is proved`,
    async () => {
      const result = await run({
        attach,
        guest: { memory: '16MiB', dirty: 'uniform:50MB/s', 'hot-set': '8MiB' },
        migration: { ...SMALL.migration, mode: 'postcopy', repeat: 2 },
        'test-hooks': { 'corrupt-page': 3000 },
      });
      assertKept(result, 2);
      for (const m of result.migrations) {
        const p = m.postcopy!;
        assert.is(m.mode, 'postcopy');
        assert.is(p.pagesAgain, 1);
        assert.ok(p.pagesMissing > 3000 && m.pagesInPause <= 16);
        assert.is(
          p.pagesDemanded + p.pagesPushed,
          p.pagesMissing + m.pagesResent,
          'each page was sent once, but for those that a broken link swallowed',
        );
        assert.ok(m.blockedNs! >= 0 && m.blockedNs! <= 100e6);
      }
    },
  );

  test.when(
    lack ?? missingLack,
    `${attach}: hybrid under load: a few pages in the pause, the rest after it, ledgers exact`,
    async () => {
      const result = await run({
        attach,
        guest: { memory: '16MiB', dirty: 'uniform:400MB/s', 'hot-set': '8MiB' },
        migration: { ...SMALL.migration, mode: 'hybrid', repeat: 2, 'pause-target': '600us' },
      });
      assertKept(result, 2);
      for (const m of result.migrations) {
        assert.is(m.mode, 'hybrid');
        assert.ok(m.pagesInPause <= 16, `${m.pagesInPause} pages in the pause`);
        if (m.postcopy !== null)
          assert.is(
            m.postcopy.pagesDemanded + m.postcopy.pagesPushed,
            m.postcopy.pagesMissing + m.pagesResent,
          );
      }
    },
  );

  test.when(lack, `${attach}: one dirty page hidden from the log is never taken for identical`, async () => {
    const result = await run({ attach, 'test-hooks': { 'hide-page': 0 } });
    const [m] = result.migrations;
    // Both sides hold the same stale page, so no digest can tell; unless it was written on its way, and then one does.
    if (m!.outcome === 'completed') assert.is(m!.memoryIdentical, false);
    else assert.match(m!.reason!.text, /digest/);
  });

  test.when(
    lack,
    `${attach}: a byte changed in flight: the destination refuses to start, the source carries on`,
    async () => {
      const result = await run({
        attach,
        'test-hooks': { 'corrupt-page': 2000 },
        migration: { ...SMALL.migration, mode: 'precopy' },
      });
      const [m] = result.migrations;
      assert.is(m!.outcome, 'stayed');
      assert.is(m!.guestAt, 'a');
      assert.match(m!.reason!.text, /digest/);
      for (const c of m!.clients) {
        assert.ok(c.answered > 0);
        assert.is(c.lost, 0, 'frames that came in the pause were answered by the resumed guest');
        assert.is(c.wrong, 0);
      }
    },
  );

  test.when(
    lack,
    `${attach}: the destination killed while memory is copied: the guest runs on at the source`,
    async () => {
      let killed = false;
      const result = await run({ attach, guest: { memory: '64MiB', dirty: 'uniform:20MB/s' } }, (e) => {
        if (e.type !== 'phase' || e.phase !== 'pre-copy' || killed) return;
        killed = true;
        process.kill(hosts()[1]!.pid, 'SIGKILL');
      });
      assert.ok(killed);
      assert.is(result.migrations[0]!.outcome, 'stayed');
      assert.is(result.migrations[0]!.guestAt, 'a');
      for (const c of result.migrations[0]!.clients) assert.is(c.lost + c.wrong + c.resets, 0);
    },
  );
}

test('the source killed while memory is copied: the run ends and says that the guest is lost', async () => {
  let killed = false;
  const result = await run({ guest: { memory: '64MiB', dirty: 'uniform:20MB/s' } }, (e) => {
    if (e.type !== 'phase' || e.phase !== 'pre-copy' || killed) return;
    killed = true;
    process.kill(hosts()[0]!.pid, 'SIGKILL');
  });
  assert.ok(killed);
  assert.is(result.migrations[0]!.outcome, 'lost');
  assert.is(result.migrations[0]!.guestAt, null);
  assert.match(result.migrations[0]!.reason!.text, /host a has died/);
});

test('an abort in the middle removes everything, and a second run right after works', async () => {
  const before = leftovers();
  const abort = new AbortController();
  let reason: unknown = null;
  try {
    await run(
      { guest: { memory: '64MiB', dirty: 'uniform:20MB/s' } },
      (e) => {
        if (e.type === 'round') abort.abort(new Error('enough'));
      },
      abort.signal,
    );
  } catch (e) {
    reason = e;
  }
  assert.is((reason as Error)?.message, 'enough');
  assert.equal(children(), []);
  assert.equal(leftovers(), before);
  assertKept(await run({}), 1);
});

test('a fiber of two spans with other traffic on it', async () => {
  const result = await run({
    fiber: { spans: [{ distance: '40km' }, { distance: '40km' }] },
    background: [{ direction: 'a-b', rate: '20Mbit', frame: '1000B' }],
  });
  assertKept(result, 1);
  assert.ok(existsSync('/proc'));
});

test.run();
