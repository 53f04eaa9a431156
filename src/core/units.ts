/**
 * Quantities as people write them: `80km`, `400us`, `10Gbit`, `0.01%`, `256MiB`.
 * Each parser returns the SI base the code uses (metres, nanoseconds, bits/s, probability, bytes)
 * or throws a `ConfigError` that names the option, the allowed form and the remedy.
 * SI prefixes are decimal (k = 1000), binary ones carry an i (Ki = 1024), as IEC 80000-13 has it.
 */
import { ConfigError } from './errors.js';

export type UnitsErrorCode = 'CORE_UNIT_SYNTAX' | 'CORE_UNIT_RANGE';

interface Dimension {
  readonly what: string;
  readonly example: string;
  /** Unit (lower case unless case matters) → factor to the base unit. */
  readonly units: ReadonlyMap<string, number>;
  readonly words?: ReadonlyMap<string, number>;
}

const DISTANCE: Dimension = {
  what: 'a distance',
  example: '80km',
  units: new Map([
    ['m', 1],
    ['km', 1000],
    ['mi', 1609.344],
  ]),
};

const DURATION: Dimension = {
  what: 'a duration',
  example: '400us',
  units: new Map([
    ['ns', 1],
    ['us', 1e3],
    ['µs', 1e3],
    ['μs', 1e3],
    ['ms', 1e6],
    ['s', 1e9],
    ['m', 60e9],
    ['min', 60e9],
    ['h', 3600e9],
  ]),
};

const RATE: Dimension = {
  what: 'a rate in bits per second',
  example: '10Gbit',
  units: new Map(
    [
      ['', 1],
      ['k', 1e3],
      ['m', 1e6],
      ['g', 1e9],
      ['t', 1e12],
    ].flatMap(([p, f]) => ['bit', 'bit/s', 'bps'].map((u) => [`${p}${u}`, f] as [string, number])),
  ),
  words: new Map([['unlimited', Number.POSITIVE_INFINITY]]),
};

const SIZE: Dimension = {
  what: 'a size in bytes',
  example: '256MiB',
  units: new Map([
    ['b', 1],
    ['kb', 1e3],
    ['mb', 1e6],
    ['gb', 1e9],
    ['kib', 2 ** 10],
    ['mib', 2 ** 20],
    ['gib', 2 ** 30],
  ]),
};

const PROBABILITY: Dimension = {
  what: 'a probability',
  example: '0.01%',
  units: new Map([
    ['', 1],
    ['%', 0.01],
  ]),
};

/** Bounds of an option, in its base unit, and how to print them. */
export interface Range {
  readonly min: number;
  readonly max: number;
  /** The allowed range as the user would write it, `1MiB..4GiB`. */
  readonly text: string;
}

/** Metres from `80km`. @param option the name the user knows it by, such as `--distance` */
export function parseDistance(text: string | number, option: string, range?: Range): number {
  return parseQuantity(text, option, DISTANCE, range);
}

/** Whole nanoseconds from `400us`. */
export function parseDuration(text: string | number, option: string, range?: Range): number {
  return Math.round(parseQuantity(text, option, DURATION, range));
}

/** Bits per second from `10Gbit` (also `10Gbit/s`, `10Gbps`); `unlimited` gives Infinity. */
export function parseRate(text: string | number, option: string, range?: Range): number {
  return parseQuantity(text, option, RATE, range);
}

/** Whole bytes from `256MiB` (also `64KB`, `4096B`). */
export function parseSize(text: string | number, option: string, range?: Range): number {
  return Math.round(parseQuantity(text, option, SIZE, range));
}

/** A probability 0..1 from `0.01%` or `0.0001`. */
export function parseProbability(text: string | number, option: string): number {
  const value = parseQuantity(text, option, PROBABILITY);
  if (value >= 0 && value <= 1) return value;
  throw new ConfigError<UnitsErrorCode>('CORE_UNIT_RANGE', `${option} ${text} is outside 0..1 (0%..100%)`, {
    details: { option, text: String(text) },
    hint: String(text).includes('%') ? 'choose one in 0%..100%' : `for ${text} percent write ${text}%`,
  });
}

const QUANTITY = /^\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*([a-zµμ%/]*)\s*$/i;

function parseQuantity(input: string | number, option: string, dim: Dimension, range?: Range): number {
  const text = String(input).trim();
  let value = dim.words?.get(text.toLowerCase());
  if (value === undefined) {
    const match = QUANTITY.exec(text);
    const factor = match ? dim.units.get(match[2]!.toLowerCase()) : undefined;
    if (!match || factor === undefined || !(Number(match[1]) >= 0) || !Number.isFinite(Number(match[1]))) {
      const units = [...dim.units.keys()].filter((u) => u !== '').join(', ');
      throw new ConfigError<UnitsErrorCode>(
        'CORE_UNIT_SYNTAX',
        `${option} ${JSON.stringify(input)} is not ${dim.what}${range ? ` (allowed: ${range.text})` : ''}`,
        { details: { option, text }, hint: `write it like ${dim.example}; units: ${units}` },
      );
    }
    value = Number(match[1]) * factor;
  }
  if (range && !(value >= range.min && value <= range.max)) {
    throw new ConfigError<UnitsErrorCode>('CORE_UNIT_RANGE', `${option} ${text} is outside ${range.text}`, {
      details: { option, text, min: range.min, max: range.max },
      hint: `choose a value in ${range.text}`,
    });
  }
  return value;
}
