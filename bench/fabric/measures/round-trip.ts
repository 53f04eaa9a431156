/** How much longer than the fiber a ping takes, beyond what it takes over a plain veth pair. */
import { median } from '../../../src/report/index.js';
import type { Figures } from '../../figures.js';
import { DISTANCES, type Scale } from '../scale.js';
import { fabricTestbed } from '../testbeds/longhaul.js';
import { vdeLack, vdeTestbed } from '../testbeds/vde.js';
import { vethTestbed } from '../testbeds/veth.js';
import { roundTripsUs } from '../traffic/ping.js';
import { using } from '../using.js';

export async function measureRoundTrips(figures: Figures, scale: Scale): Promise<void> {
  const floor: number[] = [];
  const over = { sleep: [] as number[], spin: [] as number[] };
  for (let turn = 0; turn < scale.turns; turn++) {
    const veth = await using(vethTestbed(), (t) => roundTripsUs(t, scale.pings));
    floor.push(median(veth));
    for (const [mode, spin] of [
      ['sleep', 'deadline'],
      ['spin', 'always'],
    ] as const) {
      const choice = { fiber: { oneWayNs: 400_000, rateBps: Number.POSITIVE_INFINITY }, spin };
      const rtts = await using(await fabricTestbed(choice), (t) => roundTripsUs(t, scale.pings));
      over[mode].push(median(rtts) - 800 - median(veth));
    }
  }
  figures.add('ping.rtt.p50.veth', 'us', floor);
  figures.add('ping.rtt.p50.over_veth.sleep', 'us', over.sleep);
  figures.add('ping.rtt.p50.over_veth.spin', 'us', over.spin);

  for (const { name, oneWayNs } of DISTANCES) {
    const fiber = { oneWayNs, rateBps: Number.POSITIVE_INFINITY };
    figures.add(
      `ping.rtt.${name}`,
      'us',
      await using(await fabricTestbed({ fiber }), (t) => roundTripsUs(t, scale.pings)),
    );
    if (oneWayNs % 1e6 !== 0) continue; // wirefilter counts whole milliseconds
    if (vdeLack() !== null) figures.skip(`ping.rtt.${name}.wirefilter`, vdeLack()!);
    else {
      figures.add(
        `ping.rtt.${name}.wirefilter`,
        'us',
        await using(await vdeTestbed(oneWayNs / 1e6), (t) => roundTripsUs(t, scale.pings)),
      );
    }
  }
}
