/** What the bench of peers compares: every system in every place of the grid, and what each is called. Pure. */
import type { ExperimentInput } from '../../src/lab/config/experiment-keys.js';
import type { QemuTyped } from '../../src/lab/qemu/plan.js';

export type System =
  | { readonly name: string; readonly by: 'longhaul'; readonly guest: 'pc' | 'workload' }
  | { readonly name: string; readonly by: 'qemu'; readonly typed: QemuTyped };

/**
 * QEMU's best pause needs a limit that it does not have by default; both are asked. TCG, since v86 emulates too; its guest has to come whole, so that QEMU looks for dirty pages the way that loses none (docs/peers.md).
 */
export const SYSTEMS: readonly System[] = [
  { name: 'longhaul_pc', by: 'longhaul', guest: 'pc' },
  { name: 'longhaul_workload', by: 'longhaul', guest: 'workload' },
  { name: 'qemu_precopy', by: 'qemu', typed: { mode: 'precopy', accel: 'tcg', dirtySync: 'slow' } },
  {
    name: 'qemu_precopy_20ms',
    by: 'qemu',
    typed: { mode: 'precopy', accel: 'tcg', dirtySync: 'slow', downtimeLimit: '20ms' },
  },
  {
    name: 'qemu_multifd',
    by: 'qemu',
    typed: { mode: 'multifd', accel: 'tcg', dirtySync: 'slow', channels: '2' },
  },
  { name: 'qemu_postcopy', by: 'qemu', typed: { mode: 'postcopy', accel: 'tcg', dirtySync: 'slow' } },
];

export const DIRTY = ['0MBps', '50MBps', '200MBps'] as const;
/** Round trips; half of one is the fiber's one-way delay. */
export const RTTS = { '800us': '400us', '10ms': '5ms', '100ms': '50ms' } as const;
export const LOSSES = { '0': '0', '1e-3': '0.1%' } as const;

export const FIGURES = ['pause', 'total', 'bytes', 'gap', 'damaged'] as const;

export interface Place {
  readonly dirty: (typeof DIRTY)[number];
  readonly rtt: keyof typeof RTTS;
  readonly loss: keyof typeof LOSSES;
}

export const PLACES: readonly Place[] = (Object.keys(RTTS) as (keyof typeof RTTS)[]).flatMap((rtt) =>
  (Object.keys(LOSSES) as (keyof typeof LOSSES)[]).flatMap((loss) =>
    DIRTY.map((dirty) => ({ dirty, rtt, loss })),
  ),
);

export function placeName({ dirty, rtt, loss }: Place): string {
  return `${dirty}.${rtt}.${loss}`;
}

export function cellName(system: System, place: Place): string {
  return `${system.name}.${placeName(place)}`;
}

/** What both migrators are told of a place: the same fiber, the same memory, content that nothing makes smaller. */
export function sharedKeys(place: Place, memory: string, hotSet: string, repeat: number): ExperimentInput {
  const rate = place.dirty.replace('MBps', 'MB/s');
  return {
    seed: 7,
    fiber: { 'one-way': RTTS[place.rtt], rate: '10Gbit', loss: LOSSES[place.loss] },
    guest: {
      memory,
      fill: 'random',
      dirty: place.dirty === '0MBps' ? 'idle' : `uniform:${rate}`,
      'hot-set': hotSet,
    },
    probe: { count: 10 },
    migration: { repeat, between: '200ms', 'start-after': '2s', limit: '30s' },
  };
}
