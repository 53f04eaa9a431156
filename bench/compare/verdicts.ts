/**
 * What the turns of two revisions say, figure by figure: the ratio of medians with its interval of 95 % (bootstrap over
 * turns), and faster, slower or neither.
 *
 * Many figures are compared at once, and one in twenty intervals misses by chance. So a word other than `neither` also
 * asks that Mann and Whitney's p, times the number of figures, be below 5 %: of two equal revisions nineteen in twenty
 * comparisons say `neither` all the way down.
 */
import { mannWhitney, median, type Ratio, ratioOfMedians } from '../../src/report/index.js';

export type Word = 'faster' | 'slower' | 'neither';

export interface Turns {
  readonly name: string;
  readonly unit: string;
  /** One value a turn. */
  readonly a: readonly number[];
  readonly b: readonly number[];
}

export interface Verdict {
  readonly name: string;
  readonly unit: string;
  readonly a: number;
  readonly b: number;
  readonly ratio: Ratio;
  /** Of b. */
  readonly word: Word;
}

const MORE_IS_BETTER = ['Gbit/s', 'Mbit/s', 'Mframes/s', 'MB/s'];
/** Shares of what could be had; any other ratio is one to a limit. */
const SHARE = /\.(share|over_\w+)$/;
const CHANCE = 0.05;

/** Figures that one side lacks have no verdict. */
export function verdictsOf(all: readonly Turns[]): Verdict[] {
  const both = all.filter(({ a, b }) => a.length > 0 && b.length > 0);
  return both.map(({ name, unit, a, b }) => {
    const ratio = ratioOfMedians(a, b);
    const sure = mannWhitney(a, b) * both.length < CHANCE && (ratio.high < 1 || ratio.low > 1);
    const more = MORE_IS_BETTER.includes(unit) || (unit === 'ratio' && SHARE.test(name));
    const word = !sure ? 'neither' : ratio.ratio > 1 === more ? 'faster' : 'slower';
    return { name, unit, a: median(a), b: median(b), ratio, word };
  });
}

/** Turns that it takes to say anything but `neither` of so many figures, each turn of one side below all of the other. */
export function turnsNeeded(figures: number): number {
  const separate = (n: number): number =>
    mannWhitney(
      Array.from({ length: n }, (_, i) => i),
      Array.from({ length: n }, (_, i) => n + i),
    );
  let n = 3;
  while (n < 100 && separate(n) * figures >= CHANCE) n++;
  return n;
}
