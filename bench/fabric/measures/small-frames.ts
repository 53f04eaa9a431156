/**
 * The highest rate of 64-byte frames that a testbed passes without losing one, found by bisection.
 *
 * Both kinds of port are measured: `small.mpps` is over TAPs, which pass more small frames, as VDE's are; beside
 * it stand packet sockets on veth pairs, which `longhaul run` takes because they know when a frame came.
 */
import { type Figures, say } from '../../figures.js';
import type { Scale } from '../scale.js';
import type { Testbed } from '../testbed.js';
import { fabricTestbed } from '../testbeds/longhaul.js';
import { vdeLack, vdeTestbed } from '../testbeds/vde.js';
import { vethTestbed } from '../testbeds/veth.js';
import { introduce, sendFrames } from '../traffic/frames.js';
import { using } from '../using.js';

const LOWEST = 20_000;
const HIGHEST = 1_000_000;
/** Bisect until the bounds are this close. */
const RESOLUTION = 1.04;
/** On a shared machine one hiccup is not the testbed's limit: a rate counts as passed if one try of these loses nothing. */
const TRIES = 3;
const WARM_UPS = 4;

async function highestLosslessRate(testbed: Testbed, seconds: number): Promise<number> {
  await introduce(testbed);
  // What has never run loses frames that it later does not: a bisection would never come back above that rate.
  for (let i = 0; i < WARM_UPS; i++) await sendFrames(testbed, LOWEST, 4 * LOWEST);
  let [low, high] = [0, HIGHEST];
  let passed = 0;
  let next = LOWEST * 4;
  while (low === 0 ? next >= LOWEST : high / low > RESOLUTION) {
    let offeredRate = 0;
    let lossless = false;
    for (let attempt = 0; attempt < TRIES && !lossless; attempt++) {
      const run = await sendFrames(testbed, Math.round(next * seconds), next);
      offeredRate = run.rate;
      lossless = run.arrived === run.offered;
    }
    say(`  ${testbed.name}: ${(next / 1e6).toFixed(3)} M/s ${lossless ? 'passed' : 'lost frames'}`);
    if (lossless) {
      low = next;
      passed = Math.max(passed, offeredRate);
      if (offeredRate < next * 0.9) break; // the generator is the limit
    } else high = next;
    next = low === 0 ? next / 2 : high === HIGHEST ? Math.min(HIGHEST, low * 1.5) : Math.sqrt(low * high);
  }
  return passed;
}

export async function measureSmallFrames(figures: Figures, scale: Scale): Promise<void> {
  const lack = vdeLack();
  const seconds = scale.smallFrameSeconds;
  const mpps: Record<string, number[]> = { veth: [], longhaul: [], packet: [], wirefilter: [] };
  for (let turn = 0; turn < Math.min(3, scale.turns); turn++) {
    const rate = (open: Testbed) => using(open, (t) => highestLosslessRate(t, seconds));
    mpps.veth!.push((await rate(vethTestbed())) / 1e6);
    const fiber = { oneWayNs: 400_000, rateBps: Number.POSITIVE_INFINITY };
    mpps.longhaul!.push((await rate(await fabricTestbed({ fiber, ports: 'tap' }))) / 1e6);
    mpps.packet!.push((await rate(await fabricTestbed({ fiber, ports: 'packet' }))) / 1e6);
    if (lack === null) mpps.wirefilter!.push((await rate(await vdeTestbed(1))) / 1e6);
  }
  figures.add('small.mpps', 'Mframes/s', mpps.longhaul!);
  figures.add('small.packet.mpps', 'Mframes/s', mpps.packet!);
  figures.add('small.veth.mpps', 'Mframes/s', mpps.veth!);
  figures.add(
    'small.over_veth',
    'ratio',
    mpps.longhaul!.map((v, i) => v / mpps.veth![i]!),
  );
  if (lack === null) {
    figures.add('small.wirefilter.mpps', 'Mframes/s', mpps.wirefilter!);
    figures.add(
      'small.over_wirefilter',
      'ratio',
      mpps.longhaul!.map((v, i) => v / mpps.wirefilter![i]!),
    );
  } else figures.skip('small.over_wirefilter', lack);
}
