/** What `longhaul qemu migrate` refuses before anything is made, and what it makes of the rest. */
import * as assert from 'uvu/assert';
import { ConfigError } from '../../../src/core/index.js';
import { qemuMoveResult } from '../../../src/lab/qemu/move-result.js';
import { type QemuTyped, qemuPlan } from '../../../src/lab/qemu/plan.js';
import { parseTcpCounters } from '../../../src/lab/qemu/tcp-counters.js';
import { migrationFigures } from '../../../src/qemu/index.js';
import { suite } from '../../suite.js';

const test = suite('lab/qemu/plan');
function plan(typed: QemuTyped = {}, guest: Record<string, string> = {}) {
  const overrides = Object.entries(guest).map(([key, value]) => ({
    option: `--${key}`,
    path: ['guest', key],
    value,
  }));
  return qemuPlan(overrides, typed);
}

function refused(typed: QemuTyped, guest: Record<string, string> = {}): string {
  try {
    plan(typed, guest);
  } catch (e) {
    assert.instance(e, ConfigError);
    return (e as ConfigError).line();
  }
  return assert.unreachable('it was taken') as never;
}

test('the machine that both migrators move: its parameters come from the experiment', () => {
  const p = plan({}, { dirty: 'sweep:200MB/s', 'hot-set': '32MiB', memory: '64MiB' });
  assert.match(p.parameters, /ip=10\.80\.0\.10 .*dirty=200 hot=32 order=sweep fill=random seed=\d+/);
  assert.is(p.experiment.guest.kind, 'pc');
  assert.is(p.experiment.migration.pauseTargetNs, 300e6);
  assert.is(p.migration.bandwidthBps, null, "not QEMU's own gigabit");
});

test('modes, channels, limits out of range: one line with what is allowed', () => {
  assert.match(refused({ mode: 'hybrid' }), /--mode hybrid .*precopy, multifd, postcopy/);
  assert.match(refused({ channels: '2' }), /only --mode multifd/);
  assert.match(refused({ mode: 'multifd', channels: '17' }), /1\.\.16/);
  assert.match(refused({ mode: 'multifd', channels: 'many' }), /1\.\.16/);
  assert.match(refused({ downtimeLimit: '1us' }), /--downtime-limit/);
  assert.match(refused({ bandwidth: '1kbit' }), /--bandwidth/);
  assert.match(refused({ verify: true, mode: 'postcopy' }), /--verify/);
  assert.match(refused({ dirtySync: 'quick' }), /fast, slow/);
  assert.match(refused({ accel: 'hvf' }), /auto, tcg, kvm/);
});

test('what the metal guest cannot do is refused by name', () => {
  assert.match(refused({}, { dirty: 'zipf:50MB/s' }), /--dirty a machine knows idle, sweep and uniform/);
});

test('TCP counters are found by name, whatever columns a kernel has', () => {
  const text = 'Ip: Forwarding\nIp: 1\nTcp: RtoMin OutSegs RetransSegs\nTcp: 200 81234 56\n';
  assert.equal(parseTcpCounters(text), { sent: 81234, resent: 56 });
  assert.is(parseTcpCounters('Ip: Forwarding\nIp: 1\n'), null);
});

const CONTEXT = {
  index: 0,
  from: 'a',
  to: 'b',
  epochNs: 1000,
  mode: 'precopy',
  bytesOnWire: 1_000_000,
  segments: null,
  copiesRunning: 1,
  complained: false,
  clients: [],
} as const;
const REPORT = {
  outcome: 'completed',
  code: '',
  text: '',
  startNs: 2000,
  stopNs: 5_002_000,
  resumeNs: 9_002_000,
  endNs: 10_002_000,
  stopToResumeByStampNs: 3_999_000,
  memory: null,
  source: migrationFigures({ status: 'completed', ram: { 'page-size': 4096, 'downtime-bytes': 8192 } }),
  events: [],
} as const;

test('a move: the pause is STOP to RESUME, and memory is not called identical by a migrator that never looked', () => {
  const m = qemuMoveResult(REPORT, CONTEXT);
  assert.is(m.pauseNs, 4_000_000);
  assert.is(m.totalNs, 10_000_000);
  assert.is(m.throughputBps, 800_000_000);
  assert.is(m.pagesInPause, 2);
  assert.is(m.guestAt, 'b');
  assert.is(m.memoryIdentical, null);
  assert.is(qemuMoveResult(REPORT, { ...CONTEXT, complained: true }).memoryIdentical, false);
  const compared = (differing: number[]) =>
    qemuMoveResult({ ...REPORT, memory: { pages: 100, differing } }, CONTEXT).memoryIdentical;
  assert.equal([compared([]), compared([3])], [true, false], 'where it was looked at, that counts');
});

test('a move that was called off leaves the guest where it was; one whose destination died does not', () => {
  const stayed = qemuMoveResult({ ...REPORT, outcome: 'stayed', code: 'QEMU_LIMIT', text: 'x' }, CONTEXT);
  assert.equal([stayed.guestAt, stayed.pauseNs, stayed.reason?.code], ['a', null, 'QEMU_LIMIT']);
  assert.is(qemuMoveResult({ ...REPORT, outcome: 'lost' }, CONTEXT).guestAt, null);
});

test.run();
