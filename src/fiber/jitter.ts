/**
 * How much longer or shorter than its one-way delay a frame is under way. Four distributions, each in
 * whole nanoseconds:
 *
 *   uniform  evenly in −w … +w                      as `delay T w` of tc-netem(8)
 *   normal   mean 0, standard deviation sigma       … `distribution normal`; Marsaglia's polar method (1964)
 *   pareto   scale · (U^(−1/shape) − 1), at least 0  Lomax form: most frames early, few very late
 *   table    scale · Q(U)                           Q through given quantiles, straight lines between
 *
 * A frame is never faster than light: where jitter would take more than the delay, the delay is 0. All
 * packets of a super-frame share one draw. Left out: correlation from frame to frame; netem's distorts
 * the distribution it is applied to (its manual says so).
 */
import { formatNs, NS_PER_S, type Rng } from '../core/index.js';
import { refuse, within } from './refuse.js';

export interface UniformJitter {
  readonly model: 'uniform';
  /** Half the width of the interval: −w … +w. */
  readonly halfWidthNs: number;
}

export interface NormalJitter {
  readonly model: 'normal';
  readonly sigmaNs: number;
}

export interface ParetoJitter {
  readonly model: 'pareto';
  readonly scaleNs: number;
  /** The smaller the heavier the tail, 1.01..100; the mean is scale / (shape − 1). */
  readonly shape: number;
}

export interface TableJitter {
  readonly model: 'table';
  /** Nanoseconds for a quantile of 1. */
  readonly scaleNs: number;
  /** Values at probabilities 0, 1/(n−1), … 1, ascending; 2..16384 of them. */
  readonly quantiles: readonly number[];
}

/** Plain JSON. */
export type JitterSettings = UniformJitter | NormalJitter | ParetoJitter | TableJitter;

const MAX_JITTER_NS = 10 * NS_PER_S;
const MAX_QUANTILES = 16_384;
/** What netem's tables of distributions are scaled by: NETEM_DIST_SCALE. */
const NETEM_TABLE_SCALE = 8192;

/** @throws ConfigError `FIBER_JITTER_RANGE` */
export function checkJitter(jitter: JitterSettings, where: string): JitterSettings {
  const wrong = (what: string, hint: string): never =>
    refuse(
      'FIBER_JITTER_RANGE',
      `${where}: ${jitter.model} jitter ${what}`,
      { model: jitter.model },
      { hint },
    );
  const spreadNs = spreadOf(jitter);
  if (!within(spreadNs, 0, MAX_JITTER_NS)) {
    const value = Number.isFinite(spreadNs) && spreadNs >= 0 ? formatNs(spreadNs) : `${spreadNs} ns`;
    wrong(`of ${value} is outside 0..10s`, 'give how far arrivals are spread, such as 50us');
  }
  if (jitter.model === 'pareto' && !within(jitter.shape, 1.01, 100)) {
    wrong(`with shape ${jitter.shape} is outside 1.01..100`, '3 has a heavy tail, 10 a light one');
  }
  if (jitter.model !== 'table') return jitter;
  const { quantiles } = jitter;
  if (!within(quantiles.length, 2, MAX_QUANTILES)) {
    wrong(
      `with ${quantiles.length} quantiles is outside 2..${MAX_QUANTILES}`,
      'give the values from the least to the greatest',
    );
  }
  for (const [i, q] of quantiles.entries()) {
    if (!Number.isFinite(q) || Math.abs(q * jitter.scaleNs) > MAX_JITTER_NS) {
      wrong(`has quantile ${q}, which the scale takes outside −10s..10s`, 'values are in units of the scale');
    }
    if (i > 0 && q < quantiles[i - 1]!) {
      wrong(`has quantile ${q} after ${quantiles[i - 1]}`, 'quantiles ascend: sort the values');
    }
  }
  return jitter;
}

/** What a draw is measured in: half a width, a standard deviation or a scale. */
function spreadOf(jitter: JitterSettings): number {
  if (jitter.model === 'uniform') return jitter.halfWidthNs;
  return jitter.model === 'normal' ? jitter.sigmaNs : jitter.scaleNs;
}

