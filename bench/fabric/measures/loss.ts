/**
 * Whether as many frames are lost as the setting says, in standard deviations of the binomial distribution:
 * small frames counted by the kernel at both ends, and TCP counted in wire packets by the fiber: in super-frames of
 * 64 KiB, in single packets with the offload off, and in jumbo frames.
 */
import type { LaneCounters } from '../../../src/fiber/index.js';
import type { Figures } from '../../figures.js';
import type { Scale } from '../scale.js';
import { isOnPath, runAt } from '../testbed.js';
import { type FabricTestbed, fabricTestbed } from '../testbeds/longhaul.js';
import { introduce, sendFrames } from '../traffic/frames.js';
import { tcp } from '../traffic/iperf.js';
import { using } from '../using.js';

const RATE = 50_000;
const PROBABILITIES = [0.001, 0.01, 0.05];
/** How the ends send their segments; what it takes to make them do so. */
const SHAPES = [
  { name: 'superframe', program: null, words: [] },
  {
    name: 'offload_off',
    program: 'ethtool',
    words: ['-K', 'eth0', 'tso', 'off', 'gso', 'off', 'gro', 'off'],
  },
  { name: 'jumbo', program: 'ip', words: ['link', 'set', 'eth0', 'mtu', '9000'] },
] as const;
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

    for (const shape of SHAPES) {
      const cell = `loss.${name}.${shape.name}`;
      if (shape.program !== null && !isOnPath(shape.program)) {
        figures.skip(cell, `${shape.program} not on the PATH`);
        continue;
      }
      // A TAP has one end, so that its MTU is changed where the traffic is.
      const lane = await using(await fabricTestbed({ fiber, seed, ports: 'tap' }), async (t) => {
        if (shape.program !== null) for (const end of t.ends) await runAt(end, shape.program, ...shape.words);
        return lossOf(t, scale.tcpSeconds);
      });
      figures.add(`${cell}.sigmas`, 'sigma', [sigmas(lane.dropped.loss.packets, lane.offered.packets, p)]);
      figures.add(`${cell}.packets`, 'packets', [lane.offered.packets]);
      figures.add(`${cell}.bytes_a_frame`, 'bytes', [lane.offered.wireBytes / lane.offered.frames]);
    }
  }
}

async function lossOf(t: FabricTestbed, seconds: number): Promise<LaneCounters> {
  await tcp(t, { seconds, streams: 4, congestion: 'bbr' });
  return (await t.snapshot()).fiber.aToB;
}
