/** How far from its due instant a frame is released, of a stream of 10,000 frames/s; stamped just before the write. */
import type { Lateness, WriteDuration } from '../../../src/fabric/index.js';
import type { Figures } from '../../figures.js';
import { DISTANCES, type Scale } from '../scale.js';
import { fabricTestbed } from '../testbeds/longhaul.js';
import { introduce, sendFrames } from '../traffic/frames.js';
import { using } from '../using.js';

const RATE = 10_000;

export async function measureReleaseError(figures: Figures, scale: Scale): Promise<void> {
  for (const { name, oneWayNs } of DISTANCES) {
    const turns = name === '400us' ? scale.turns : 1;
    const seen: Lateness[] = [];
    const writes: WriteDuration[] = [];
    for (let turn = 0; turn < turns; turn++) {
      const fiber = { oneWayNs, rateBps: Number.POSITIVE_INFINITY };
      seen.push(
        await using(await fabricTestbed({ fiber }), async (t) => {
          await introduce(t);
          await sendFrames(t, RATE, RATE); // a second that compiles what is hot
          await t.forgetLateness();
          await sendFrames(t, scale.streamFrames, RATE);
          const snapshot = await t.snapshot();
          writes.push(snapshot.writes);
          return snapshot.lateness;
        }),
      );
    }
    const prefix = name === '400us' ? 'release.error' : `release.error.${name}`;
    const us = (pick: (l: Lateness) => number): number[] => seen.map((l) => pick(l) / 1000);
    figures.add(
      `${prefix}.p50`,
      'us',
      us((l) => l.p50Ns),
    );
    figures.add(
      `${prefix}.p99`,
      'us',
      us((l) => l.p99Ns),
    );
    figures.add(
      `${prefix}.p999`,
      'us',
      us((l) => l.p999Ns),
    );
    figures.add(
      `${prefix}.max`,
      'us',
      us((l) => l.maxNs),
    );
  }
}
