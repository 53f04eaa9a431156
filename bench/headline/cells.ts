/**
 * The cells of the headline bench: one experiment at 80 km, and one or two things varied at a time.
 *
 *   distance × mode   over TCP        what does the way cost?
 *   distance, hybrid  over UDP        and over our own transport?
 *   dirty rate × mode at 80 km        what does a busy guest cost?
 *   memory × mode     at 80 km        what does a large one cost?
 *
 * Memory is random, which nothing makes shorter; the guest writes 32 MiB of it. All at 10 Gbit/s, encrypted.
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

const BASE: Point = { distance: '80km', mode: 'hybrid', transport: 'tcp', memory: '256MiB', dirty: '50MBps' };

/** Tokens without dots or slashes, joined by dots: the name of its figures. */
export function pointName({ mode, transport, distance, memory, dirty }: Point): string {
  return [mode, transport, distance, memory, dirty].join('.');
}

function pointsOf(axes: Partial<{ readonly [K in keyof Point]: readonly Point[K][] }>): Point[] {
  let points: Point[] = [BASE];
  for (const [key, values] of Object.entries(axes))
    points = points.flatMap((p) => (values as readonly string[]).map((v) => ({ ...p, [key]: v })));
  return points;
}

const FULL: readonly Point[] = [
  ...pointsOf({ distance: DISTANCES, mode: MODES }),
  ...pointsOf({ distance: DISTANCES, transport: ['udp'] }),
  ...pointsOf({ dirty: ['0MBps', '500MBps'], mode: MODES }),
  ...pointsOf({ memory: ['64MiB', '1GiB'], mode: MODES }),
];

const QUICK: readonly Point[] = [
  ...pointsOf({ distance: ['0km', '80km', '1000km'] }),
  ...pointsOf({ mode: ['precopy', 'postcopy'] }),
  ...pointsOf({ transport: ['udp'] }),
];

export interface BenchCell {
  readonly point: Point;
  readonly cell: Cell;
}

/** @param moves of each cell, there and back */
export function benchCells(quick: boolean, moves: number): BenchCell[] {
  return (quick ? QUICK : FULL).map((point) => ({
    point,
    cell: cellOf(pointName(point), inputOf(point, moves)),
  }));
}

function inputOf({ distance, mode, transport, memory, dirty }: Point, repeat: number): ExperimentInput {
  return {
    seed: 7,
    fiber: { distance, rate: '10Gbit' },
    guest: { memory, fill: 'random', dirty: DIRTY[dirty], 'hot-set': '32MiB' },
    clients: [{ site: 'a' }, { site: 'b' }],
    probe: { count: 50 },
    migration: { mode, transport, repeat, between: '300ms' },
  };
}
