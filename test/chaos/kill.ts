/**
 * One move of a guest in which a host is killed, or stopped for a while, or the fiber is cut, or the disk of the hosts'
 * records fills up, and what must hold then. Nothing is started again. The judge asks the durable records, the guests themselves and the clients, and compares with what the run says.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { decodeRecords } from '../../src/host/index.js';
import { type CUT_PHASES, NAMED_POINTS } from '../../src/lab/config/experiment.js';
import { experimentFrom } from '../../src/lab/config/experiment-file.js';
import type { MigrationResult } from '../../src/lab/result.js';
import { runExperiment } from '../../src/lab/run.js';
import { hosts } from '../lab/children.js';
import { SmallDisk } from './full-disk.js';

export interface Kill {
  readonly side: 'source' | 'destination';
  readonly signal: 'SIGKILL' | 'SIGSTOP' | 'link-down' | 'full-disk';
  /**
   * A point of the move that has a name, or an instant: milliseconds after the first page has left. For `link-down` a
   * phase; for `full-disk` an instant.
   */
  readonly at: (typeof NAMED_POINTS)[number] | (typeof CUT_PHASES)[number] | number;
  /** How long the fiber is cut. */
  readonly forMs?: number;
  readonly mode: 'precopy' | 'postcopy' | 'hybrid';
  readonly seed: number;
  readonly attach?: 'auto' | 'netns' | 'loopback';
}

export interface Aftermath {
  readonly kill: Kill;
  readonly outcome: MigrationResult['outcome'];
  readonly copiesRunning: number | null;
  /** Kinds of records in the order they were written. */
  readonly recordsA: readonly string[];
  readonly recordsB: readonly string[];
  readonly lost: number;
  readonly spoilt: number;
}

/** A stopped host goes on after this: longer than it takes its peer to give the link up. */
const STOPPED_MS = 2500;
const CUT_MS = 500;

/** Runs the move and judges it. @throws AssertionError with the whole story when a rule was broken */
export async function killAndJudge(kill: Kill): Promise<Aftermath> {
  const before = process.env.TMPDIR;
  const dir = mkdtempSync(join(before ?? tmpdir(), 'chaos-'));
  process.env.TMPDIR = dir; // so that the run's records are found here, whatever else runs on this machine
  const disk = kill.signal === 'full-disk' ? new SmallDisk(dir) : null;
  try {
    return await moveAndJudge(kill, dir, disk);
  } finally {
    disk?.remove();
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    rmSync(dir, { recursive: true, force: true });
  }
}

async function moveAndJudge(kill: Kill, dir: string, disk: SmallDisk | null): Promise<Aftermath> {
  const { side, signal, at, mode, seed, forMs = CUT_MS } = kill;
  const site = side === 'source' ? 'a' : 'b';
  let records: Record<'a' | 'b', string[]> = { a: [], b: [] };
  let waking: Promise<void> = Promise.resolve();
  let armed = false;
  let pid = 0;
  const result = await runExperiment(
    experimentFrom({
      seed,
      attach: kill.attach ?? 'auto',
      guest: { memory: '16MiB', dirty: 'uniform:20MB/s', 'hot-set': '8MiB' },
      clients: [{ site: 'a' }, { site: 'b' }],
      probe: { count: 10 },
      migration: {
        mode,
        'start-after': '200ms',
        limit: '20s',
        doubt: signal === 'SIGKILL' ? '1s' : '15s',
        ...(signal === 'link-down' ? { cut: `${forMs}ms@${at}` } : {}),
      },
      ...(isPoint(at) && isSignal(signal)
        ? { 'test-hooks': { 'signal-at': { site, point: at, signal } } }
        : {}),
    }),
    {
      signal: new AbortController().signal,
      onEvent: (e) => {
        if (e.type === 'clean-up') records = recordsIn(dir);
        if (e.type !== 'phase') return;
        // Before the move both live; when the lab hears of the offer, one may have died at its point already.
        if (e.phase === 'probe') pid = hosts()[side === 'source' ? 0 : 1]!.pid;
        if (e.phase !== 'offer' || armed) return;
        armed = true;
        if (disk !== null) setTimeout(() => disk.fill(), Number(at));
        else if (typeof at === 'number' && isSignal(signal)) setTimeout(() => strike(pid, signal), at);
        if (signal === 'SIGSTOP') waking = wake(pid);
      },
    },
  );
  await waking;
  const [m] = result.migrations;
  const story = [
    JSON.stringify({ kill, outcome: m!.outcome, reason: m!.reason, records, copies: m!.copiesRunning }),
    ...result.timeline.map((e) => `${(e.atNs / 1e6).toFixed(1)} ${e.where}: ${e.what}`),
  ].join('\n');
  judge(kill, m!, records, story);
  const sum = (key: 'lost' | 'wrong' | 'resets' | 'duplicated'): number =>
    m!.clients.reduce((n, c) => n + c[key], 0);
  return {
    kill,
    outcome: m!.outcome,
    copiesRunning: m!.copiesRunning,
    recordsA: records.a,
    recordsB: records.b,
    lost: sum('lost'),
    spoilt: sum('wrong') + sum('resets') + sum('duplicated'),
  };
}

