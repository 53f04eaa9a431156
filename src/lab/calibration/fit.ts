/**
 * From measured moves to costs: the same moves are simulated, and each cost is changed by what its own figure of the
 * measured moves differs from the simulated one, until they agree.
 *
 *   measured runs ─► figures ─┐
 *   costs ─► simulated runs ──┴─► differences ─► costs, a few times
 *
 * No formula of the simulation is turned round, so a change of the hosts or of the simulation asks for a new
 * measurement and for nothing else.
 */
import type { CostName, HostCosts } from '../../sim/index.js';
import type { RunResult } from '../result.js';
import { medianOf, type Observables, observe, populateNsPerPage, quantileOf } from './observables.js';
import { warmMoves } from './plan.js';

/** Gives a run's result with these costs; it needs few moves, since simulated ones hardly differ. */
export type SimulateWith = (experiment: RunResult['experiment'], costs: HostCosts) => Promise<RunResult>;

const ITERATIONS = 6;
/** Fewer pages in the final flight say nothing of what one costs. */
const FINAL_MIN = 10;
/** Likewise of pages that are missing. */
const MISSING_MIN = 20;
/** The destination's share of a page against the source's: it copies once more and waits for its turn less. */
const APPLY_SHARE = 0.9;

/** One figure of the measured runs, against the simulation's. */
export interface Fitted {
  readonly name: string;
  readonly unit: 'ns';
  readonly measured: number;
  readonly n: number;
  readonly p5: number;
  readonly p95: number;
  readonly simulated: number;
}

interface Seen {
  readonly name: string;
  readonly measured: Observables;
  simulated: Observables;
}

/** @param measured results of the plan's runs, by the experiment's name */
export async function fitCosts(
  measured: readonly RunResult[],
  start: HostCosts,
  simulate: SimulateWith,
): Promise<{ readonly costs: HostCosts; readonly fitted: Fitted[] }> {
  let costs = firstGuess(measured, start);
  let seen: Seen[] = [];
  for (let i = 0; i <= ITERATIONS; i++) {
    seen = [];
    for (const result of measured) {
      const simulated = await simulate(result.experiment, costs);
      seen.push({
        name: result.experiment.name,
        measured: observe(result, warmMoves(result)),
        simulated: observe(simulated, warmMoves(simulated)),
      });
    }
    if (i < ITERATIONS) costs = improved(costs, seen);
  }
  return { costs, fitted: seen.flatMap(figuresOf) };
}

/**
 * Near, a page takes as long as its slower host: it is begun with that. Hosts faster than the line would fill its queue,
 * and what it loses then would be taken for a slow host.
 */
function firstGuess(measured: readonly RunResult[], start: HostCosts): Record<CostName, number> {
  const populated = medianOf(measured.flatMap((r) => populateNsPerPage(r, warmMoves(r))));
  if (Number.isFinite(populated)) start = { ...start, populatePageNs: Math.round(populated) };
  const near = measured.filter((r) => r.experiment.name.startsWith('near'));
  const pages = near.map((r) => medianOf(observe(r, warmMoves(r)).page)).filter(Number.isFinite);
  if (pages.length === 0) return { ...start };
  const sendPageNs = Math.round(Math.min(...pages));
  return { ...start, sendPageNs, applyPageNs: Math.round(sendPageNs * APPLY_SHARE) };
}

