/**
 * What is looked at in a run, real or simulated, to tell one cost of its hosts from another. Pure.
 *
 *   offer ─setup─► round 0 ─page─► rounds of few pages ─round─► poised ─► pause: its parts ─► started
 */
import { PAGE_SIZE } from '../../core/index.js';
import type { MigrationResult, PauseParts, RunResult } from '../result.js';

/** Rounds of fewer pages show what a round takes beside them. */
const SMALL_ROUND_PAGES = 500;

/** Nanoseconds, by name; a list has one value a move or round. */
export interface Observables {
  /** Offer to the first round. */
  readonly setup: number[];
  /** What a page adds: the first round against rounds of few pages. */
  readonly page: number[];
  /** A round of few pages, less what its pages add. */
  readonly round: number[];
  /** From the source's wish to pause until its guest stands. */
  readonly poised: number[];
  /** FINAL handed to the transport until all of the flight is in its place. */
  readonly flight: number[];
  readonly pause: number[];
  readonly parts: Readonly<Record<keyof PauseParts, number[]>>;
  /** Pages of the final flight. */
  readonly final: number[];
  /** Pages that went after the switchover. */
  readonly missing: number[];
}

/** A run, for when each of its hosts came to which phase. */
type RunTimes = Pick<RunResult, 'timeline' | 'experiment'>;

/** By move: how long the destination made its memory ready, over the pages of it; moves that populate nothing are left out. */
export function populateNsPerPage(run: RunTimes, moves: readonly MigrationResult[]): number[] {
  const pages = run.experiment.guest.memoryBytes / PAGE_SIZE;
  return moves
    .filter(({ mode }) => mode !== 'postcopy')
    .flatMap((m) => phaseNs(run, m, m.to, /→ preparing$/, /^preparing → receiving$/).map((ns) => ns / pages));
}

/** How long a host of a move was in a phase, by its time line; empty where that does not say. */
function phaseNs(
  { timeline }: RunTimes,
  { startNs, totalNs }: MigrationResult,
  site: string,
  begins: RegExp,
  ends: RegExp,
): number[] {
  const entered = (phase: RegExp): number | undefined =>
    timeline.find(
      ({ atNs, where, what }) =>
        atNs >= startNs && atNs <= startNs + totalNs && where === `host ${site}` && phase.test(what),
    )?.atNs;
  const from = entered(begins);
  const until = entered(ends);
  return from === undefined || until === undefined ? [] : [until - from];
}

/** @param moves those of the run that count */
export function observe(run: RunTimes, moves: readonly MigrationResult[]): Observables {
  const rounds = moves.flatMap((m) =>
    m.rounds.slice(1).map((r) => ({ pages: pagesOf(r), ns: r.durationNs })),
  );
  const small = rounds.filter((r) => r.pages > 0 && r.pages < SMALL_ROUND_PAGES);
  const smallPages = meanOf(small.map((r) => r.pages));
  const smallNs = meanOf(small.map((r) => r.ns));
  const page = moves.flatMap(({ rounds: [first] }) => {
    if (first === undefined) return [];
    if (small.length === 0) return [first.durationNs / pagesOf(first)];
    return [(first.durationNs - smallNs) / (pagesOf(first) - smallPages)];
  });
  const pageNs = medianOf(page);
  const parts = moves.flatMap((m) => m.pauseParts ?? []);
  return {
    setup: moves.flatMap((m) => (m.rounds[0] === undefined ? [] : [m.rounds[0].startNs - m.startNs])),
    page,
    round: small.map((r) => r.ns - r.pages * pageNs),
    poised: moves.flatMap((m) => phaseNs(run, m, m.from, /→ pausing$/, /^pausing → saving$/)),
    flight: parts.map((p) => p.propagateNs + p.applyNs),
    pause: moves.flatMap((m) => m.pauseNs ?? []),
    parts: Object.fromEntries(
      Object.keys(parts[0] ?? {}).map((name) => [name, parts.map((p) => p[name as keyof PauseParts])]),
    ) as Observables['parts'],
    final: moves.map((m) => m.pagesInPause),
    missing: moves.map((m) => m.postcopy?.pagesMissing ?? 0),
  };
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, v) => sum + v, 0) / values.length;
}

function pagesOf(round: { readonly pagesSent: number; readonly zeroPages: number }): number {
  return round.pagesSent + round.zeroPages;
}

/** The p-quantile by nearest rank; NaN of nothing. */
export function quantileOf(values: readonly number[], p: number): number {
  const sorted = values.slice().sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)] ?? Number.NaN;
}

export function medianOf(values: readonly number[]): number {
  return quantileOf(values, 0.5);
}