function isSignal(what: Kill['signal']): what is 'SIGKILL' | 'SIGSTOP' {
  return what === 'SIGKILL' || what === 'SIGSTOP';
}

function isPoint(at: Kill['at']): at is (typeof NAMED_POINTS)[number] {
  return (NAMED_POINTS as readonly Kill['at'][]).includes(at);
}

function judge(kill: Kill, m: MigrationResult, records: Record<'a' | 'b', string[]>, story: string): void {
  const { a, b } = records;
  const decided = b.filter((kind) => kind === 'RUNNING' || kind === 'NEVER');
  assert.ok(decided.length <= 1, `decided once\n${story}`);
  assert.ok((m.copiesRunning ?? 0) <= 1, `never two copies\n${story}`);
  assert.is(
    m.outcome,
    allowedEnd(kill, m, a, decided[0] ?? null),
    `the end that the records allow\n${story}`,
  );
  const runs = m.outcome === 'completed' || m.outcome === 'stayed';
  if (m.copiesRunning !== null && m.outcome !== 'lost')
    assert.is(m.copiesRunning, runs ? 1 : 0, `runs where it is said to\n${story}`);
  for (const c of m.clients) {
    assert.is(c.wrong, 0, `no wrong answer\n${story}`);
    assert.is(c.resets, 0, `no session forgotten\n${story}`);
    assert.is(c.duplicated, 0, `no answer twice: ${JSON.stringify(c)}\n${story}`);
  }
  if (m.outcome === 'completed' && kill.signal !== 'SIGKILL')
    assert.is.not(m.memoryIdentical, false, `memory identical\n${story}`);
}

/** What the records leave as the only end. */
function allowedEnd(
  { side, signal }: Kill,
  m: MigrationResult,
  a: readonly string[],
  decision: string | null,
): MigrationResult['outcome'] {
  const struck = m.reason?.code === 'LAB_HOST_DIED' || m.reason?.code === 'LAB_PAGES_LOST';
  const open = a.includes('COMMIT') && !a.includes('ENDED');
  if (signal !== 'SIGKILL' || (!struck && !open)) return decision === 'RUNNING' ? 'completed' : 'stayed';
  if (side === 'destination') return decision === 'RUNNING' ? 'lost' : open ? 'in-doubt' : 'stayed';
  if (decision !== 'RUNNING') return 'lost';
  return m.reason?.code === 'LAB_PAGES_LOST' ? 'lost' : 'completed';
}

function recordsIn(dir: string): Record<'a' | 'b', string[]> {
  const run = readdirSync(dir).find((name) => name.startsWith('longhaul-'))!;
  const kinds = (site: string): string[] =>
    decodeRecords(readFileSync(join(dir, run, `host-${site}.records`)))
      .map((r) => r.kind)
      .filter((kind) => kind !== 'STORE');
  return { a: kinds('a'), b: kinds('b') };
}

function strike(pid: number, signal: NodeJS.Signals): void {
  if (!hosts().some((h) => h.pid === pid)) return;
  try {
    process.kill(pid, signal);
  } catch {
    // the move was faster, and the host is gone already
  }
}

/** Waits until the host stands still, and a while longer; then lets it go on. */
async function wake(pid: number): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    const state = stateOf(pid);
    if (state === null) return;
    if (state === 'T') {
      await sleep(STOPPED_MS);
      return strike(pid, 'SIGCONT');
    }
    await sleep(20);
  }
}

/** The letter that proc(5) gives a process; null when there is none. */
function stateOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2)[0]!;
  } catch {
    return null;
  }
}
