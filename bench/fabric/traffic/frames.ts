/** Small frames through a testbed, counted by the kernel's own interface counters at both ends. */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { countersAt, runAt, type Testbed } from '../testbed.js';

const SOURCE = fileURLToPath(new URL('./frame-source.js', import.meta.url));
/** A 64-byte frame without its FCS, the smallest that Ethernet has. */
const SMALL_BYTES = 60;
const SETTLE_LIMIT_MS = 3000;

export interface FrameRun {
  /** Frames that the sender tried to send. */
  readonly offered: number;
  /** Frames that reached the far interface. */
  readonly arrived: number;
  /** Frames per second that were offered. */
  readonly rate: number;
}

/** Offers `frames` small frames at `rate` frames/s from a to b and waits until no more arrive. */
export async function sendFrames(testbed: Testbed, frames: number, rate: number): Promise<FrameRun> {
  const [a, b] = testbed.ends;
  const before = countersAt(b).receivedFrames;
  const out = await runAt(
    a,
    process.execPath,
    SOURCE,
    a.interfaceName,
    String(b.mac),
    String(a.mac),
    String(frames),
    String(rate),
    String(SMALL_BYTES),
  );
  const { sent, seconds } = JSON.parse(out) as { sent: number; seconds: number };
  let arrived = 0;
  for (let ms = 0; ms < SETTLE_LIMIT_MS; ms += 100) {
    await sleep(100);
    const now = countersAt(b).receivedFrames - before;
    if (now === arrived && now > 0) break;
    arrived = now;
  }
  return { offered: sent, arrived, rate: sent / seconds };
}

/** One frame from b, so that bridges know where it is and do not flood. */
export async function introduce(testbed: Testbed): Promise<void> {
  const [a, b] = testbed.ends;
  await runAt(b, 'ping', '-c', '1', '-W', '2', a.ip).catch(() => '');
}
