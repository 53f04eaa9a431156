/**
 * VDE 2: a `vde_switch` with a TAP in each namespace, `wirefilter` between them. Debian package vde2.
 *
 *   tap0 ─ vde_switch ─ (unix socket) ─ wirefilter -d ─ (unix socket) ─ vde_switch ─ tap0
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatIpv4 } from '../../../src/l2/index.js';
import { bringUp, createNetns, inNetns } from '../../../src/sys/index.js';
import { closeEnds, cpuSecondsOf, type End, isOnPath, type Testbed } from '../testbed.js';

const TAP = 'tap0';
const BASE_IP = 0x0a500100;
const BASE_MAC = 0x024c48000000;
const READY_LIMIT_MS = 5000;
/** Large enough that the channel never drops at any rate it can pass. */
const CHANNEL_BYTES = 256 * 2 ** 20;

/** Why VDE cannot be measured here, or null. */
export function vdeLack(): string | null {
  const missing = ['vde_switch', 'wirefilter'].filter((p) => !isOnPath(p));
  return missing.length === 0 ? null : `${missing.join(' and ')} not on the PATH (Debian package vde2)`;
}

/** @param delayMs one way, whole milliseconds as wirefilter counts them; null: two switches without a filter's delay */
export async function vdeTestbed(delayMs: number | null): Promise<Testbed> {
  const dir = mkdtempSync(join(tmpdir(), 'longhaul-vde-'));
  const children: ChildProcess[] = [];
  const ends: End[] = [];
  const close = async (): Promise<void> => {
    const ended = children.map((c) => new Promise((resolve) => c.once('exit', resolve)));
    for (const child of children) child.kill('SIGTERM');
    await Promise.race([Promise.all(ended), sleep(2000)]);
    for (const child of children) if (child.exitCode === null) child.kill('SIGKILL');
    closeEnds(ends);
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    for (const n of [1, 2]) {
      const netnsFd = createNetns();
      ends.push({ netnsFd, interfaceName: TAP, ip: formatIpv4(BASE_IP + n), mac: BASE_MAC + n });
      // A vde_switch ends when its standard input does, so it gets a pipe that stays open.
      const args = ['-s', join(dir, `s${n}`), '-tap', TAP];
      children.push(
        inNetns(netnsFd, () => spawn('vde_switch', args, { stdio: ['pipe', 'ignore', 'ignore'] })),
      );
      await until(() => existsSync(join(dir, `s${n}`, 'ctl')), `vde_switch ${n}`);
      await until(() => {
        try {
          inNetns(netnsFd, () => bringUp(TAP, { ip: BASE_IP + n, prefix: 24, mac: BASE_MAC + n, mtu: 1500 }));
          return true;
        } catch {
          return false;
        }
      }, `the TAP of vde_switch ${n}`);
    }
    const plugs = `${join(dir, 's1')}:${join(dir, 's2')}`;
    const delay = delayMs === null ? [] : ['-d', String(delayMs)];
    const args = ['-v', plugs, ...delay, '-c', String(CHANNEL_BYTES)];
    children.push(spawn('wirefilter', args, { stdio: ['pipe', 'ignore', 'ignore'] }));
    await sleep(500);
    const dead = children.find((c) => c.exitCode !== null);
    if (dead) throw new Error(`${dead.spawnfile} ended with ${dead.exitCode}`);
  } catch (e) {
    await close();
    throw e;
  }
  return {
    name: 'wirefilter',
    ends: ends as [End, End],
    cpuSeconds: () => children.reduce((sum, c) => sum + cpuSecondsOf(c.pid!), 0),
    close,
  };
}

async function until(ready: () => boolean, what: string): Promise<void> {
  for (let ms = 0; ms < READY_LIMIT_MS; ms += 50) {
    if (ready()) return;
    await sleep(50);
  }
  throw new Error(`${what} was not ready within ${READY_LIMIT_MS / 1000} s`);
}
