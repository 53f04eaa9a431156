/**
 * When to stop copying and pause. A policy is a pure function of what the rounds showed; it is given to
 * the source and may be replaced.
 *
 *   continue ──► another round                         switch ──────► last round, the pause, all pages in it
 *   slow ──────► the same, with less of the guest       post-copy ───► last round, the pause, most pages after it
 *   give-up ───► back to the source
 *
 * The model of the default policy: the pages dirtied in a time t, D(t), follow a power law through
 * the last two rounds, D(t) = D₁ · (t / t₁)^β with 0 ≤ β ≤ 1. β = 1 is a guest that walks over fresh pages,
 * β = 0 one that rewrites a hot set. Then, were the last round begun now,
 *
 *   pause = overhead + one way + D(t_last + RTT) · page / throughput,   t_last = dirty now · page / throughput
 *
 * since that round carries what is dirty now, and its ROUND_DONE takes one RTT. While β is unknown (after one round, or
 * two of the same length) the pause is predicted with β = 0, which never promises too much, and the ETA with β = 1.
 *
 * In a hybrid move the pause carries the few pages that fit the target, whatever is dirty then, so that rounds only
 * serve to leave fewer pages for afterwards: they end when two in a row do not shorten the list by `improvement`.
 */
import { NS_PER_MS, NS_PER_S, PAGE_SIZE } from '../core/index.js';
import type {
  ConvergenceHistory,
  ConvergencePolicy,
  ConvergenceVerdict,
  RoundStats,
} from './convergence-contract.js';
import { outlookOf } from './convergence-outlook.js';
import { requireRange } from './errors.js';
import { INSTANT_MAX_NS } from './messages.js';

export interface PredictivePolicyOptions {
  /** The pause to aim at, nanoseconds. Default 5 ms. */
  readonly targetPauseNs?: number | undefined;
  /** A pause longer than this is not made: the guest stays. Default Infinity. */
  readonly pauseMaxNs?: number | undefined;
  /** What a pause costs without pages: parking, harvest, records, digests, start. Default 0.5 ms. */
  readonly overheadNs?: number | undefined;
  /** Rounds after which it is decided one way or the other. Default 30. */
  readonly roundsMax?: number | undefined;
  /** Rounds in a row that may pass without improving the prediction. Default 3. */
  readonly stallRounds?: number | undefined;
  /** What counts as an improvement, 0..1. Default 0.1. */
  readonly improvement?: number | undefined;
  /** Whether the guest may be slowed when rounds do not converge. Default false. */
  readonly slowGuest?: boolean | undefined;
}

/** Steps in which a guest is slowed, as shares of its time: auto-converge begins at a fifth as well. */
const SLOWDOWNS = [0.2, 0.4, 0.6, 0.75, 0.85, 0.92, 0.96, 0.98] as const;
/** Rounds in a row without gain that end the rounds of a hybrid move. */
const HYBRID_STALL_ROUNDS = 2;
/** A hybrid pause carries at least the pages that a guest touches with its first steps. */
const FLIGHT_PAGES_MIN = 8;
const FLIGHT_PAGES_MAX = 512;
/** What a page in the pause costs besides the wire: hashed, gathered, placed, hashed again. */
const PAGE_OVERHEAD_NS = 4000;

/**
 * The default policy: switches when the predicted pause meets the target, and when more rounds no
 * longer shorten it; gives up then only if the pause would be longer than `pauseMaxNs`.
 * @throws ConfigError VMOTION_CONFIG_RANGE
 */
