/**
 * Kernel TCP through 100 Mbit/s over distance and loss. The published figures and the theory that these cells
 * are compared with stand in docs/benchmarks.md.
 *
 * The cells run several at a time, each on a fabric of its own that never spins: at 100 Mbit/s they are far
 * from what the machine passes, and a timer 40 µs late is 2 % of the shortest round trip.
 */
import type { Figures } from '../../figures.js';
import type { Scale } from '../scale.js';
import { fabricTestbed } from '../testbeds/longhaul.js';
import { tcp } from '../traffic/iperf.js';
import { using } from '../using.js';

const RATE_BPS = 100e6;
const AT_ONCE = 4;
const RTTS_MS = [2, 10, 100];
const LOSSES = [1e-4, 1e-3, 1e-2];
const CONGESTION = ['cubic', 'bbr'] as const;

export async function measureTcpOverDistance(figures: Figures, scale: Scale): Promise<void> {
  const { seconds, runs, cells } = scale.distanceTcp;
  const all = CONGESTION.flatMap((congestion) =>
    RTTS_MS.flatMap((rttMs) => LOSSES.map((loss) => ({ congestion, rttMs, loss }))),
  );
  const chosen = cells === 'all' ? all : all.filter((c) => c.rttMs === 10 && c.loss === 1e-3);
  const work = chosen.flatMap((cell) => Array.from({ length: runs }, (_, run) => ({ cell, run })));
  const mbps = new Map<(typeof all)[number], number[]>();
  const worker = async (): Promise<void> => {
    for (let job = work.shift(); job !== undefined; job = work.shift()) {
      const { congestion, rttMs, loss } = job.cell;
      const bdpBytes = (RATE_BPS * rttMs) / 8e3;
      const fiber = {
        oneWayNs: rttMs * 5e5,
        rateBps: RATE_BPS,
        queueBytes: Math.max(bdpBytes, 65_536),
        perDirection: { 'a-b': { lossProb: loss } },
      };
      const seed = `${congestion} ${rttMs} ${loss} ${job.run}`;
      const run = await using(await fabricTestbed({ fiber, spin: 'never', seed }), (t) =>
        tcp(t, { seconds, congestion }),
      );
      mbps.set(job.cell, [...(mbps.get(job.cell) ?? []), run.bps / 1e6]);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  for (const cell of chosen) {
    const loss = cell.loss.toExponential().replace('+', '');
    figures.add(`tcp.${cell.congestion}.${cell.rttMs}ms.${loss}.mbps`, 'Mbit/s', mbps.get(cell) ?? []);
  }
}
