/**
 * The figures by which moves are compared, exported and plotted: each one from a move and its run, in the
 * base unit that its format takes. And beside them the physical limits that no protocol can pass.
 */
import { formatBps, formatBytes, formatNs, PAGE_SIZE } from '../core/index.js';
import type { MigrationResult, RunResult } from '../lab/result.js';
import { formatCount } from './figures.js';

/** An Ethernet frame at an MTU of 1500 over TCP with time stamps: 1448 of 1538 bytes on the wire are payload. */
const WIRE_BYTES_A_PAYLOAD_BYTE = 1538 / 1448;

export interface Metric {
  /** Its column: a token that ends in its unit. */
  readonly key: string;
  readonly title: string;
  readonly better: 'lower' | 'higher';
  /** `null` where the move has none. */
  of(move: MigrationResult, run: RunResult): number | null;
  format(value: number): string;
}

export const METRICS: readonly Metric[] = [
  { key: 'pauseNs', title: 'pause', better: 'lower', of: (m) => m.pauseNs, format: formatNs },
  { key: 'totalNs', title: 'total', better: 'lower', of: (m) => m.totalNs, format: formatNs },
  {
    key: 'completeNs',
    title: 'until all memory is there',
    better: 'lower',
    of: (m) => m.totalNs + (m.postcopy?.durationNs ?? 0),
    format: formatNs,
  },
  { key: 'gapNs', title: 'longest gap', better: 'lower', of: longestGapNs, format: formatNs },
  { key: 'blockedNs', title: 'blocked', better: 'lower', of: (m) => m.blockedNs, format: formatNs },
  {
    key: 'throughputBps',
    title: 'throughput',
    better: 'higher',
    of: (m) => m.throughputBps,
    format: formatBps,
  },
  {
    key: 'bytesOnWire',
    title: 'on the wire',
    better: 'lower',
    of: (m) => m.bytesOnWire,
    format: formatBytes,
  },
  { key: 'rounds', title: 'rounds', better: 'lower', of: (m) => m.rounds.length, format: formatCount },
  { key: 'lost', title: 'answers lost', better: 'lower', of: answersLost, format: formatCount },
];

/** The metric of that key. */
export function metric(key: string): Metric {
  return METRICS.find((m) => m.key === key)!;
}

/** A metric's values over the completed moves of a run. */
export function valuesOf(run: RunResult, { of }: Metric): number[] {
  return run.migrations.flatMap((m) => {
    const value = m.outcome === 'completed' ? of(m, run) : null;
    return value === null ? [] : [value];
  });
}

function longestGapNs({ clients }: MigrationResult): number | null {
  return clients.length === 0 ? null : Math.max(...clients.map((c) => c.longestGapNs));
}

function answersLost({ clients }: MigrationResult): number | null {
  return clients.length === 0 ? null : clients.reduce((sum, c) => sum + c.lost, 0);
}

export interface Path {
  readonly oneWayNs: number;
  /** Of its slowest span; Infinity when unlimited. */
  readonly rateBps: number;
  /** Chance that a packet is lost on the way. */
  readonly lossProb: number;
}

/** What lies between the sites, in the direction in which a guest at `from` leaves. */
export function pathOf({ experiment }: RunResult, from: 'a' | 'b' = 'a'): Path {
  const lanes = experiment.fiber.spans.map((s) => s[from === 'a' ? 'aToB' : 'bToA']);
  return {
    oneWayNs: lanes.reduce((sum, l) => sum + l.oneWayNs, 0),
    rateBps: Math.min(...lanes.map((l) => l.rateBps ?? Number.POSITIVE_INFINITY)),
    lossProb: 1 - lanes.reduce((passes, l) => passes * (1 - l.lossProb), 1),
  };
}

/** All of memory at the rate of the link, and the way there; `null` when the rate is unlimited. */
export function totalLimitNs(run: RunResult, move: MigrationResult): number | null {
  const { oneWayNs, rateBps } = pathOf(run, move.from);
  if (!Number.isFinite(rateBps)) return null;
  return oneWayNs + (run.experiment.guest.memoryBytes * 8e9 * WIRE_BYTES_A_PAYLOAD_BYTE) / rateBps;
}

/** One way, and what travelled while the guest stood, at the rate of the link. */
export function pauseLimitNs(run: RunResult, move: MigrationResult): number {
  const { oneWayNs, rateBps } = pathOf(run, move.from);
  return oneWayNs + (move.pagesInPause * PAGE_SIZE * 8e9 * WIRE_BYTES_A_PAYLOAD_BYTE) / rateBps;
}
