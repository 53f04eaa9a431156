/** `examples/two-qemu-guests.yaml` with two real QEMUs, told as its text tells: each answers at its own distance. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { METAL_IMAGE } from '../../src/lab/guest-orders.js';
import { suite } from '../suite.js';
import { lackOf } from './sites.js';

const test = suite('interop/qemu-bridge');
const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const EXAMPLE = fileURLToPath(new URL('../../../examples/two-qemu-guests.yaml', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'qemu-bridge-'));
const started: ChildProcess[] = [];
process.on('exit', () => {
  for (const child of started) child.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
});
const root = process.getuid?.() === 0 ? null : 'named namespaces are root’s';
const lack = root ?? lackOf('qemu-system-i386') ?? lackOf('ip') ?? lackOf('ping');
/** Other than the example's ports, so that two runs do not meet. */
const firstPort = 20_000 + (process.pid % 10_000) * 4;
const name = `lh${process.pid % 100_000}q`;

function start(program: string, words: readonly string[], until: string): Promise<ChildProcess> {
  const env = { ...process.env, XDG_RUNTIME_DIR: dir };
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'], env });
  started.push(child);
  let text = '';
  return new Promise((resolve, reject) => {
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.on('data', (bytes) => {
        text += bytes;
        if (text.includes(until)) resolve(child);
      });
    }
    child.once('close', () => reject(new Error(`${program}: ${text}`)));
  });
}

/** The words of the example's first command, with a metal guest in place of a disk. */
function guest(local: number, remote: number, ip: string, mac: string): Promise<ChildProcess> {
  const netdev = `dgram,id=n0,local.type=inet,local.host=127.0.0.1,local.port=${local},remote.type=inet,remote.host=127.0.0.1,remote.port=${remote}`;
  assert.ok(readFileSync(EXAMPLE, 'utf8').includes(netdev.replace(/port=\d+/g, '').slice(0, 40)));
  const words = ['-nodefaults', '-display', 'none', '-serial', 'stdio', '-kernel', METAL_IMAGE];
  words.push('-append', `ip=${ip} dirty=0`, '-m', '16', '-netdev', netdev);
  words.push('-device', `virtio-net-pci,netdev=n0,mac=${mac},romfile=`);
  return start('qemu-system-i386', words, 'metal: ready');
}

/** Median round trip of a system's ping, ms; NaN when an answer was missing. */
function ping(ip: string): number {
  const words = ['netns', 'exec', name, 'ping', '-c', '20', '-i', '0.02', '-W', '2', ip];
  const { stdout } = spawnSync('ip', words, { encoding: 'utf8', timeout: 30_000 });
  const times = [...stdout.matchAll(/time=([\d.]+)/g)].map((m) => Number(m[1])).sort((a, b) => a - b);
  return times.length === 20 ? times[10]! : Number.NaN;
}

test.when(lack, 'two QEMU guests on the bridge by UDP: one here, one 200 km away', async () => {
  const ports = [5000, 5001, 5010, 5011];
  let text = readFileSync(EXAMPLE, 'utf8').replace(/^#.*$/gm, '');
  for (const [i, port] of ports.entries())
    text = text.replace(`127.0.0.1:${port}`, `127.0.0.1:${firstPort + i}`);
  const config = join(dir, 'two.yaml');
  const me = `  - {name: me, site: a, tap: ${name}, netns: ${name}, address: 10.0.0.9/24}`;
  writeFileSync(config, `${text.trimEnd()}\n${me}\n`);
  const bridge = await start(process.execPath, [MAIN, 'bridge', config], 'runs; Ctrl-C ends it');
  await guest(firstPort, firstPort + 1, '10.0.0.1', '02:4c:48:00:01:01');
  await guest(firstPort + 2, firstPort + 3, '10.0.0.2', '02:4c:48:00:01:02');
  const [here, there] = [ping('10.0.0.1'), ping('10.0.0.2')];
  assert.ok(
    there - here >= 1.5,
    `${there} ms to site b, ${here} ms within site a: the fiber is 1 ms each way`,
  );
  assert.ok(there >= 2, 'nothing is faster than light in 200 km of glass, there and back');
  const ended = new Promise((resolve) => bridge.once('close', resolve));
  bridge.kill('SIGINT');
  assert.is(await ended, 0);
});

test.run();
