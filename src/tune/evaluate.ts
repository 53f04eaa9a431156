/** Runs candidates, in virtual time on every core or on real hosts one at a time, and keeps each in the trail. */
import { availableParallelism } from 'node:os';
import { PAGE_SIZE } from '../core/index.js';
import type { Costs } from '../lab/calibration/costs-file.js';
import type { Experiment } from '../lab/config/experiment.js';
import type { RunResult } from '../lab/result.js';
import type { ResultStore } from '../results/index.js';
import { CellRunner } from '../sweep/index.js';
import { figuresOf } from './objective.js';
import { applied, type Candidate, candidateName } from './space.js';
import type { Evaluation, Trail } from './trail.js';

/** How a stage runs its candidates. */
export interface Fidelity {
  readonly stage: string;
  readonly label: 'simulated' | 'measured';
  /** Of the guest's memory, 0..1. */
  readonly memoryShare: number;
  readonly moves: number;
  /** First moves that do not count: untouched memory, code that never ran. */
  readonly warmUp: number;
  readonly seed: number;
}

export interface EvaluatorOptions {
  readonly base: Experiment;
  readonly costs: Costs | undefined;
  readonly trail: Trail;
  /** Measured results go here. */
  readonly store: ResultStore;
  readonly signal: AbortSignal;
  onEvaluation(one: Evaluation): void;
}

const BETWEEN_NS = 100_000_000;
const SIM_PROBES = 10;
const REAL_PROBES = 20;

export class Evaluator {
  readonly #options: EvaluatorOptions;
  readonly #runners: CellRunner[] = [];

  constructor(options: EvaluatorOptions) {
    this.#options = options;
    options.signal.addEventListener('abort', () => this.end(), { once: true });
  }

  /** Each candidate's evaluation, in their order. @throws the signal's reason */
  async evaluate(candidates: readonly Candidate[], fidelity: Fidelity): Promise<Evaluation[]> {
    const { trail, signal } = this.#options;
    const open = candidates.filter((c) => trail.find(fidelity.stage, c) === undefined);
    const workers = fidelity.label === 'simulated' ? Math.min(availableParallelism(), open.length) : 1;
    const work = async (runner: CellRunner): Promise<void> => {
      for (let c = open.shift(); c !== undefined; c = open.shift()) {
        signal.throwIfAborted();
        await this.#one(runner, c, fidelity, workers);
      }
    };
    while (this.#runners.length < workers) this.#runners.push(new CellRunner());
    await Promise.all(this.#runners.slice(0, workers).map(work));
    signal.throwIfAborted();
    return candidates.map((c) => trail.find(fidelity.stage, c)!);
  }

  end(): void {
    for (const runner of this.#runners) runner.end();
  }

  async #one(runner: CellRunner, candidate: Candidate, fidelity: Fidelity, workers: number): Promise<void> {
    const { base, costs, trail, store, signal, onEvaluation } = this.#options;
    const experiment = experimentOf(base, candidate, fidelity);
    const startedMs = performance.now();
    const outcome = await runner.run({ experiment, costs });
    if (signal.aborted) return;
    const { stage, label, moves, seed, warmUp } = fidelity;
    const shape = { stage, candidate, label, seed, moves, memoryBytes: experiment.guest.memoryBytes };
    // Candidates that run side by side share the time.
    const tookMs = Math.round((performance.now() - startedMs) / workers);
    let one: Evaluation;
    try {
      if (!outcome.ok) throw new Error(outcome.text);
      one = { ...shape, tookMs, figures: figuresOf(outcome.result, warmUp) };
      if (label === 'measured') keep(store, stage, candidate, outcome.result);
    } catch (e) {
      one = { ...shape, tookMs, figures: null, failure: (e as Error).message };
    }
    trail.add(one);
    onEvaluation(one);
  }
}

function keep(store: ResultStore, stage: string, candidate: Candidate, result: RunResult): void {
  store.add(`${stage} ${candidateName(candidate)}`.replaceAll(/[^\w-]+/g, '-').slice(0, 120), result);
}

function experimentOf(base: Experiment, candidate: Candidate, f: Fidelity): Experiment {
  const isReal = f.label === 'measured';
  const { guest, migration, ...rest } = applied(base, candidate);
  const memoryBytes = Math.max(
    2 ** 22,
    Math.floor((guest.memoryBytes * f.memoryShare) / PAGE_SIZE) * PAGE_SIZE,
  );
  const hotSetBytes = Math.min(guest.dirty.hotSetBytes, memoryBytes);
  return {
    ...rest,
    name: `${f.stage}: ${candidateName(candidate)}`,
    seed: f.seed,
    attach: isReal ? base.attach : 'sim',
    guest: { ...guest, memoryBytes, dirty: { ...guest.dirty, hotSetBytes } },
    probe: { ...base.probe, count: isReal ? REAL_PROBES : SIM_PROBES },
    migration: { ...migration, repeat: f.moves, betweenNs: BETWEEN_NS, startAfterNs: BETWEEN_NS },
  };
}