export function predictivePolicy(options: PredictivePolicyOptions = {}): ConvergencePolicy {
  const targetPauseNs = requireRange(
    'targetPauseNs',
    options.targetPauseNs ?? 5 * NS_PER_MS,
    0,
    Infinity,
    false,
  );
  const pauseMaxNs = requireRange('pauseMaxNs', options.pauseMaxNs ?? Infinity, 0, Infinity, false);
  const overheadNs = requireRange('overheadNs', options.overheadNs ?? 0.5 * NS_PER_MS, 0, NS_PER_S);
  const roundsMax = requireRange('roundsMax', options.roundsMax ?? 30, 1, 10_000);
  const stallRounds = requireRange('stallRounds', options.stallRounds ?? 3, 1, 1000);
  const improvement = requireRange('improvement', options.improvement ?? 0.1, 0, 1, false);

  const slowGuest = options.slowGuest ?? false;

  const decide = (history: ConvergenceHistory): ConvergenceVerdict => {
    const model = modelOf(history, HOT_SET);
    const roundsLeft = roundsMax - history.rounds.length;
    const limits = { targetPauseNs, overheadNs, roundsMax: roundsLeft };
    const etaNs = forecast(modelOf(history, FRESH_PAGES), limits);
    const allNs = pauseAfter(model, model.dirtyPages, overheadNs);
    const hybrid = history.mode !== 'pre-copy';
    const flightPagesMax = hybrid ? flightPages(model, targetPauseNs - overheadNs) : Number.POSITIVE_INFINITY;
    const boundNs = overheadNs + model.rttNs / 2 + flightPagesMax * model.nsPerPage;
    const predictedPauseNs = Math.round(Math.min(allNs, boundNs));
    const outlook =
      etaNs === Infinity && !hybrid ? outlookOf(history, limits, forecastOf(limits)) : undefined;
    const base = {
      predictedPauseNs,
      etaNs: hybrid && etaNs === Infinity ? roundNsOf(model, model.dirtyPages) + predictedPauseNs : etaNs,
      confidence: confidenceOf(history),
      ...(hybrid ? { flightPagesMax } : {}),
      ...(outlook === undefined ? {} : { outlook }),
    };
    if (allNs <= targetPauseNs) return { ...base, action: 'switch', reason: 'the target is met' };
    if (hybrid) {
      const pays = roundPays(history, improvement);
      if (pays && roundsLeft > 0) return { ...base, action: 'continue', reason: 'rounds help' };
      const why = pays ? `${roundsMax} rounds are done` : 'another round would not leave fewer pages';
      return { ...base, action: 'post-copy', reason: why };
    }
    const stalled = hasStalled(history, overheadNs, stallRounds, improvement);
    if (slowGuest && stalled) {
      const slowdown = SLOWDOWNS.find((s) => s > history.slowdown);
      if (slowdown !== undefined) {
        const reason = `rounds did not shorten the pause; the guest gets ${Math.round(100 - slowdown * 100)} % of its time`;
        return { ...base, action: 'slow', slowdown, reason };
      }
    }
    if (!stalled && roundsLeft > 0) {
      const reason = etaNs === Infinity ? 'the target is out of reach, but rounds still help' : 'rounds help';
      return { ...base, action: 'continue', reason };
    }
    const why = stalled ? `${stallRounds} rounds did not shorten the pause` : `${roundsMax} rounds are done`;
    if (predictedPauseNs <= pauseMaxNs) return { ...base, action: 'switch', reason: why };
    return { ...base, action: 'give-up', reason: `${why} and it would be longer than allowed` };
  };
  return { decide };
}

interface Limits {
  readonly targetPauseNs: number;
  readonly overheadNs: number;
  readonly roundsMax: number;
}

/** The forecast with the guest's rate and the link's scaled, for the outlook. */
function forecastOf(limits: Limits) {
  return (history: ConvergenceHistory, guestScale: number, linkScale: number): number => {
    const m = modelOf(history, FRESH_PAGES);
    return forecast(
      { ...m, intervalNs: m.intervalNs / guestScale, nsPerPage: m.nsPerPage / linkScale },
      limits,
    );
  };
}

/** Pages that travel within `budgetNs` of a pause, its one way included. */
function flightPages(m: Model, budgetNs: number): number {
  const pages = Math.floor((budgetNs - m.rttNs / 2) / (m.nsPerPage + PAGE_OVERHEAD_NS));
  return clamp(pages, FLIGHT_PAGES_MIN, FLIGHT_PAGES_MAX);
}

function roundNsOf(m: Model, dirtyPages: number): number {
  return Math.round(dirtyPages * m.nsPerPage + m.rttNs);
}

/**
 * Whether one more round would leave so many fewer pages that it is worth its time: one of the last two did. Two, since
 * a round as long as the guest takes to write all of its hot set shows no gain although the next, shorter one may.
 */
function roundPays(h: ConvergenceHistory, improvement: number): boolean {
  const n = h.rounds.length;
  if (n <= HYBRID_STALL_ROUNDS) return true;
  const dirty = (i: number): number => h.rounds[i]!.dirtyPages;
  for (let i = n - HYBRID_STALL_ROUNDS; i < n; i++)
    if (dirty(i) < dirty(i - 1) * (1 - improvement)) return true;
  return false;
}

interface Model {
  readonly dirtyPages: number;
  /** D₁ and t₁: pages dirtied in the last interval between harvests, and its length. */
  readonly intervalNs: number;
  readonly exponent: number;
  readonly pages: number;
  readonly nsPerPage: number;
  readonly rttNs: number;
}

