/** Hosts that are killed with a committed guest, whose memory is a file: whole runs, real processes. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { decodeRecords, type RecordKind } from '../../src/host/index.js';
import { experimentFrom } from '../../src/lab/config/experiment-file.js';
import type { ExperimentInput } from '../../src/lab/config/experiment-keys.js';
import { MemoryBacking } from '../../src/lab/memory-backing.js';
import type { RunResult } from '../../src/lab/result.js';
import { runExperiment } from '../../src/lab/run.js';
import { children, hosts } from '../lab/children.js';
import { suite } from '../suite.js';

const test = suite('interop/memory backing');
const TMPFS = '/dev/shm';
const lack = existsSync(TMPFS) ? null : `no ${TMPFS} here`;

/** 250 ms one way: between COMMIT on record and FINAL's arrival there is time for anything. */
const FAR: ExperimentInput = {
  attach: 'loopback',
  seed: 5,
  fiber: { 'one-way': '250ms' },
  guest: { memory: '1MiB', fill: 'zero', dirty: 'idle' },
  probe: { count: 10 },
  migration: { mode: 'precopy', 'start-after': '200ms', 'pause-target': '1s' },
};

async function run(folder: string, input: ExperimentInput, meanwhile?: () => void): Promise<RunResult> {
  const place = { ...input, migration: { ...input.migration, 'memory-backing': folder } };
  const timer = meanwhile === undefined ? null : setInterval(meanwhile, 1);
  try {
    return await runExperiment(experimentFrom(place), {
      onEvent: () => {},
      signal: new AbortController().signal,
    });
  } finally {
    if (timer !== null) clearInterval(timer);
    assert.equal(children(), []);
  }
}

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(TMPFS, 'longhaul-test-'));
  try {
    await body(folder);
    assert.equal(readdirSync(folder), [], 'the memory is removed with the run');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Whether a host of the run that has its memory in `folder` has this on record. */
function recorded(folder: string, site: 'a' | 'b', kind: RecordKind): boolean {
  const memory = readdirSync(folder)[0];
  const run = memory?.replace(/-host-.*/, '') ?? '';
  const store = join(tmpdir(), run, `host-${site}.records`);
  return memory !== undefined && existsSync(store)
    ? decodeRecords(readFileSync(store)).some((r) => r.kind === kind)
    : false;
}

test.when(
  lack,
  'memory that is files moves there and back, with pages that come before the switchover and after it',
  () =>
    inFolder(async (folder) => {
      const result = await run(folder, {
        attach: 'loopback',
        guest: { memory: '4MiB', dirty: 'uniform:20MB/s' },
        probe: { count: 10 },
        migration: { mode: 'hybrid', repeat: 2, 'start-after': '200ms', between: '100ms' },
      });
      assert.is(result.migrations.length, 2);
      for (const m of result.migrations) {
        assert.is(m.outcome, 'completed', m.reason?.text);
        assert.is(m.memoryIdentical, true);
        for (const c of m.clients) assert.is(c.wrong + c.resets, 0);
      }
    }),
);

test.when(
  lack,
  'the source killed behind COMMIT, the peer runs the guest: the source, started again, frees its copy',
  () =>
    inFolder(async (folder) => {
      let killed = false;
      const result = await run(folder, FAR, () => {
        if (killed || !recorded(folder, 'b', 'RUNNING')) return;
        killed = true; // STARTED is on its way for 250 ms
        process.kill(hosts()[0]!.pid, 'SIGKILL');
      });
      assert.ok(killed);
      const [m] = result.migrations;
      assert.is(m!.reason?.code, 'LAB_HOST_STARTED_AGAIN');
      assert.is(m!.outcome, 'completed', m!.reason!.text);
      assert.is(m!.guestAt, 'b');
      for (const c of m!.clients) assert.is(c.wrong + c.resets, 0, `${c.site} ${c.kind}`);
    }),
);

test.when(
  lack,
  'both hosts killed behind COMMIT: the source, started again, lets its guest run on, ledgers exact',
  () =>
    inFolder(async (folder) => {
      let killed = false;
      const result = await run(folder, FAR, () => {
        if (killed || !recorded(folder, 'a', 'COMMIT')) return;
        killed = true;
        const [a, b] = hosts();
        process.kill(b!.pid, 'SIGKILL');
        process.kill(a!.pid, 'SIGKILL');
      });
      assert.ok(killed);
      const [m] = result.migrations;
      assert.is(m!.outcome, 'stayed', m!.reason?.text);
      assert.is(m!.guestAt, 'a');
      assert.match(m!.reason!.text, /NEVER is on record there now/);
      for (const c of m!.clients) {
        assert.ok(c.answered > 0, `${c.site} ${c.kind} of ${c.sent}`);
        assert.is(c.wrong + c.resets, 0, `${c.site} ${c.kind}: the guest went on where it stood`);
      }
      assert.ok(result.timeline.some((e) => /started again: resumed/.test(e.what)));
    }),
);

test('a place that is not on tmpfs, or has no room, is refused before anything is made', () => {
  const make = (place: string, bytes: number) => () => new MemoryBacking(place, 'run', bytes);
  const isRefused = (text: RegExp) => (e: { code: string; message: string; hint: string }) =>
    e.code === 'LAB_MEMORY_BACKING' && text.test(e.message) && /\/dev\/shm|smaller/.test(e.hint);
  assert.throws(make('/proc', 4096), isRefused(/not on tmpfs/));
  assert.throws(make('/nowhere/at/all', 4096), isRefused(/cannot be used/));
  if (lack === null) assert.throws(make(TMPFS, 2 ** 50), isRefused(/left, two hosts take/));
});

test.run();
