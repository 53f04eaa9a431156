/** Two real QEMUs move the metal guest over the fabric; nothing of theirs outlives the run. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { qemuPlan } from '../../src/lab/qemu/plan.js';
import { runQemu } from '../../src/lab/qemu/run-qemu.js';
import { parseResult } from '../../src/lab/result.js';
import { QEMU_MODES } from '../../src/qemu/index.js';
import { suite } from '../suite.js';
import { lackOf } from './sites.js';

const test = suite('interop/qemu');
const lack = lackOf('qemu-system-i386');
const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

const SMALL = [
  ['memory', '32MiB'],
  ['dirty', 'uniform:20MB/s'],
  ['hot-set', '8MiB'],
].map(([key, value]) => ({ option: `--${key}`, path: ['guest', key!], value }));
const TWICE = { option: '--repeat', path: ['migration', 'repeat'], value: '2' };

for (const mode of QEMU_MODES) {
  test.when(lack, `${mode}: there and back, and its clients find it at the other site`, async () => {
    const plan = qemuPlan([...SMALL, TWICE], { mode, accel: 'tcg', downtimeLimit: '50ms' });
    const result = await runQemu(plan, { onEvent: () => {}, signal: new AbortController().signal });
    parseResult(JSON.parse(JSON.stringify(result)), 'the result');
    assert.is(result.peer?.mode, mode);
    assert.equal(
      result.migrations.map((m) => [m.outcome, m.guestAt, m.copiesRunning]),
      [
        ['completed', 'b', 1],
        ['completed', 'a', 1],
      ],
    );
    for (const m of result.migrations) {
      assert.ok(m.pauseNs! > 0 && m.pauseNs! <= m.totalNs);
      assert.ok(m.bytesOnWire > 32 * 2 ** 20, 'all of its incompressible memory crossed the fiber');
      assert.is(m.qemu?.status, 'completed');
      // QEMU's pre-copy under TCG was seen to lose writes (docs/peers.md): what the guest's TCP then does is not ours.
      if (m.memoryIdentical === false) continue;
      for (const c of m.clients.filter(({ kind }) => kind !== 'icmp'))
        assert.is(c.resets + c.wrong + c.bytesWrong, 0, `${c.kind}: TCP holds, whoever moves the guest`);
    }
    const [there] = result.migrations;
    const a = there!.clients.find((c) => c.site === 'a' && c.kind === 'icmp')!;
    assert.ok(a.rttAfterP50Ns! > 800_000, 'from site a it is now 80 km away');
    assert.is(result.fabric?.closes, true);
  });
}

function childrenOf(pid: number): { pid: number; name: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        const [, ppid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return Number(ppid) === pid
          ? [{ pid: Number(name), name: stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')')) }]
          : [];
      } catch {
        return [];
      }
    });
}

test.when(lack, 'SIGKILL of the command in the middle of a move leaves no QEMU', async () => {
  const out = mkdtempSync(join(tmpdir(), 'qemu-test-'));
  process.on('exit', () => rmSync(out, { recursive: true, force: true }));
  const words = ['qemu', 'migrate', '--memory', '64MiB', '--accel', 'tcg', '--rate', '100Mbit', '--out', out];
  const command = spawn(process.execPath, [MAIN, ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  command.stderr.on('data', (bytes) => {
    said += bytes;
  });
  while (!said.includes('copying memory') && command.exitCode === null) await sleep(20);
  const qemus = childrenOf(command.pid!).filter(({ name }) => name.startsWith('qemu'));
  assert.is(qemus.length, 2, said);
  command.kill('SIGKILL');
  while (qemus.some(({ pid }) => existsSync(`/proc/${pid}`))) await sleep(20);
});

test.run();
