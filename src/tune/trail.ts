/**
 * Every evaluation of a search, in a file that only grows. A search that is started again takes what stands there and
 * goes on, its budget counted from there too.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '../core/index.js';
import type { Figures, TuneErrorCode } from './objective.js';
import { type Candidate, candidateName } from './space.js';

export interface Evaluation {
  /** `coarse`, `fine`, `screen` or `verify 1`, …: what it was made for. */
  readonly stage: string;
  readonly candidate: Candidate;
  readonly label: 'simulated' | 'measured';
  readonly seed: number;
  readonly moves: number;
  readonly memoryBytes: number;
  /** Time that it took of the budget, milliseconds. */
  readonly tookMs: number;
  /** Null when it failed. */
  readonly figures: Figures | null;
  /** Why. */
  readonly failure?: string;
}

const FILE = 'trail.ndjson';

export class Trail {
  readonly #file: string;
  readonly #seen = new Map<string, Evaluation>();

  /** @param question what is asked, with what, of what; another one in the same folder is refused. @throws ConfigError `TUNE_OTHER` */
  constructor(dir: string, question: string) {
    mkdirSync(dir, { recursive: true });
    this.#file = join(dir, FILE);
    if (!existsSync(this.#file)) appendFileSync(this.#file, `${JSON.stringify({ question })}\n`);
    const [first = '{}', ...lines] = readFileSync(this.#file, 'utf8').split('\n');
    if ((JSON.parse(first) as { question?: string }).question !== question)
      throw new ConfigError<TuneErrorCode>('TUNE_OTHER', `${dir} holds the trail of another search`, {
        hint: 'give another --out, or remove that folder',
      });
    for (const line of lines) {
      try {
        const one = JSON.parse(line) as Evaluation;
        this.#seen.set(keyOf(one.stage, one.candidate), one);
      } catch {
        // the last line of a search that was cut off
      }
    }
  }

  find(stage: string, candidate: Candidate): Evaluation | undefined {
    return this.#seen.get(keyOf(stage, candidate));
  }

  add(one: Evaluation): void {
    appendFileSync(this.#file, `${JSON.stringify(one)}\n`);
    this.#seen.set(keyOf(one.stage, one.candidate), one);
  }

  get evaluations(): readonly Evaluation[] {
    return [...this.#seen.values()];
  }

  /** What has been used of the budget. @param stage only of stages that begin so */
  spentMs(stage = ''): number {
    return this.evaluations.reduce((sum, e) => sum + (e.stage.startsWith(stage) ? e.tookMs : 0), 0);
  }
}

function keyOf(stage: string, candidate: Candidate): string {
  return `${stage}: ${candidateName(candidate)}`;
}
