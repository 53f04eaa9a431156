/**
 * The kinds of values that keys of our YAML files have: quantities as text with a unit, whole numbers
 * and decimals within a range, addresses. Each is a zod schema whose refusal carries code, allowed range and
 * remedy; the caller puts the key's name before it (key-refusal.ts).
 */
import { z } from 'zod';
import { ConfigError, parseDuration, type Range } from '../../core/index.js';

export type KeyErrorCode = 'LAB_NUMBER' | 'LAB_ADDRESS';

export type Parser<T> = (value: string | number, option: string) => T;
export type RangedParser = (value: string | number, option: string, range?: Range) => number;

export const written = z.union([z.string(), z.number()], { error: 'is neither text nor a number' });

/** A key that is read by `parse`, whose refusal becomes the schema's issue (the caller puts the name before it). */
export function read<T>(parse: Parser<T>, description: string) {
  return written
    .transform((value, context): T => {
      try {
        return parse(value, '');
      } catch (e) {
        if (!(e instanceof ConfigError)) throw e;
        const params = { code: e.code, hint: e.hint, details: e.details };
        context.issues.push({ code: 'custom', input: value, message: e.message.trim(), params });
        return z.NEVER;
      }
    })
    .describe(description);
}

/** A quantity within `lo..hi`, both written as the user would. */
export function quantity(parse: RangedParser, lo: string, hi: string, description: string) {
  const range = { min: parse(lo, 'range'), max: parse(hi, 'range'), text: `${lo}..${hi}` };
  return read((value, option) => parse(value, option, range), `${description} (${range.text})`);
}

export function integer(min: number, max: number, description: string) {
  return read((value, option) => {
    const n = typeof value === 'number' ? value : /^\d+$/.test(value.trim()) ? Number(value) : Number.NaN;
    if (Number.isInteger(n) && n >= min && n <= max) return n;
    throw new ConfigError<KeyErrorCode>(
      'LAB_NUMBER',
      `${option} ${JSON.stringify(value)} is not a whole number in ${min}..${max}`,
      { hint: `choose one in ${min}..${max}` },
    );
  }, `${description} (${min}..${max})`);
}

/** A quantity, or a word that stands for a value outside its range. */
export function quantityOr<T>(
  word: string,
  meaning: T,
  parse: RangedParser,
  lo: string,
  hi: string,
  description: string,
) {
  const range = { min: parse(lo, 'range'), max: parse(hi, 'range'), text: `${lo}..${hi} or ${word}` };
  return read(
    (value, option): number | T =>
      String(value).trim().toLowerCase() === word ? meaning : parse(value, option, range),
    `${description} (${range.text})`,
  );
}

/** A whole number from 1 up, or a word that stands for a value outside its range. */
export function integerOr<T>(word: string, meaning: T, max: number, description: string) {
  const range = `1..${max} or ${word}`;
  return read((value, option): number | T => {
    if (String(value).trim().toLowerCase() === word) return meaning;
    const n = typeof value === 'number' || /^\s*\d+\s*$/.test(value) ? Number(value) : Number.NaN;
    if (Number.isInteger(n) && n >= 1 && n <= max) return n;
    throw new ConfigError<KeyErrorCode>(
      'LAB_NUMBER',
      `${option} ${JSON.stringify(value)} is not a whole number in ${range}`,
      { hint: `choose one in ${range}` },
    );
  }, `${description} (${range})`);
}

export function interval(lo: string, hi: string, description: string) {
  return quantityOr('none', null, parseDuration, lo, hi, description);
}

export function address(what: string, pattern: RegExp, example: string, description: string) {
  return read((value, option) => {
    const text = String(value).trim().toLowerCase();
    if (pattern.test(text)) return text;
    throw new ConfigError<KeyErrorCode>('LAB_ADDRESS', `${option} ${JSON.stringify(value)} is not ${what}`, {
      hint: `write it like ${example}`,
    });
  }, description);
}

/** Unicast: the lowest bit of the first octet is 0 (IEEE 802, 8.2). */
export const UNICAST_MAC = /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/;
/** Dotted quads below the multicast range, none of whose octets passes 255. */
export const UNICAST_IPV4 =
  /^(?!0\.|127\.)(?:[1-9]?\d|1\d\d|2[01]\d|22[0-3])(?:\.(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])){3}$/;

/** A number within `min..max`. @param hint the remedy when it is not */
export function parseDecimal(
  value: string | number,
  option: string,
  min: number,
  max: number,
  hint: string,
): number {
  const n = typeof value === 'number' ? value : value.trim() === '' ? Number.NaN : Number(value);
  if (n >= min && n <= max) return n;
  throw new ConfigError<KeyErrorCode>(
    'LAB_NUMBER',
    `${option} ${JSON.stringify(value)} is not a number in ${min}..${max}`,
    { hint },
  );
}
