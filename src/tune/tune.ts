/**
 * The search for the settings that suit a fiber.
 *
 *   many candidates ─ coarse: simulated, a quarter of the memory ─► a third ─ fine: simulated, all of it ─► the best
 *     │                                                                                                      │
 *     └─ seven from the best to the worst ─► screen: on real hosts ◄─ the best, and what simulation cannot tell apart
 *                                            (the seven in turns)
 *                                               │
 *                        verify: the best three and the default, in turn, until the budget is used ─► verdict
 *
 * Successive halving (Jamieson and Talwalkar 2016): what looks poor when it is cheap to look at is dropped before it
 * is looked at closely. Only what real hosts did, in turn with the default, decides.
 */
import { LonghaulError } from '../core/index.js';
import type { Costs } from '../lab/calibration/costs-file.js';
import type { Experiment } from '../lab/config/experiment.js';
import { median } from '../report/index.js';
import type { ResultStore } from '../results/index.js';
import { Evaluator, type Fidelity } from './evaluate.js';
import {
  type Prediction,
  predictionOf,
  type Scored,
  type Sensitivity,
  sensitivities,
  spreadOver,
  type Verdict,
  type Verified,
  verdictOf,
  verify,
} from './judge.js';
import { type Figures, joined, type Objective, scoresOf, type TuneErrorCode } from './objective.js';
import {
  type Candidate,
  candidateName,
  drawCandidates,
  type Parameter,
  parametersFor,
  variationsOf,
} from './space.js';
import type { Evaluation, Trail } from './trail.js';

export interface TuneOptions {
  readonly base: Experiment;
  readonly objective: Objective;
  readonly budgetMs: number;
  readonly costs: Costs | undefined;
  readonly trail: Trail;
  readonly store: ResultStore;
  readonly signal: AbortSignal;
  say(text: string): void;
}

export interface TuneEnd {
  readonly parameters: readonly Parameter[];
  /** Every candidate of the coarse stage, best first. */
  readonly coarse: readonly Scored[];
  readonly fine: readonly Scored[];
  readonly sensitivity: readonly Sensitivity[];
  readonly prediction: Prediction;
  readonly screened: readonly Scored[];
  /** The default first. */
  readonly verified: readonly Verified[];
  readonly verdict: Verdict;
  readonly spentMs: number;
}

const SIMULATED_SHARE = 0.2;
const SCREEN_SHARE = 0.65;
const PROBES = 5;
const CANDIDATES = { min: 12, max: 72 } as const;
const FINE = 12;
const SPREAD = 7;
const SPREAD_TURNS = 3;
const SCREEN_MOVES = 6;
const FINALISTS = 3;
const MIN_TURNS = 2;
const MAX_TURNS = 20;