/** A source of draws. */
export interface Jitter {
  /** Whole nanoseconds within ±10 s. Allocates nothing. */
  drawNs(): number;
}

/** @param rng the lane's stream for jitter */
export function newJitter(jitter: JitterSettings, rng: Rng): Jitter {
  switch (jitter.model) {
    case 'uniform':
      return new Uniform(jitter.halfWidthNs, rng);
    case 'normal':
      return new Normal(jitter.sigmaNs, rng);
    case 'pareto':
      return new Pareto(jitter.scaleNs, jitter.shape, rng);
    case 'table':
      return new Table(jitter.scaleNs, jitter.quantiles, rng);
  }
}

class Uniform implements Jitter {
  readonly #halfWidthNs: number;
  readonly #rng: Rng;

  constructor(halfWidthNs: number, rng: Rng) {
    this.#halfWidthNs = halfWidthNs;
    this.#rng = rng;
  }

  drawNs(): number {
    return whole((2 * this.#rng.float() - 1) * this.#halfWidthNs);
  }
}

class Normal implements Jitter {
  readonly #sigmaNs: number;
  readonly #rng: Rng;
  /** The method gives two at a time; NaN when there is none left. */
  #spare = Number.NaN;

  constructor(sigmaNs: number, rng: Rng) {
    this.#sigmaNs = sigmaNs;
    this.#rng = rng;
  }

  drawNs(): number {
    const spare = this.#spare;
    if (!Number.isNaN(spare)) {
      this.#spare = Number.NaN;
      return whole(spare * this.#sigmaNs);
    }
    for (;;) {
      const u = 2 * this.#rng.float() - 1;
      const v = 2 * this.#rng.float() - 1;
      const s = u * u + v * v;
      if (s >= 1 || s === 0) continue;
      const f = Math.sqrt((-2 * Math.log(s)) / s);
      this.#spare = v * f;
      return whole(u * f * this.#sigmaNs);
    }
  }
}

class Pareto implements Jitter {
  readonly #scaleNs: number;
  readonly #power: number;
  readonly #rng: Rng;

  constructor(scaleNs: number, shape: number, rng: Rng) {
    this.#scaleNs = scaleNs;
    this.#power = -1 / shape;
    this.#rng = rng;
  }

  drawNs(): number {
    return whole(this.#scaleNs * ((1 - this.#rng.float()) ** this.#power - 1));
  }
}

class Table implements Jitter {
  readonly #scaleNs: number;
  readonly #quantiles: readonly number[];
  readonly #rng: Rng;

  constructor(scaleNs: number, quantiles: readonly number[], rng: Rng) {
    this.#scaleNs = scaleNs;
    this.#quantiles = quantiles;
    this.#rng = rng;
  }

  drawNs(): number {
    const at = this.#rng.float() * (this.#quantiles.length - 1);
    const below = Math.floor(at);
    const low = this.#quantiles[below]!;
    return whole(this.#scaleNs * (low + (at - below) * (this.#quantiles[below + 1]! - low)));
  }
}

function whole(ns: number): number {
  return Math.round(Math.max(-MAX_JITTER_NS, Math.min(MAX_JITTER_NS, ns)));
}

/**
 * The values of a table in the format of netem's `*.dist` files: whole numbers that are 8192 times the
 * quantile, in any number of lines, `#` begins a comment.
 * @throws ConfigError `FIBER_JITTER_RANGE` with the line
 */
export function parseDistribution(text: string, name: string): readonly number[] {
  const quantiles: number[] = [];
  for (const [line, content] of text.split('\n').entries()) {
    for (const word of content.replace(/#.*/, '').split(/\s+/)) {
      if (word === '') continue;
      if (!/^-?\d+$/.test(word)) {
        refuse(
          'FIBER_JITTER_RANGE',
          `${name}:${line + 1}: ${JSON.stringify(word)} is not a whole number`,
          { line: line + 1 },
          {
            hint: 'a table of netem holds whole numbers, 8192 for one standard deviation',
          },
        );
      }
      quantiles.push(Number(word) / NETEM_TABLE_SCALE);
    }
  }
  return quantiles;
}