/** The exponents to assume while the rounds do not tell. */
const HOT_SET = 0;
const FRESH_PAGES = 1;

function modelOf({ rounds, rttNs, pages }: ConvergenceHistory, exponentUnknown: number): Model {
  const last = rounds[rounds.length - 1]!;
  const before = rounds[rounds.length - 2];
  const intervalNs = intervalOf(last);
  let exponent = exponentUnknown;
  if (before !== undefined && last.dirtyPages > 0 && before.dirtyPages > 0) {
    const spread = Math.log(intervalOf(before) / intervalNs);
    if (Math.abs(spread) > 0.1)
      exponent = clamp(Math.log(before.dirtyPages / last.dirtyPages) / spread, 0, 1);
  }
  // A round of a few pages measures latency, not the rate: trust the round that moved the most.
  const widest = rounds.reduce((a, b) => (b.bytes >= a.bytes ? b : a));
  const recent = last.bytes * 4 >= widest.bytes ? last : widest;
  const nsPerPage = (pageBytesOf(recent) * 8 * NS_PER_S) / Math.max(1, recent.throughputBps);
  return { dirtyPages: last.dirtyPages, intervalNs, exponent, pages, nsPerPage, rttNs };
}

/** Bytes that a page took in this round: fewer than it holds where deltas or a codec were at work. */
function pageBytesOf(r: RoundStats): number {
  return r.pagesSent > 0 ? Math.min(PAGE_SIZE, r.bytes / r.pagesSent) : PAGE_SIZE;
}

function intervalOf(r: RoundStats): number {
  const ns =
    r.dirtyRatePagesPerS > 0 ? (r.dirtyPages / r.dirtyRatePagesPerS) * NS_PER_S : r.endNs - r.startNs;
  return clamp(ns, 1, INSTANT_MAX_NS);
}

/** Distinct pages the guest dirties in `ns`. */
function dirtiedIn(m: Model, ns: number): number {
  return Math.min(m.pages, m.dirtyPages * (ns / m.intervalNs) ** m.exponent);
}

/** The pause, were the last round begun with `dirtyPages` to carry. */
function pauseAfter(m: Model, dirtyPages: number, overheadNs: number): number {
  const lastRoundNs = dirtyPages * m.nsPerPage + m.rttNs;
  return Math.round(overheadNs + m.rttNs / 2 + dirtiedIn(m, lastRoundNs) * m.nsPerPage);
}

/** Plays the rounds to come on the model. @returns ns until the guest runs at the destination, or Infinity */
function forecast(m: Model, o: Limits): number {
  let dirty = m.dirtyPages;
  let ns = 0;
  for (let round = 0; round <= Math.max(0, o.roundsMax); round++) {
    const pauseNs = pauseAfter(m, dirty, o.overheadNs);
    const roundNs = dirty * m.nsPerPage + m.rttNs;
    if (pauseNs <= o.targetPauseNs) return Math.round(ns + roundNs + pauseNs);
    const next = dirtiedIn(m, roundNs);
    if (next >= dirty * 0.999) return Infinity;
    ns += roundNs;
    dirty = next;
  }
  return Infinity;
}

/** Whether none of the last `stallRounds` rounds beat the best prediction before them by `improvement`. */
function hasStalled(
  h: ConvergenceHistory,
  overheadNs: number,
  stallRounds: number,
  improvement: number,
): boolean {
  const n = h.rounds.length;
  if (n <= stallRounds) return false;
  const predictions = h.rounds.map((_, i) => {
    const m = modelOf({ ...h, rounds: h.rounds.slice(0, i + 1) }, HOT_SET);
    return pauseAfter(m, m.dirtyPages, overheadNs);
  });
  const best = Math.min(...predictions.slice(0, n - stallRounds));
  return predictions.slice(n - stallRounds).every((p) => p > best * (1 - improvement));
}

/** The model of one round ago against what then happened: the smaller over the larger. */
function confidenceOf(h: ConvergenceHistory): number {
  const n = h.rounds.length;
  if (n < 2) return 0;
  const m = modelOf({ ...h, rounds: h.rounds.slice(0, n - 1) }, FRESH_PAGES);
  const predicted = dirtiedIn(m, intervalOf(h.rounds[n - 1]!)) + 1;
  const seen = h.rounds[n - 1]!.dirtyPages + 1;
  return Math.min(predicted, seen) / Math.max(predicted, seen);
}

function clamp(v: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, v));
}