/** @throws the signal's reason; whatever it has found until then is in the trail */
export async function tune(options: TuneOptions): Promise<TuneEnd> {
  const { base, objective, budgetMs, trail, signal, say } = options;
  const parameters = parametersFor(linkBps(base));
  const evaluator = new Evaluator({
    ...options,
    onEvaluation: (one) => say(evaluationText(one, trail, budgetMs)),
  });
  const simulated = (stage: string, memoryShare: number, moves: number): Fidelity => ({
    stage,
    label: 'simulated',
    memoryShare,
    moves,
    warmUp: 0,
    seed: base.seed,
  });
  const measured = (stage: string, moves: number, seed: number): Fidelity => ({
    stage,
    label: 'measured',
    memoryShare: 1,
    moves,
    warmUp: 2,
    seed,
  });
  try {
    const coarseWith = simulated('coarse', 0.25, 2);
    // The first ones say what one takes: the median of them, since a process has to start for each core.
    const first = await evaluator.evaluate(
      drawCandidates(parameters, base.migration, PROBES, base.seed),
      coarseWith,
    );
    refuseFailing(first[0]!);
    const perCandidateMs = Math.max(50, median(first.map((e) => e.tookMs)));
    const affordable = Math.floor((SIMULATED_SHARE * budgetMs) / 2 / perCandidateMs);
    const count = Math.min(CANDIDATES.max, Math.max(CANDIDATES.min, affordable));
    const candidates = drawCandidates(parameters, base.migration, count, base.seed);
    say(`${candidates.length} candidates in virtual time, a quarter of the memory each`);
    const coarse = ranked(await evaluator.evaluate(candidates, coarseWith), objective);

    const spread = spreadOver(
      coarse.filter((s) => Number.isFinite(s.score)),
      SPREAD,
    );
    const fineSet = distinct([
      {},
      ...coarse.slice(0, FINE).map((s) => s.candidate),
      ...spread.map((s) => s.candidate),
    ]);
    say(`${fineSet.length} of them with all of the memory`);
    const fine = ranked(await evaluator.evaluate(fineSet, simulated('fine', 1, 2)), objective);
    signal.throwIfAborted();

    const best = fine[0]?.candidate ?? {};
    const screenSet = distinct([
      {},
      ...spread.map((s) => s.candidate),
      ...fine.slice(0, FINALISTS).map((s) => s.candidate),
      ...variationsOf(best, parameters, base.migration),
    ]);
    say(
      `${screenSet.length} on real hosts: the best, seven from the best to the worst, and what only they can tell`,
    );
    const screens: Evaluation[][] = [[]];
    for (const [i, candidate] of screenSet.entries()) {
      const isNeeded = i < 1 + SPREAD;
      if (
        !isNeeded &&
        trail.spentMs() > SCREEN_SHARE * budgetMs &&
        trail.find('screen', candidate) === undefined
      )
        continue;
      screens[0]!.push(
        ...(await evaluator.evaluate([candidate], measured('screen', SCREEN_MOVES, base.seed))),
      );
    }
    refuseFailing(screens[0]![0]!);
    // What simulation foretold is compared with more than one run, since a run has moods of its own.
    const compared = distinct([{}, ...spread.map((s) => s.candidate)]);
    for (let turn = 1; turn < SPREAD_TURNS; turn++) {
      const stage = `screen ${turn + 1}`;
      if (trail.spentMs() > SCREEN_SHARE * budgetMs && trail.find(stage, {}) === undefined) break;
      screens.push(
        await evaluator.evaluate(rotated(compared, turn), measured(stage, SCREEN_MOVES, base.seed + turn)),
      );
    }
    const screened = rankedOver(screens, objective);
    const prediction = predictionOf(
      spread.flatMap(({ candidate }) => {
        const name = candidateName(candidate);
        const predicted = fine.find((s) => candidateName(s.candidate) === name)?.score ?? Number.NaN;
        const seen = screened.find((s) => candidateName(s.candidate) === name)?.score ?? Number.NaN;
        return Number.isFinite(predicted + seen) ? [{ name, predicted, measured: seen }] : [];
      }),
    );

    const finalists = screened
      .filter((s) => Number.isFinite(s.score) && candidateName(s.candidate) !== 'default')
      .slice(0, FINALISTS);
    const field = [{}, ...finalists.map((s) => s.candidate)];
    const turns: Evaluation[][] = [];
    for (let turn = 0; turn < MAX_TURNS; turn++) {
      const stage = `verify ${turn + 1}`;
      const isOver = trail.spentMs() + turnMs(trail, turn) > budgetMs;
      if (turn >= MIN_TURNS && isOver && trail.find(stage, {}) === undefined) break;
      say(`turn ${turn + 1}: ${field.length} finalists one after another`);
      // Each turn begins with another one, so that nobody has the same neighbour and the same place every time.
      turns.push(await evaluator.evaluate(rotated(field, turn), measured(stage, 8, base.seed + turn)));
    }
    const verified = verify(scoresByCandidate(field, turns.flat(), objective));
    return {
      parameters,
      coarse,
      fine,
      sensitivity: sensitivities(coarse, parameters, base.migration),
      prediction,
      screened,
      verified,
      verdict: verdictOf(verified),
      spentMs: trail.spentMs(),
    };
  } finally {
    evaluator.end();
  }
}

