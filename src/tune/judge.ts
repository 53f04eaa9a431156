/** What the evaluations say: which parameter mattered, how well simulation foretold, and whether a gain is no noise. Pure. */
import { mannWhitney, median, type Ratio, rankCorrelation, ratioOfMedians } from '../report/index.js';
import { type Candidate, candidateName, KEY_NAMES, type Parameter, type Tuned, valueText } from './space.js';

export interface Scored {
  readonly candidate: Candidate;
  readonly score: number;
}

export interface Sensitivity {
  readonly name: string;
  /** Share of the variance of log scores that this parameter alone explains, 0..1. */
  readonly share: number;
  /** Median score of each value, best first. */
  readonly values: readonly { readonly value: string; readonly score: number; readonly n: number }[];
}

/** Main effects over candidates that were evaluated alike; the greatest first. @param base value of each parameter where a candidate says none */
export function sensitivities(
  scored: readonly Scored[],
  parameters: readonly Parameter[],
  base: Tuned,
): Sensitivity[] {
  const valid = scored.filter((s) => Number.isFinite(s.score) && s.score > 0);
  const logs = valid.map((s) => Math.log(s.score));
  const mean = logs.reduce((sum, v) => sum + v, 0) / logs.length;
  const total = logs.reduce((sum, v) => sum + (v - mean) ** 2, 0);
  return parameters
    .filter((p) => p.simulated)
    .map(({ name }) => {
      const groups = new Map<string, number[]>();
      for (const [i, { candidate }] of valid.entries()) {
        const value = valueText(name, name in candidate ? candidate[name] : base[name]);
        groups.set(value, [...(groups.get(value) ?? []), logs[i]!]);
      }
      let between = 0;
      for (const group of groups.values())
        between += group.length * (group.reduce((sum, v) => sum + v, 0) / group.length - mean) ** 2;
      const values = [...groups]
        .map(([value, group]) => ({ value, score: Math.exp(median(group)), n: group.length }))
        .sort((a, b) => a.score - b.score);
      return { name: KEY_NAMES[name], share: total > 0 ? between / total : 0, values };
    })
    .sort((a, b) => b.share - a.share);
}

/**
 * `count` of them at even steps of the score, which is a ratio, from the best to the worst: many candidates hardly differ,
 * and even steps of the rank would take those. @param ranked best first
 */
export function spreadOver(ranked: readonly Scored[], count: number): Scored[] {
  if (ranked.length <= count) return [...ranked];
  const logOf = ({ score }: Scored): number => Math.log(Math.max(score, Number.MIN_VALUE));
  const first = logOf(ranked[0]!);
  const step = (logOf(ranked[ranked.length - 1]!) - first) / (count - 1);
  const left = new Set(ranked);
  const taken: Scored[] = [];
  for (let i = 0; i < count; i++) {
    const wanted = first + i * step;
    let nearest: Scored | undefined;
    for (const s of left)
      if (nearest === undefined || Math.abs(logOf(s) - wanted) < Math.abs(logOf(nearest) - wanted))
        nearest = s;
    left.delete(nearest!);
    taken.push(nearest!);
  }
  return taken.sort((x, y) => x.score - y.score);
}

export interface Prediction {
  readonly rows: readonly { readonly name: string; readonly predicted: number; readonly measured: number }[];
  /** Spearman's; null with fewer than three pairs. */
  readonly rankCorrelation: number | null;
}

export function predictionOf(pairs: Prediction['rows']): Prediction {
  const rho = rankCorrelation(
    pairs.map((p) => p.predicted),
    pairs.map((p) => p.measured),
  );
  return { rows: pairs, rankCorrelation: pairs.length >= 3 && Number.isFinite(rho) ? rho : null };
}

export interface Verified {
  readonly candidate: Candidate;
  readonly name: string;
  /** Ratios to the default's median, one a move. */
  readonly scores: readonly number[];
  /** Median over the default's, with its interval; the default itself has 1. */
  readonly ratio: Ratio;
  /** Two-sided, times the number of finalists that were compared. */
  readonly p: number;
}

export interface Verdict {
  readonly kind: 'gain' | 'default-best' | 'undecided';
  /** The candidate to use. */
  readonly chosen: Verified;
  readonly text: string;
}

const SIGNIFICANT = 0.05;
/** A default that lies within this of the best needs no other. */
const CLOSE = 0.05;

/** @param byCandidate the default first, every one with its scores of the same turns */
export function verify(
  byCandidate: readonly { readonly candidate: Candidate; readonly scores: readonly number[] }[],
): Verified[] {
  const base = byCandidate[0]!.scores;
  return byCandidate.map(({ candidate, scores }, i) => ({
    candidate,
    name: candidateName(candidate),
    scores,
    ratio: i === 0 ? { ratio: 1, low: 1, high: 1 } : ratioOfMedians(base, scores),
    p: i === 0 ? 1 : Math.min(1, (byCandidate.length - 1) * mannWhitney(base, scores)),
  }));
}

/** @param verified the default first */
export function verdictOf(verified: readonly Verified[]): Verdict {
  const [base, ...others] = verified as [Verified, ...Verified[]];
  const ranked = [...others].sort((a, b) => a.ratio.ratio - b.ratio.ratio);
  const gain = ranked.find((v) => v.ratio.high < 1 && v.p < SIGNIFICANT);
  const range = (v: Verified): string =>
    `× ${v.ratio.ratio.toFixed(3)} of the default (95 %: ${v.ratio.low.toFixed(3)}–${v.ratio.high.toFixed(3)}, p ${v.p < 0.001 ? '< 0.001' : v.p.toFixed(3)}, n ${v.scores.length} against ${base.scores.length})`;
  if (gain !== undefined) return { kind: 'gain', chosen: gain, text: `${gain.name}: ${range(gain)}` };
  const best = ranked[0];
  if (best === undefined)
    return { kind: 'undecided', chosen: base, text: 'nothing was measured beside the default' };
  if (ranked.every((v) => v.ratio.low >= 1 - CLOSE))
    return {
      kind: 'default-best',
      chosen: base,
      text: `the default lies within ${CLOSE * 100} % of the best: the best other, ${best.name}, is ${range(best)}`,
    };
  return {
    kind: 'undecided',
    chosen: base,
    text: `the default stays: ${best.name} may be better, ${range(best)}; a larger --budget decides`,
  };
}