function improved(
  before: Readonly<Record<CostName, number>>,
  seen: readonly Seen[],
): Record<CostName, number> {
  const costs = { ...before };
  const add = (name: CostName, ns: number, share = 1): void => {
    if (Number.isFinite(ns)) costs[name] = Math.max(0, Math.round(costs[name] + share * ns));
  };
  const near = seen.filter((s) => s.name.startsWith('near'));
  const moved = seen.filter((s) => s.name !== 'zeros');
  // Where pages go in the pause, or far, a long final flight hides what comes before it.
  const quick = seen.filter((s) => s.name === 'near-hybrid' || s.name === 'zeros');
  const precopy = moved.filter((s) => s.name.endsWith('precopy'));
  const hybrid = moved.filter((s) => medianOf(s.measured.missing) >= MISSING_MIN);
  const flights = precopy.filter((s) => medianOf(s.measured.final) >= FINAL_MIN);
  const part = (name: keyof Observables['parts']) => (o: Observables) => o.parts[name] ?? [];

  add(
    'prepareNs',
    difference(moved, (o) => o.setup),
  );
  add(
    'sendPageNs',
    difference(near, (o) => o.page),
  );
  costs.applyPageNs = Math.round(costs.sendPageNs * APPLY_SHARE);
  add(
    'zeroPageNs',
    difference(
      seen.filter((s) => s.name === 'zeros'),
      (o) => o.page,
    ),
  );
  add(
    'roundNs',
    difference(near, (o) => o.round),
    0.8,
  );
  add(
    'poiseNs',
    difference(moved, (o) => o.poised),
  );
  const parts: readonly (readonly [CostName, keyof Observables['parts'], readonly Seen[]])[] = [
    ['parkNs', 'stopNs', moved],
    ['harvestNs', 'harvestNs', moved],
    ['saveStateNs', 'saveStateNs', moved],
    ['recordNs', 'recordRunningNs', moved],
    ['startNs', 'startNs', moved],
    ['finalNs', 'sendNs', quick],
    ['verifyNs', 'verifyNs', precopy],
  ];
  for (const [name, key, of] of parts) add(name, difference(of, part(key)));
  add(
    'finalPageNs',
    perPage(flights, part('sendNs'), (o) => o.final),
    0.7,
  );
  add('missingPageNs', perPage(hybrid, part('sendNs'), missing), 0.7);
  add('dropPageNs', perPage(hybrid, part('verifyNs'), missing), 0.7);
  // In a long flight pages hide what waking up takes.
  const short = seen.filter((s) => s.name !== 'far-precopy');
  add(
    'messageNs',
    difference(short, (o) => o.flight),
    0.8,
  );
  return costs;
}

/** The mean over runs of what is missing in the simulated ones. */
function difference(seen: readonly Seen[], pick: (o: Observables) => readonly number[]): number {
  const values = seen
    .map((s) => medianOf(pick(s.measured)) - medianOf(pick(s.simulated)))
    .filter(Number.isFinite);
  return values.reduce((sum, v) => sum + v, 0) / values.length;
}

const missing = (o: Observables): readonly number[] => o.missing;

/** What a page adds, by runs that differ in their pages: those with more say more. @param pagesOf how many, by move */
function perPage(
  seen: readonly Seen[],
  pick: (o: Observables) => readonly number[],
  pagesOf: (o: Observables) => readonly number[],
): number {
  let ns = 0;
  let squares = 0;
  for (const s of seen) {
    const pages = medianOf(pagesOf(s.measured));
    ns += difference([s], pick) * pages;
    squares += pages * pages;
  }
  return ns / squares;
}

function figuresOf({ name, measured, simulated }: Seen): Fitted[] {
  const figure = (what: string, m: readonly number[], s: readonly number[]): Fitted[] =>
    m.length === 0 || s.length === 0
      ? []
      : [
          {
            name: `${name}.${what}`,
            unit: 'ns',
            measured: Math.round(medianOf(m)),
            n: m.length,
            p5: Math.round(quantileOf(m, 0.05)),
            p95: Math.round(quantileOf(m, 0.95)),
            simulated: Math.round(medianOf(s)),
          },
        ];
  return [
    ...(['setup', 'page', 'round', 'poised', 'flight', 'pause'] as const).flatMap((what) =>
      figure(what, measured[what], simulated[what]),
    ),
    ...Object.keys(measured.parts).flatMap((part) =>
      figure(
        `pause.${part.replace(/Ns$/, '')}`,
        measured.parts[part as keyof Observables['parts']],
        simulated.parts[part as keyof Observables['parts']] ?? [],
      ),
    ),
  ];
}
