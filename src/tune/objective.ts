/**
 * What is sought, as one number a move: the ratio to the default's median, lower is better.
 *
 *   pause   what the guest stood: the pause, and what it then waited for missing pages in its first 100 ms
 *   total   from the offer until all memory is there
 *   bytes   bytes on the wire
 *   gap     longest silence that a client saw
 *   pause=2,total=1   weights: the weighted geometric mean of the ratios
 */
import { ConfigError } from '../core/index.js';
import type { RunResult } from '../lab/result.js';
import { median } from '../report/index.js';

export const ASPECTS = ['pause', 'total', 'bytes', 'gap'] as const;
export type Aspect = (typeof ASPECTS)[number];
export type TuneErrorCode = 'TUNE_OBJECTIVE' | 'TUNE_BUDGET' | 'TUNE_NONE' | 'TUNE_OTHER';

export interface Objective {
  /** As it was typed. */
  readonly text: string;
  readonly weights: Readonly<Partial<Record<Aspect, number>>>;
}

/** Values of each aspect, one a move that counts. */
export type Figures = Readonly<Record<Aspect, readonly number[]>>;

/** @throws ConfigError `TUNE_OBJECTIVE` */
export function parseObjective(text: string): Objective {
  const weights: Partial<Record<Aspect, number>> = {};
  for (const part of text.split(',')) {
    const [word = '', weight = '1', ...rest] = part.trim().split('=');
    const aspect = ASPECTS.find((a) => a === word);
    if (aspect === undefined || rest.length > 0 || !(Number(weight) > 0) || Number(weight) > 1000) {
      throw new ConfigError<TuneErrorCode>(
        'TUNE_OBJECTIVE',
        `--objective ${JSON.stringify(text)} is neither one of ${ASPECTS.join(', ')} nor weights above 0`,
        { hint: 'write pause, or pause=2,total=1' },
      );
    }
    weights[aspect] = Number(weight);
  }
  return { text, weights };
}

/** Moves that count: completed, with the memory they should have, after the first ones each way. @throws Error why none does */
export function figuresOf(result: RunResult, warmUp: number): Figures {
  const wrong = result.migrations.find((m) => m.outcome !== 'completed' || m.memoryIdentical === false);
  if (wrong !== undefined) throw new Error(wrong.reason?.text ?? 'memory differs');
  const moves = result.migrations.slice(warmUp);
  return {
    pause: moves.map((m) => m.pauseNs! + (m.blockedNs ?? 0)),
    total: moves.map((m) => m.totalNs + (m.postcopy?.durationNs ?? 0)),
    bytes: moves.map((m) => m.bytesOnWire),
    gap: moves.map((m) => Math.max(0, ...m.clients.map((c) => c.longestGapNs))),
  };
}

/** Each move as a ratio to the default: what is compared. */
export function scoresOf({ weights }: Objective, figures: Figures, base: Figures): number[] {
  const aspects = Object.entries(weights) as [Aspect, number][];
  const sum = aspects.reduce((total, [, w]) => total + w, 0);
  return figures.pause.map((_, i) => {
    const log = aspects.reduce((total, [a, w]) => total + w * Math.log(figures[a][i]! / median(base[a])), 0);
    return Math.exp(log / sum);
  });
}

/** Figures of several runs together. */
export function joined(all: readonly Figures[]): Figures {
  return Object.fromEntries(ASPECTS.map((a) => [a, all.flatMap((f) => f[a])])) as unknown as Figures;
}
