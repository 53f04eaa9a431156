/**
 * When to stop copying and pause. A policy is a pure function of what the rounds showed; it is given to
 * the source and may be replaced.
 *
 *   continue ──► another round        switch ──► last round, then the pause        give-up ──► back to the source
 *
 * The model of the default policy: the pages dirtied in a time t, D(t), follow a power law through
 * the last two rounds, D(t) = D₁ · (t / t₁)^β with 0 ≤ β ≤ 1. β = 1 is a guest that walks over fresh pages,
 * β = 0 one that rewrites a hot set. Then, were the last round begun now,
 *
 *   pause = overhead + one way + D(t_last + RTT) · page / throughput,   t_last = dirty now · page / throughput
 *
 * since that round carries what is dirty now, and its ROUND_DONE takes one RTT. While β is unknown (after one round, or
 * two of the same length) the pause is predicted with β = 0, which never promises too much, and the ETA with β = 1.
 * Left out: slowing the guest, and going over to post-copy (they are further actions of a policy).
 */
import { NS_PER_MS, NS_PER_S, PAGE_SIZE } from '../core/index.js';
import { requireRange } from './errors.js';
import { INSTANT_MAX_NS } from './messages.js';

/** One finished round and the harvest after it. */
export interface RoundStats {
  /** From 1. */
  readonly round: number;
  /** The round's first byte was ordered. */
  readonly startNs: number;
  /** ROUND_DONE was there. */
  readonly endNs: number;
  /** Pages found dirty by the harvest after this round: what the next one has to carry. */
  readonly dirtyPages: number;
  /** Pages that travelled with content. */
  readonly pagesSent: number;
  /** Pages that travelled as a number. */
  readonly zeroPages: number;
  /** Bytes handed to the transport. */
  readonly bytes: number;
  /** 8 · bytes / (endNs − startNs − RTT): the last byte's way and the answer's are no fault of the rate. */
  readonly throughputBps: number;
  /** dirtyPages / time between this round's two harvests. */
  readonly dirtyRatePagesPerS: number;
  /** What the policy said of it; absent while it decides. */
  readonly predictedPauseNs?: number;
  readonly etaNs?: number;
}

export interface ConvergenceHistory {
  /** Oldest first; at least one. */
  readonly rounds: readonly RoundStats[];
  /** Median round trip. */
  readonly rttNs: number;
  /** Pages of the guest. */
  readonly pages: number;
}

export interface ConvergenceVerdict {
  readonly action: 'continue' | 'switch' | 'give-up';
  /** Length of the pause, were the last round begun now. */
  readonly predictedPauseNs: number;
  /** Until the guest runs at the destination; `Infinity` when the rounds will not reach the target. */
  readonly etaNs: number;
  /** 0..1: how well the last prediction of dirty pages was met. */
  readonly confidence: number;
  /** One clause for people. */
  readonly reason: string;
}

export interface ConvergencePolicy {
  decide(history: ConvergenceHistory): ConvergenceVerdict;
}

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
}

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

  const decide = (history: ConvergenceHistory): ConvergenceVerdict => {
    const model = modelOf(history, HOT_SET);
    const predictedPauseNs = pauseAfter(model, model.dirtyPages, overheadNs);
    const etaNs = forecast(modelOf(history, FRESH_PAGES), {
      targetPauseNs,
      overheadNs,
      roundsMax: roundsMax - history.rounds.length,
    });
    const base = { predictedPauseNs, etaNs, confidence: confidenceOf(history) };
    if (predictedPauseNs <= targetPauseNs) return { ...base, action: 'switch', reason: 'the target is met' };
    const stalled = hasStalled(history, overheadNs, stallRounds, improvement);
    if (!stalled && history.rounds.length < roundsMax) {
      const reason = etaNs === Infinity ? 'the target is out of reach, but rounds still help' : 'rounds help';
      return { ...base, action: 'continue', reason };
    }
    const why = stalled ? `${stallRounds} rounds did not shorten the pause` : `${roundsMax} rounds are done`;
    if (predictedPauseNs <= pauseMaxNs) return { ...base, action: 'switch', reason: why };
    return { ...base, action: 'give-up', reason: `${why} and it would be longer than allowed` };
  };
  return { decide };
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
  const nsPerPage = (PAGE_SIZE * 8 * NS_PER_S) / Math.max(1, recent.throughputBps);
  return { dirtyPages: last.dirtyPages, intervalNs, exponent, pages, nsPerPage, rttNs };
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
function forecast(
  m: Model,
  o: { readonly targetPauseNs: number; readonly overheadNs: number; readonly roundsMax: number },
): number {
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
