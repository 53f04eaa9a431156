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
 * β = 0 one that rewrites a hot set. While β is unknown (after one round, or two of the same length) the pause is
 * predicted with β = 0, which never promises too much, and what rounds are to come with β = 1.
 *
 *   round(n) = n · page / throughput + what the last round took beyond its pages, an RTT at least
 *   pause    = overhead + one way + D(round(dirty now)) · page / throughput
 *
 * since the last round carries what is dirty now. What each decision costs and saves, with n pages dirty now, n₁ = D(round(n))
 * after a round of them, n₂ after one more, and p = page / throughput:
 *
 *   pre-copy   one more round shortens the pause by (n₁ − n₂)·p and the move grows by that round. Rounds end when the target
 *              is met, or when two of them took more time than `pauseWorth` times what they took from the pause.
 *   hybrid     The pause carries the few pages that fit the target, whatever is dirty then; a round only shortens the time
 *              afterwards in which the guest lacks pages. A last round with the n pages in it saves (n − n₁)·p of that for
 *              n₁·p more to send; one more before it saves (n₁ − n₂)·p for n₂·p and what a round takes beyond its pages.
 *              What costs more than it saves is not done.
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
  /** Rounds in a row of which one has to pay. Default 2: one as long as it takes to write a hot set shows no gain. */
  readonly stallRounds?: number | undefined;
  /** How much longer a move may take for a pause that is shorter by one. Default 20. */
  readonly pauseWorth?: number | undefined;
  /** Whether the guest may be slowed when rounds do not converge. Default false. */
  readonly slowGuest?: boolean | undefined;
}

/** Steps in which a guest is slowed, as shares of its time: auto-converge begins at a fifth as well. */
const SLOWDOWNS = [0.2, 0.4, 0.6, 0.75, 0.85, 0.92, 0.96, 0.98] as const;
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
  const stallRounds = requireRange('stallRounds', options.stallRounds ?? 2, 1, 1000);
  const pauseWorth = requireRange('pauseWorth', options.pauseWorth ?? 20, 0, 1e6, false);
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
    if (hybrid) {
      const step = hybridStep(history, roundsLeft);
      const flight = { predictedPauseNs, confidence: confidenceOf(history), flightPagesMax };
      const base = { ...flight, etaNs: step.roundsNs + predictedPauseNs };
      if (allNs <= targetPauseNs) return { ...base, action: 'switch', reason: 'the target is met' };
      return { ...base, action: step.action, reason: step.reason };
    }
    const outlook = etaNs === Infinity ? outlookOf(history, limits, forecastOf(limits)) : undefined;
    const base = {
      predictedPauseNs,
      etaNs,
      confidence: confidenceOf(history),
      ...(outlook === undefined ? {} : { outlook }),
    };
    if (allNs <= targetPauseNs) return { ...base, action: 'switch', reason: 'the target is met' };
    const stalled = hasStalled(history, overheadNs, stallRounds, pauseWorth);
    if (slowGuest && stalled) {
      const slowdown = SLOWDOWNS.find((s) => s > history.slowdown);
      if (slowdown !== undefined) {
        const reason = `rounds shortened the pause by too little; the guest gets ${Math.round(100 - slowdown * 100)} % of its time`;
        return { ...base, action: 'slow', slowdown, reason };
      }
    }
    if (!stalled && roundsLeft > 0) {
      const reason = etaNs === Infinity ? 'the target is out of reach, but rounds still help' : 'rounds help';
      return { ...base, action: 'continue', reason };
    }
    const why = stalled
      ? `${stallRounds} rounds shortened the pause by too little`
      : `${roundsMax} rounds are done`;
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

/** A round of so many pages, until the next may begin. */
function roundNsOf(m: Model, dirtyPages: number): number {
  return dirtyPages * m.nsPerPage + m.fixedNs;
}

type HybridStep = Pick<ConvergenceVerdict, 'reason'> & {
  readonly action: 'continue' | 'switch' | 'post-copy';
  /** Until the pause call, if the rounds to come are as the model has them. */
  readonly roundsNs: number;
};

/** What to do with the pages that are dirty now: carry them in a round, in the last one, or after the switchover. */
function hybridStep(history: ConvergenceHistory, roundsLeft: number): HybridStep {
  const m = modelOf(history, FRESH_PAGES);
  const after = (pages: number): number => dirtiedIn(m, roundNsOf(m, pages));
  const carries = (now: number, then: number): boolean => now - then > then;
  const goesOn = (then: number, later: number): boolean =>
    (then - later) * m.nsPerPage > later * m.nsPerPage + m.fixedNs;
  let now = m.dirtyPages;
  let then = after(now);
  if (!carries(now, then)) {
    const reason = 'a round would leave more than half as many pages';
    return { action: 'post-copy', reason, roundsNs: Math.round(m.fixedNs) };
  }
  let roundsNs = roundNsOf(m, now);
  let rounds = 1;
  for (let later = after(then); rounds <= roundsLeft && goesOn(then, later); later = after(then)) {
    roundsNs += roundNsOf(m, then);
    rounds++;
    [now, then] = [then, later];
  }
  roundsNs = Math.round(roundsNs);
  if (rounds > 1) return { action: 'continue', reason: 'rounds help', roundsNs };
  const reason = roundsLeft > 0 ? 'one more round would cost more than it saves' : 'no round is left';
  return { action: 'switch', reason, roundsNs };
}

interface Model {
  readonly dirtyPages: number;
  /** D₁ and t₁: pages dirtied in the last interval between harvests, and its length. */
  readonly intervalNs: number;
  readonly exponent: number;
  readonly pages: number;
  readonly nsPerPage: number;
  readonly rttNs: number;
  /** What a round takes whatever it carries. */
  readonly fixedNs: number;
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
  const fixedNs = Math.max(rttNs, last.endNs - last.startNs - last.pagesSent * nsPerPage);
  return { dirtyPages: last.dirtyPages, intervalNs, exponent, pages, nsPerPage, rttNs, fixedNs };
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
  return Math.round(overheadNs + m.rttNs / 2 + dirtiedIn(m, roundNsOf(m, dirtyPages)) * m.nsPerPage);
}

/** Plays the rounds to come on the model. @returns ns until the guest runs at the destination, or Infinity */
function forecast(m: Model, o: Limits): number {
  let dirty = m.dirtyPages;
  let ns = 0;
  for (let round = 0; round <= Math.max(0, o.roundsMax); round++) {
    const pauseNs = pauseAfter(m, dirty, o.overheadNs);
    const roundNs = roundNsOf(m, dirty);
    if (pauseNs <= o.targetPauseNs) return Math.round(ns + roundNs + pauseNs);
    const next = dirtiedIn(m, roundNs);
    if (next >= dirty * 0.999) return Infinity;
    ns += roundNs;
    dirty = next;
  }
  return Infinity;
}

/** Whether the last `stallRounds` rounds took more time than what they took from the pause is worth. */
function hasStalled(
  h: ConvergenceHistory,
  overheadNs: number,
  stallRounds: number,
  pauseWorth: number,
): boolean {
  const from = h.rounds.length - stallRounds;
  if (from < 1) return false;
  const predictions = h.rounds.map((_, i) => {
    const m = modelOf({ ...h, rounds: h.rounds.slice(0, i + 1) }, HOT_SET);
    return pauseAfter(m, m.dirtyPages, overheadNs);
  });
  const savedNs = Math.min(...predictions.slice(0, from)) - Math.min(...predictions.slice(from));
  const tookNs = h.rounds.slice(from).reduce((sum, r) => sum + intervalOf(r), 0);
  return savedNs * pauseWorth <= tookNs;
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
