/**
 * The cells of the headline bench: one experiment at 80 km, and one or two things varied at a time.
 *
 *   distance          hybrid, TCP           what does the way cost?
 *   mode              at 80 and 1000 km     and in which mode?
 *   transport         at 0, 80, 1000 km     and over our own transport?
 *   dirty rate × mode at 80 km              what does a busy guest cost?
 *   memory × mode     at 80 km              what does a small or a large one cost?
 *
 * Memory is random, which nothing makes shorter; the guest writes 32 MiB of it. All at 10 Gbit/s, encrypted.
 * Half of a cell's time is its start: five processes, memory filled, hosts that rehearse. So few cells of many moves.
 */
import type { ExperimentInput } from '../../src/lab/config/experiment-keys.js';
import { type Cell, cellOf } from '../../src/sweep/index.js';

export const DISTANCES = ['0km', '10km', '80km', '200km', '1000km'] as const;
export const MODES = ['precopy', 'postcopy', 'hybrid'] as const;
export const DIRTY = { '0MBps': 'idle', '50MBps': 'uniform:50MB/s', '500MBps': 'uniform:500MB/s' } as const;
export const MEMORIES = ['64MiB', '256MiB', '1GiB'] as const;

/** What a cell is, beside all that stays the same. */
export interface Point {
  readonly distance: (typeof DISTANCES)[number];
  readonly mode: (typeof MODES)[number];
  readonly transport: 'tcp' | 'udp';
  readonly memory: (typeof MEMORIES)[number];
  readonly dirty: keyof typeof DIRTY;
}

/** From which a cell differs in one thing or two. */
export const FULL_BASE: Point = {
  distance: '80km',
  mode: 'hybrid',
  transport: 'tcp',
  memory: '256MiB',
  dirty: '50MBps',
};

/** The same with a small guest, so that a busy machine is done in time too. */
export const QUICK_BASE: Point = { ...FULL_BASE, memory: '64MiB' };

/** Tokens without dots or slashes, joined by dots: the name of its figures. */
export function pointName({ mode, transport, distance, memory, dirty }: Point): string {
  return [mode, transport, distance, memory, dirty].join('.');
}

type Axes = Partial<{ readonly [K in keyof Point]: readonly Point[K][] }>;

function pointsOf(axes: Axes, base = FULL_BASE): Point[] {
  let points: Point[] = [base];
  for (const [key, values] of Object.entries(axes))
    points = points.flatMap((p) => (values as readonly string[]).map((v) => ({ ...p, [key]: v })));
  return points;
}

const FULL: readonly Point[] = [
  ...pointsOf({ distance: DISTANCES }),
  ...pointsOf({ distance: ['80km', '1000km'], mode: ['precopy', 'postcopy'] }),
  ...pointsOf({ distance: ['0km', '80km', '1000km'], transport: ['udp'] }),
  ...pointsOf({ dirty: ['0MBps', '500MBps'], mode: MODES }),
  ...pointsOf({ memory: ['64MiB', '1GiB'] }),
  ...pointsOf({ memory: ['1GiB'], mode: ['precopy', 'postcopy'] }),
];

const QUICK: readonly Point[] = [
  ...pointsOf({ distance: ['0km', '80km', '1000km'] }, QUICK_BASE),
  ...pointsOf({ mode: ['precopy', 'postcopy'] }, QUICK_BASE),
  ...pointsOf({ transport: ['udp'] }, QUICK_BASE),
];

export interface BenchCell {
  readonly point: Point;
  readonly name: string;
  readonly cell: Cell;
}

/** @param moves of each cell, there and back @param only words of which a cell's name has one; none for all cells */
export function benchCells(quick: boolean, moves: number, only: readonly string[] = []): BenchCell[] {
  return (quick ? QUICK : FULL).flatMap((point) => {
    const name = pointName(point);
    if (only.length > 0 && !only.some((word) => name.includes(word))) return [];
    return [{ point, name, cell: cellOf(name, inputOf(point, moves)) }];
  });
}

function inputOf({ distance, mode, transport, memory, dirty }: Point, repeat: number): ExperimentInput {
  return {
    seed: 7,
    fiber: { distance, rate: '10Gbit' },
    guest: { memory, fill: 'random', dirty: DIRTY[dirty], 'hot-set': '32MiB' },
    clients: [{ site: 'a' }, { site: 'b' }],
    probe: { count: 50 },
    migration: { mode, transport, repeat, between: '100ms' },
  };
}
