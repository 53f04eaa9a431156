/**
 * Whether as many frames are lost as the setting says, in standard deviations of the binomial distribution:
 * small frames counted by the kernel at both ends, and 64 KiB super-frames counted in wire packets by the fiber.
 */
import type { Figures } from '../../figures.js';
import type { Scale } from '../scale.js';
import { fabricTestbed } from '../testbeds/longhaul.js';
import { introduce, sendFrames } from '../traffic/frames.js';
import { tcp } from '../traffic/iperf.js';
import { using } from '../using.js';

const RATE = 50_000;
const PROBABILITIES = [0.001, 0.01, 0.05];
const UNLIMITED = Number.POSITIVE_INFINITY;

function sigmas(lost: number, offered: number, p: number): number {
  return (lost - offered * p) / Math.sqrt(offered * p * (1 - p));
}

export async function measureLoss(figures: Figures, scale: Scale): Promise<void> {
  for (const p of PROBABILITIES) {
    const name = `${p * 100}pct`.replace('.', 'p');
    const fiber = { oneWayNs: 400_000, rateBps: UNLIMITED, perDirection: { 'a-b': { lossProb: p } } };
    const seed = `loss ${p}`;
    const run = await using(await fabricTestbed({ fiber, seed }), async (t) => {
      await introduce(t);
      return sendFrames(t, scale.lossFrames, RATE);
    });
    figures.add(`loss.${name}.sigmas`, 'sigma', [sigmas(run.offered - run.arrived, run.offered, p)]);

    const lane = await using(await fabricTestbed({ fiber, seed }), async (t) => {
      await tcp(t, { seconds: scale.tcpSeconds, streams: 4, congestion: 'bbr' });
      return (await t.snapshot()).fiber.aToB;
    });
    figures.add(`loss.${name}.superframe.sigmas`, 'sigma', [
      sigmas(lane.dropped.loss.packets, lane.offered.packets, p),
    ]);
    figures.add(`loss.${name}.superframe.packets`, 'packets', [lane.offered.packets]);
  }
}
