/** A doubt in a run that lives: the run waits and says what settles it; an operator settles it, or nobody does. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import {
  canCatchFaults,
  findHosts,
  guestsOf,
  type Resolution,
  type ResolveHow,
  resolveDoubt,
  runDirectories,
} from '../../src/host/index.js';
import { experimentFrom } from '../../src/lab/config/experiment-file.js';
import type { RunResult } from '../../src/lab/result.js';
import { runExperiment } from '../../src/lab/run.js';
import { suite } from '../suite.js';
import { children } from './children.js';

const test = suite('lab/doubt');

/** As `longhaul host resolve guest --HOW` does it. */
async function resolve(how: ResolveHow): Promise<Resolution> {
  const hosts = await findHosts(runDirectories());
  const doubt = hosts.flatMap(guestsOf).find((g) => g.state === 'in-doubt' || g.state === 'memory-lost')!;
  const peer = hosts.find((h) => h.site !== doubt.host.site) ?? null;
  return resolveDoubt(doubt, peer, how, 1000, '2026-01-02T03:04:05Z');
}

/** A move whose destination dies when it was about to decide. */
async function moveIntoDoubt(doubt: string, onDoubt: () => void): Promise<RunResult> {
  const result = await runExperiment(
    experimentFrom({
      guest: { memory: '16MiB', dirty: 'uniform:5MB/s' },
      clients: [{ site: 'a' }],
      probe: { count: 10 },
      migration: { 'start-after': '200ms', mode: 'precopy', doubt },
      'test-hooks': { 'signal-at': { site: 'b', point: 'before-running', signal: 'SIGKILL' } },
    }),
    {
      signal: new AbortController().signal,
      onEvent: (e) => {
        if (e.type === 'in-doubt') onDoubt();
      },
    },
  );
  assert.equal(children(), []);
  return result;
}

async function inOwnDirectory(body: () => Promise<void>): Promise<void> {
  const before = process.env.TMPDIR;
  const dir = mkdtempSync(join(tmpdir(), 'doubt-'));
  process.env.TMPDIR = dir;
  try {
    await body();
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    rmSync(dir, { recursive: true, force: true });
  }
}

test('the destination has died undecided, and an operator says resume-here: the guest goes on, its sessions kept', () =>
  inOwnDirectory(async () => {
    let said: Promise<Resolution> | null = null;
    const result = await moveIntoDoubt('60s', () => {
      said = resolve('resume-here');
    });
    const resolution: Resolution = await said!;
    assert.is(resolution.outcome, 'resumed', resolution.lines.join('\n'));
    const [m] = result.migrations;
    assert.equal([m!.outcome, m!.guestAt, m!.copiesRunning], ['stayed', 'a', 1]);
    assert.is(m!.reason!.code, 'VMOTION_RESOLVED');
    for (const c of m!.clients) assert.is(c.wrong + c.resets + c.duplicated, 0);
    assert.equal(runDirectories(), [], 'nothing is left behind');
  }));

test.when(
  canCatchFaults() ? null : 'no userfaultfd here',
  'the destination dies while it is served, and an operator says resume-here: the copy of the pause runs on and is found',
  () =>
    inOwnDirectory(async () => {
      let over = false;
      let said: Promise<Resolution> | null = null;
      const run = runExperiment(
        experimentFrom({
          // Some seconds of pages to serve.
          fiber: { rate: '50Mbit' },
          guest: { memory: '16MiB', fill: 'random', dirty: 'idle' },
          clients: [{ site: 'a' }, { site: 'b' }],
          probe: { count: 10 },
          migration: { 'start-after': '200ms', mode: 'postcopy', doubt: '60s' },
        }),
        {
          signal: new AbortController().signal,
          onEvent: (e) => {
            if (e.type === 'in-doubt') said = resolve('resume-here');
          },
        },
      ).finally(() => {
        over = true;
      });
      for (let pid: number | undefined; pid === undefined && !over; await sleep(10)) {
        const hosts = await findHosts(runDirectories());
        pid = hosts.find((h) => h.site === 'b' && h.live?.state === 'running')?.live?.pid;
        if (pid !== undefined) process.kill(pid, 'SIGKILL');
      }
      const [m] = (await run).migrations;
      const resolution: Resolution = await said!;
      assert.is(resolution.outcome, 'resumed', resolution.lines.join('\n'));
      assert.equal([m!.outcome, m!.guestAt, m!.copiesRunning], ['stayed', 'a', 1]);
      for (const c of m!.clients)
        assert.ok(c.rttAfterP50Ns !== null, `${c.kind} at ${c.site} is answered again`);
      assert.equal(children(), []);
    }),
);

test('nobody settles the doubt: the run ends in doubt, its records stay, and a word closes them', () =>
  inOwnDirectory(async () => {
    const result = await moveIntoDoubt('0s', () => {});
    const [m] = result.migrations;
    assert.equal([m!.outcome, m!.guestAt, m!.copiesRunning], ['in-doubt', null, 0]);
    const [dir] = runDirectories();
    assert.ok(dir !== undefined, 'the records stay');
    const states = (await findHosts([dir!])).flatMap(guestsOf).map((g) => `${g.host.site} ${g.state}`);
    assert.equal(states, ['a memory-lost']);
    assert.is((await resolve('discard')).outcome, 'closed');
  }));

test.run();
