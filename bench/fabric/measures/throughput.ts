/**
 * One and four TCP streams at MTU 1500: the veth pair, this fabric and VDE's wirefilter in turn. Stations have the
 * super-frames that `longhaul run` gives them on such a fiber, which are of 256 KiB (Linux 6.3, "BIG TCP"); beside it
 * stand a veth pair with as long ones (`veth_big`), and this fabric between stations with the kernel's 64 KiB (`64k`).
 */
import { resolveFiber } from '../../../src/fiber/index.js';
import { KERNELS_SUPER_FRAME_BYTES, superFrameBytesFor } from '../../../src/lab/config/super-frames.js';
import type { Figures } from '../../figures.js';
import type { Scale } from '../scale.js';
import type { Testbed } from '../testbed.js';
import { fabricTestbed } from '../testbeds/longhaul.js';
import { vdeLack, vdeTestbed } from '../testbeds/vde.js';
import { vethTestbed } from '../testbeds/veth.js';
import { tcp } from '../traffic/iperf.js';
import { using } from '../using.js';

const UNLIMITED = { oneWayNs: 400_000, rateBps: Number.POSITIVE_INFINITY };
const BIG_BYTES = superFrameBytesFor(resolveFiber(UNLIMITED));

/** The smallest delay that wirefilter does not truncate to nothing. */
const WIREFILTER_SMALLEST_MS = 1;

export async function measureThroughput(figures: Figures, scale: Scale): Promise<void> {
  const lack = vdeLack();
  const peers: { name: string; open: () => Promise<Testbed> }[] = [
    { name: 'veth', open: async () => vethTestbed() },
    { name: 'longhaul', open: () => fabricTestbed({ fiber: UNLIMITED }) },
    {
      name: '64k',
      open: () => fabricTestbed({ fiber: UNLIMITED, superFrameBytes: KERNELS_SUPER_FRAME_BYTES }),
    },
    { name: 'vethBig', open: async () => vethTestbed(BIG_BYTES) },
    ...(lack === null ? [{ name: 'wirefilter', open: () => vdeTestbed(WIREFILTER_SMALLEST_MS) }] : []),
  ];
  for (const streams of [1, 4]) {
    const gbps: Record<string, number[]> = {};
    const cpu: number[] = [];
    const retransmits: number[] = [];
    for (let turn = 0; turn < scale.turns; turn++) {
      for (const { name, open } of peers) {
        const run = await using(await open(), (t) => tcp(t, { seconds: scale.tcpSeconds, streams }));
        gbps[name] = [...(gbps[name] ?? []), run.bps / 1e9];
        if (name !== 'longhaul') continue;
        cpu.push(run.cpuShare);
        retransmits.push(run.retransmits);
      }
    }
    const over = (peer: string, what = 'longhaul'): number[] =>
      gbps[what]!.map((v, i) => v / gbps[peer]![i]!);
    figures.add(`tcp${streams}.gbps`, 'Gbit/s', gbps.longhaul!);
    figures.add(`tcp${streams}.cpu`, 'cores', cpu);
    figures.add(`tcp${streams}.retransmits`, 'segments', retransmits);
    figures.add(`tcp${streams}.veth.gbps`, 'Gbit/s', gbps.veth!);
    figures.add(`tcp${streams}.over_veth`, 'ratio', over('veth'));
    figures.add(`tcp${streams}.veth_big.gbps`, 'Gbit/s', gbps.vethBig!);
    figures.add(`tcp${streams}.over_veth_big`, 'ratio', over('vethBig'));
    figures.add(`tcp${streams}.64k.gbps`, 'Gbit/s', gbps['64k']!);
    figures.add(`tcp${streams}.64k.over_veth`, 'ratio', over('veth', '64k'));
    if (gbps.wirefilter) {
      figures.add(`tcp${streams}.wirefilter.gbps`, 'Gbit/s', gbps.wirefilter);
      figures.add(`tcp${streams}.over_wirefilter`, 'ratio', over('wirefilter'));
    } else {
      figures.skip(`tcp${streams}.over_wirefilter`, lack!);
    }
  }
}
