/** What is pure in `src/qemu`, and how QEMU is found. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { EnvironmentError, type LonghaulError } from '../../src/core/index.js';
import { compareBytes, findQemu, migrationFigures, qemuArguments } from '../../src/qemu/index.js';
import { suite } from '../suite.js';

const test = suite('qemu');

const MACHINE = {
  accelerator: 'tcg',
  memoryBytes: 64 * 2 ** 20,
  image: '/images/metal.elf',
  initrd: null,
  parameters: 'ip=10.80.0.10 dirty=50',
  mac: '02:4c:48:00:00:10',
} as const;

/** As QEMU 7.2.22 answered after a multifd migration of 64 MiB, shortened. */
const ANSWER = {
  status: 'completed',
  'total-time': 289,
  'setup-time': 4,
  downtime: 156,
  ram: {
    total: 84_754_432,
    remaining: 0,
    transferred: 70_254_592,
    normal: 17_000,
    duplicate: 3700,
    'page-size': 4096,
    'dirty-sync-count': 3,
    mbps: 1944.5,
    'multifd-bytes': 69_000_000,
    'precopy-bytes': 1000,
    'downtime-bytes': 9_000_000,
    'postcopy-requests': 0,
  },
};

test('figures: milliseconds become nanoseconds, Mbit/s bits per second', () => {
  const f = migrationFigures(ANSWER);
  assert.is(f.status, 'completed');
  assert.is(f.totalNs, 289e6);
  assert.is(f.downtimeNs, 156e6);
  assert.is(f.ram!.throughputBps, 1_944_500_000);
  assert.is(f.ram!.downtimeBytes, 9_000_000);
  assert.is(f.ram!.postcopyBytes, 0, 'what this QEMU does not say is 0');
});

test('figures: of nothing, of nonsense', () => {
  for (const answer of [{}, null, 7, { status: 7, ram: 'x', downtime: -1 }]) {
    const f = migrationFigures(answer);
    assert.is(f.status, 'none');
    assert.is(f.downtimeNs, null);
  }
  assert.is(migrationFigures({ ram: { total: Number.NaN } }).ram!.totalBytes, 0);
});

test('a source stands until it is told to go on, a destination waits for the stream', () => {
  const source = qemuArguments(MACHINE, 'boots');
  const destination = qemuArguments(MACHINE, 'takes-over');
  assert.ok(source.includes('-S') && !source.includes('-incoming'));
  assert.ok(destination.includes('-incoming') && !destination.includes('-S'));
  assert.equal(source.slice(0, -1), destination.slice(0, -2), 'else they are the same machine');
  const standing = qemuArguments(MACHINE, 'stands-by');
  assert.ok(standing.includes('-incoming') && standing.includes('-S'), 'one whose memory is looked at first');
  assert.ok(source.includes('65536K'));
});

test('two memories are compared page by page, the last one also where it is cut off', () => {
  const a = Buffer.alloc(3 * 4096 + 10, 7);
  const b = Buffer.from(a);
  assert.equal(compareBytes(a, b), { pages: 4, differing: [] });
  b[4096] = b[3 * 4096 + 9] = 8;
  assert.equal(compareBytes(a, b).differing, [1, 3]);
  assert.equal(compareBytes(a, a.subarray(0, 2 * 4096)).differing, [2, 3], 'what is not there differs');
});

test('QEMU that is not here is said so, with the remedy', async () => {
  const e: LonghaulError = await findQemu(null, '/nowhere').catch((error) => error);
  assert.instance(e, EnvironmentError);
  assert.is(e.code, 'QEMU_MISSING');
  assert.match(e.line(), /qemu-system-x86/);
  assert.is((await findQemu('/nowhere/qemu').catch((error) => error)).code, 'QEMU_MISSING');
});

test('QEMU that is too old, or no QEMU at all, is refused', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'qemu-test-'));
  try {
    const program = join(dir, 'qemu-system-i386');
    const saying = (text: string): Promise<unknown> => {
      writeFileSync(program, `#!/bin/sh\necho '${text}'\n`);
      chmodSync(program, 0o755);
      return findQemu(null, `${dir}:/usr/bin`).catch((e) => e.code);
    };
    assert.is(await saying('QEMU emulator version 6.2.0'), 'QEMU_OLD');
    assert.is(await saying('hello'), 'QEMU_OLD');
    assert.equal(await saying('QEMU emulator version 9.0.2 (Debian)'), { path: program, version: '9.0.2' });
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test.run();