/** Everything is a ratio to the default. @throws LonghaulError `TUNE_NONE` when that has no figures */
function refuseFailing({ failure }: Evaluation): void {
  if (failure === undefined) return;
  throw new LonghaulError<TuneErrorCode>('TUNE_NONE', `the default itself fails on this fiber: ${failure}`, {
    hint: 'raise migration.limit, or choose a smaller --memory or a calmer --dirty; longhaul run shows what happens',
  });
}

function rotated<T>(list: readonly T[], by: number): T[] {
  return [...list.slice(by % list.length), ...list.slice(0, by % list.length)];
}

/** How long a turn has taken so far. */
function turnMs(trail: Trail, turns: number): number {
  return turns === 0 ? 0 : trail.spentMs('verify') / turns;
}

function linkBps({ fiber }: Experiment): number | null {
  const rates = fiber.spans.flatMap((s) => [s.aToB.rateBps, s.bToA.rateBps]).filter((r) => r !== null);
  return rates.length === 0 ? null : Math.min(...rates);
}

function distinct(candidates: readonly Candidate[]): Candidate[] {
  return [...new Map(candidates.map((c) => [candidateName(c), c])).values()];
}

/** Scored against the default of the same stage, best first; what failed comes last. */
function ranked(evaluations: readonly Evaluation[], objective: Objective): Scored[] {
  const base = evaluations.find((e) => candidateName(e.candidate) === 'default')?.figures;
  return evaluations
    .map(({ candidate, figures }) => ({
      candidate,
      score: figures && base ? median(scoresOf(objective, figures, base)) : Number.POSITIVE_INFINITY,
    }))
    .sort((a, b) => (a.score === b.score ? 0 : a.score - b.score));
}

/** As `ranked`, over several turns, each of which has a default of its own. */
function rankedOver(turns: readonly (readonly Evaluation[])[], objective: Objective): Scored[] {
  const scores = new Map<string, { readonly candidate: Candidate; readonly all: number[] }>();
  for (const turn of turns) {
    const base = turn.find((e) => candidateName(e.candidate) === 'default')?.figures;
    for (const { candidate, figures } of turn) {
      const name = candidateName(candidate);
      const one = scores.get(name) ?? { candidate, all: [] };
      scores.set(name, one);
      if (figures && base) one.all.push(...scoresOf(objective, figures, base));
    }
  }
  return [...scores.values()]
    .map(({ candidate, all }) => ({
      candidate,
      score: all.length > 0 ? median(all) : Number.POSITIVE_INFINITY,
    }))
    .sort((a, b) => (a.score === b.score ? 0 : a.score - b.score));
}

function scoresByCandidate(field: readonly Candidate[], all: readonly Evaluation[], objective: Objective) {
  const of = (candidate: Candidate): Figures =>
    joined(
      all.flatMap((e) => (candidateName(e.candidate) === candidateName(candidate) ? (e.figures ?? []) : [])),
    );
  const base = of({});
  return field
    .map((candidate) => ({ candidate, scores: scoresOf(objective, of(candidate), base) }))
    .filter(({ candidate, scores }) => scores.length > 0 || candidateName(candidate) === 'default');
}

function evaluationText(one: Evaluation, trail: Trail, budgetMs: number): string {
  const used = Math.min(999, Math.round((100 * trail.spentMs()) / budgetMs));
  const took = `${(one.tookMs / 1000).toFixed(1)} s`;
  const what =
    one.failure ??
    (one.figures === null
      ? ''
      : `pause ${(median(one.figures.pause) / 1e6).toFixed(2)} ms, total ${(median(one.figures.total) / 1e6).toFixed(0)} ms`);
  return `${String(used).padStart(3)} %  ${one.stage}: ${candidateName(one.candidate)}: ${what} (${took})`;
}
