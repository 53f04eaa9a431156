/** The grid: 3 profiles × 3 dirty rates × 2 modes, of a guest whose pages cannot be made shorter. */
import type { ExperimentInput } from '../../src/lab/config/experiment-keys.js';

export interface Cell {
  /** PROFILE.DIRTY.MODE */
  readonly name: string;
  /** Without the number of moves. */
  readonly input: ExperimentInput & { readonly migration: object };
}

const PROFILES: Readonly<Record<string, object>> = {
  'metro-80km': { profile: 'metro-80km' },
  'metro-vmotion-10ms': { profile: 'metro-vmotion-10ms' },
  'metro-1Gbit-loss1e-3': { profile: 'metro-80km', rate: '1Gbit', loss: '0.1%' },
};
const DIRTY = { '0MBps': 'idle', '20MBps': 'uniform:20MB/s', '50MBps': 'uniform:50MB/s' } as const;
const MODES = ['precopy', 'hybrid'] as const;

/** Where the fiber loses packets there are no clients: what they lose would refuse the move. */
export const CELLS: readonly Cell[] = Object.entries(PROFILES).flatMap(([profile, fiber]) =>
  (Object.keys(DIRTY) as (keyof typeof DIRTY)[]).flatMap((dirty) =>
    MODES.map((mode) => ({
      name: `${profile}.${dirty}.${mode}`,
      input: {
        attach: 'netns' as const,
        seed: 7,
        fiber,
        guest: { memory: '64MiB', fill: 'random', dirty: DIRTY[dirty], 'hot-set': '16MiB' } as const,
        probe: { count: 10 },
        ...('loss' in fiber ? { clients: [] } : {}),
        migration: { mode, compress: 'off', delta: 'off', dedup: 'off', between: '100ms' } as const,
      },
    })),
  ),
);
