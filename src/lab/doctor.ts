/** Finds out by trying what this machine offers. Nothing that is made here outlives its probe. */
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { messageOf } from '../core/index.js';
import { createGuestMemory, openDirtyLog } from '../guest/memory/index.js';
import { findQemu } from '../qemu/index.js';
import {
  closeFd,
  createNetns,
  createVeth,
  inNetns,
  koffiVersion,
  nowNs,
  openPacket,
  openTap,
  PollSet,
  sharpenTimers,
} from '../sys/index.js';
import type { Probe } from './probe.js';

/** One probe: `body` returns what it found, or throws. */
function probe(name: string, cost: string, remedy: string, body: () => string): Probe {
  try {
    return { name, ok: true, detail: body(), cost };
  } catch (e) {
    return { name, ok: false, detail: messageOf(e).split(';')[0]!, cost, remedy };
  }
}

function withNetns<T>(body: (fd: number) => T): T {
  const fd = createNetns();
  try {
    return body(fd);
  } finally {
    closeFd(fd);
  }
}

/** Median overshoot of a 100 µs sleep, in µs. */
function sleepErrorUs(): number {
  sharpenTimers();
  const polls = new PollSet(1);
  const errors = Array.from({ length: 51 }, () => {
    const t = nowNs();
    polls.wait(100_000);
    return (nowNs() - t - 100_000) / 1000;
  });
  return errors.sort((a, b) => a - b)[25]!;
}

/** Tries everything a run may use. */
export async function probeMachine(): Promise<Probe[]> {
  const probes: Probe[] = [
    probe(
      'koffi',
      'nothing works without system calls',
      'npm ci on x64 or arm64 Linux with glibc or musl',
      () => `version ${koffiVersion}`,
    ),
    probe(
      'network-namespaces',
      'no netns attach: hosts and clients are joined by UDP, vMotion over UDP only',
      'run as root, or allow user namespaces (sysctl user.max_user_namespaces)',
      () =>
        withNetns(() =>
          process.env.LONGHAUL_USER_NAMESPACE ? 'inside a user namespace of your own' : 'as this user',
        ),
    ),
    probe(
      'tap',
      'AF_PACKET on veth pairs instead: slower',
      'run as root, or open /dev/net/tun to this user',
      () =>
        withNetns((ns) => {
          closeFd(inNetns(ns, () => openTap('probe0', true)));
          return 'with checksum and TSO offload';
        }),
    ),
    probe(
      'af-packet',
      'no netns attach for an unprivileged user',
      'run as root, or allow user namespaces',
      () =>
        withNetns((near) =>
          withNetns((far) =>
            inNetns(near, () => {
              createVeth('probe0', 'probe1', far);
              closeFd(openPacket('probe0', 65_536));
              return 'on a veth pair, with the virtio header';
            }),
          ),
        ),
    ),
    probe(
      'userfaultfd',
      'dirty pages are found by hashing all memory: harvests take about 0.1 s a 256 MiB',
      'Linux 6.7 or later with CONFIG_USERFAULTFD',
      () => {
        const opened = openDirtyLog(createGuestMemory(256), 'kernel');
        opened.log.close();
        return 'WP_ASYNC and PAGEMAP_SCAN';
      },
    ),
    await rawSocketProbe(),
    probe(
      'timers',
      'frames are released late',
      'run on a machine with high-resolution timers',
      () => `a sleep of 100 µs is ${sleepErrorUs().toFixed(1)} µs late (median)`,
    ),
    probe('cores', 'fabric, hosts, guest and clients share what there is', 'two cores or more', () => {
      const n = availableParallelism();
      if (n < 2) throw new Error('1 core');
      return `${n} cores`;
    }),
    await qemuProbe(),
    probe('unshare', 'an unprivileged user has no netns attach', 'install util-linux', () => {
      const r = spawnSync('unshare', ['--version'], { encoding: 'utf8' });
      if (r.error) throw r.error;
      return r.stdout.trim();
    }),
  ];
  return probes;
}

async function qemuProbe(): Promise<Probe> {
  const cost = 'no longhaul qemu migrate, no comparison with it; nothing else';
  try {
    const { path, version } = await findQemu(null);
    return { name: 'qemu', ok: true, detail: `${path}, version ${version}`, cost };
  } catch (e) {
    const remedy = 'install QEMU 7.2 or later (Debian: qemu-system-x86)';
    return { name: 'qemu', ok: false, detail: messageOf(e).split(';')[0]!, cost, remedy };
  }
}

async function rawSocketProbe(): Promise<Probe> {
  const cost = 'no ICMP from the kernel clients; the round trip is measured by our own codec on bridge ports';
  try {
    await import('raw-socket' as string);
    return { name: 'raw-socket', ok: true, detail: 'the package is built', cost };
  } catch (e) {
    const remedy = 'install python3, make and g++, then npm ci again';
    return { name: 'raw-socket', ok: false, detail: (e as Error).message.split('\n')[0]!, cost, remedy };
  }
}
