/**
 * tcpreplay on one end of a veth pair in namespaces of its own, and a packet socket with the kernel's stamps at the
 * other: how far from its instant each packet came, counted from the first one.
 */
import { spawn } from 'node:child_process';
import { setImmediate as turn } from 'node:timers/promises';
import { openCapture } from '../../src/capture/files/index.js';
import { PacingErrors } from '../../src/replay/pacing-errors.js';
import {
  bringUp,
  closeFd,
  createNetns,
  createVeth,
  inNetns,
  openPacket,
  StampedReceiver,
} from '../../src/sys/index.js';
import { type Figures, say } from '../figures.js';

const BUFFER_BYTES = 32 * 2 ** 20;
const SLOT_BYTES = 2048;
const AT_ONCE = 64;

/** Adds `tcpreplay.pacing.…`: the capture in memory (-K), its default timer. */
export async function measureTcpreplay(figures: Figures, file: string, packets: number): Promise<void> {
  const name = 'tcpreplay.pacing';
  say(`── ${name}`);
  const instants = await instantsOf(file);
  const stamps = await sendOver(['-q', '-K', '-i', 'lh-out', file], packets);
  if (stamps.length < packets) {
    figures.skip(name, `only ${stamps.length} of ${packets} packets came`);
    return;
  }
  const errors = new PacingErrors();
  for (const [i, stamp] of stamps.entries())
    errors.record(stamp - stamps[0]! - (instants[i]! - instants[0]!));
  const { p50, p99, max } = errors.distribution();
  figures.add(`${name}.p50_us`, 'µs', [p50 / 1e3]);
  figures.add(`${name}.p99_us`, 'µs', [p99 / 1e3]);
  figures.add(`${name}.max_us`, 'µs', [max / 1e3]);
  figures.add(`${name}.drift_us`, 'µs', [errors.driftNs() / 1e3]);
}

async function instantsOf(file: string): Promise<number[]> {
  const instants: number[] = [];
  for await (const batch of (await openCapture(file)).batches()) for (const p of batch) instants.push(p.atNs);
  return instants;
}

/** Runs tcpreplay in a namespace of its own and stamps what comes out. */
async function sendOver(words: readonly string[], packets: number): Promise<number[]> {
  const near = createNetns();
  const far = createNetns();
  let fd = -1;
  try {
    inNetns(near, () => {
      createVeth('lh-out', 'lh-in', far);
      bringUp('lh-out');
    });
    fd = inNetns(far, () => {
      bringUp('lh-in');
      return openPacket('lh-in', BUFFER_BYTES);
    });
    const stamps: number[] = [];
    const receiver = new StampedReceiver(AT_ONCE, SLOT_BYTES);
    const child = inNetns(near, () => spawn('tcpreplay', words, { stdio: 'ignore' }));
    let ended = false;
    child.once('close', () => {
      ended = true;
    });
    for (;;) {
      const n = receiver.receive(fd, AT_ONCE);
      for (let i = 0; i < n; i++) if (isOurs(receiver, i)) stamps.push(receiver.arrivedNs(i));
      if (n === 0 && (ended || stamps.length >= packets)) return stamps;
      if (n === 0) await turn();
    }
  } finally {
    if (fd >= 0) closeFd(fd);
    closeFd(near);
    closeFd(far);
  }
}

/** The kernels of both ends say things of their own, in IPv6. */
function isOurs(receiver: StampedReceiver, i: number): boolean {
  const type = receiver.at(i) + 10 + 12;
  return receiver.bytes[type] === 0x08 && receiver.bytes[type + 1] === 0x00;
}
