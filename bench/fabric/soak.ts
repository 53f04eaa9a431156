/**
 * `npm run soak -- [--minutes N] [--out FILE]`: whether a fabric's memory stays flat and its accounts close.
 *
 * TCP both ways and small frames run through a fiber that loses, duplicates, corrupts and delays unevenly, while a
 * time line changes its rate and takes the link down for a moment every half minute. Every few seconds the accounts
 * must close and the process's memory is noted. It fails when memory in the second half grew by more than a
 * page-cache's worth.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { FabricSnapshot } from '../../src/fabric/index.js';
import { accountingCloses, type Timeline } from '../../src/fiber/index.js';
import { median } from '../../src/report/index.js';
import { Figures, say } from '../figures.js';
import { runAt } from './testbed.js';
import { fabricTestbed } from './testbeds/longhaul.js';
import { introduce, sendFrames } from './traffic/frames.js';
import { using } from './using.js';

const SAMPLE_S = 5;
const TCP_RATE = '100M';
const FRAMES_PER_S = 2000;
/** Growth of the second half over the first that passes for flat. */
const FLAT_BYTES = 16 * 2 ** 20;

const TIMELINE: Timeline = [
  {
    repeatNs: 30e9,
    entries: [
      { atNs: 5e9, direction: 'both', set: { rateBps: 500e6 } },
      { atNs: 10e9, direction: 'both', set: { rateBps: 10e9, lossProb: 0.01 } },
      { atNs: 15e9, direction: 'a-b', set: { link: 'down' } },
      { atNs: 15.2e9, direction: 'a-b', set: { link: 'up' } },
      { atNs: 20e9, direction: 'both', set: { lossProb: 0.001, oneWayNs: 2e6 } },
      { atNs: 25e9, direction: 'both', set: { oneWayNs: 400e3 } },
    ],
  },
];

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '60' }, out: { type: 'string' } },
});
const seconds = Number(values.minutes) * 60;
if (!(seconds > 0)) {
  console.error(`--minutes ${values.minutes} is not a number above 0`);
  process.exit(2);
}

/** Resident memory of this process, bytes; proc_pid_status(5). */
function residentBytes(): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))![1]) * 1024;
}

function assertCloses(s: FabricSnapshot): void {
  for (const [direction, lane] of Object.entries(s.fiber)) {
    if (!accountingCloses(lane)) throw new Error(`the account of ${direction} does not close`);
  }
  for (const [site, b] of Object.entries(s.bridges)) {
    const drops = Object.values(b.drops).reduce((sum, n) => sum + n, 0);
    if (b.framesIn !== b.forwarded + b.flooded + b.suppressed + drops) {
      throw new Error(`the account of bridge ${site} does not close`);
    }
  }
}

const fiber = {
  oneWayNs: 400_000,
  rateBps: 10e9,
  lossProb: 0.001,
  duplicateProb: 0.001,
  corruptProb: 0.001,
  jitter: { model: 'uniform', halfWidthNs: 50_000 } as const,
};

const figures = new Figures('soak');
const resident: number[] = [];
const pools: number[] = [];
await using(await fabricTestbed({ fiber, timeline: TIMELINE, spin: 'never' }), async (t) => {
  await introduce(t);
  const [a, b] = t.ends;
  const servers = t.ends.map((end) => runAt(end, 'iperf3', '-s', '-1').catch(() => ''));
  await sleep(500);
  const tcp = ['-t', String(Math.ceil(seconds)), '-b', TCP_RATE, '-J'];
  const traffic = Promise.all([
    runAt(a, 'iperf3', '-c', b.ip, ...tcp).catch(String),
    runAt(b, 'iperf3', '-c', a.ip, ...tcp).catch(String),
    sendFrames(t, FRAMES_PER_S * seconds, FRAMES_PER_S),
  ]);
  const end = Date.now() + seconds * 1000;
  while (Date.now() < end) {
    await sleep(SAMPLE_S * 1000);
    const snapshot = await t.snapshot();
    assertCloses(snapshot);
    resident.push(residentBytes());
    pools.push(snapshot.poolBytes);
    if (resident.length % 12 === 0) {
      const packets = snapshot.fiber.aToB.delivered.packets + snapshot.fiber.bToA.delivered.packets;
      say(
        `${(resident.at(-1)! / 2 ** 20).toFixed(0)} MiB resident, ${(packets / 1e6).toFixed(1)} M packets delivered`,
      );
    }
  }
  await traffic;
  await Promise.all(servers);
  assertCloses(await t.snapshot());
});
const half = Math.floor(resident.length / 2);
const early = median(resident.slice(Math.floor(half / 2), half));
const late = median(resident.slice(half + Math.floor(half / 2)));
figures.add('soak.resident', 'bytes', resident);
figures.add('soak.resident.growth', 'bytes', [late - early]);
figures.add('soak.pool', 'bytes', pools);
figures.finish(values.out);
if (late - early > FLAT_BYTES) {
  console.error(`memory grew by ${((late - early) / 2 ** 20).toFixed(1)} MiB in the second half`);
  process.exit(1);
}
