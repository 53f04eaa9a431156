/** What a fabric costs that carries nothing: CPU time over wall time. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Figures } from '../../figures.js';
import type { Scale } from '../scale.js';
import { fabricTestbed } from '../testbeds/longhaul.js';
import { using } from '../using.js';

export async function measureIdle(figures: Figures, scale: Scale): Promise<void> {
  const shares: number[] = [];
  for (let turn = 0; turn < scale.turns; turn++) {
    const share = await using(await fabricTestbed({ fiber: { profile: 'metro-80km' } }), async (t) => {
      await sleep(1000);
      const before = t.cpuSeconds();
      await sleep(scale.idleSeconds * 1000);
      return (t.cpuSeconds() - before) / scale.idleSeconds;
    });
    shares.push(share);
  }
  figures.add('idle.cpu', 'cores', shares);
}
