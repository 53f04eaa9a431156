/**
 * What a person may say about an experiment: the keys of the YAML file, which are also the objects
 * `experimentFrom` takes and, one by one, the options of `longhaul run`. Quantities are text with a
 * unit (`80km`, `400us`, `10Gbit`, `256MiB`); what is not said has the default of the first
 * experiment: 256 MiB, mixed fill, `uniform:50MB/s`, `metro-80km`, a pause target of 1 ms.
 *
 * `schemas/experiment.schema.json` is made from this schema's input side, for editors.
 */
import { z } from 'zod';
import {
  ConfigError,
  parseDistance,
  parseDuration,
  parseProbability,
  parseRate,
  parseSize,
  type Range,
} from '../core/index.js';
import { DEFAULT_DIRTY_RATE, parseDirty } from './dirty-spec.js';
import { ATTACHES, DIRECTIONS, FILLS, QOS, SITES, SPINS } from './experiment.js';

export type KeyErrorCode = 'LAB_NUMBER' | 'LAB_ADDRESS';

type Parser<T> = (value: string | number, option: string) => T;
type RangedParser = (value: string | number, option: string, range?: Range) => number;

const written = z.union([z.string(), z.number()], { error: 'is neither text nor a number' });

/** A key that is read by `parse`, whose refusal becomes the schema's issue (the caller puts the name before it). */
function read<T>(parse: Parser<T>, description: string) {
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
function quantity(parse: RangedParser, lo: string, hi: string, description: string) {
  const range = { min: parse(lo, 'range'), max: parse(hi, 'range'), text: `${lo}..${hi}` };
  return read((value, option) => parse(value, option, range), `${description} (${range.text})`);
}

function integer(min: number, max: number, description: string) {
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
function quantityOr<T>(
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

function interval(lo: string, hi: string, description: string) {
  return quantityOr('none', null, parseDuration, lo, hi, description);
}

function address(what: string, pattern: RegExp, example: string, description: string) {
  return read((value, option) => {
    const text = String(value).trim().toLowerCase();
    if (pattern.test(text)) return text;
    throw new ConfigError<KeyErrorCode>('LAB_ADDRESS', `${option} ${JSON.stringify(value)} is not ${what}`, {
      hint: `write it like ${example}`,
    });
  }, description);
}

/** Unicast: the lowest bit of the first octet is 0 (IEEE 802, 8.2). */
const UNICAST_MAC = /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/;
/** Dotted quads below the multicast range, none of whose octets passes 255. */
const UNICAST_IPV4 =
  /^(?!0\.|127\.)(?:[1-9]?\d|1\d\d|2[01]\d|22[0-3])(?:\.(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])){3}$/;

const lane = {
  distance: quantity(parseDistance, '0km', '40000km', 'Length of fiber; gives the one-way delay').optional(),
  'one-way': quantity(parseDuration, '0s', '10s', 'One-way delay, in place of a distance').optional(),
  'refractive-index': read(
    (value, option) =>
      parseDecimal(value, option, 1, 2, 'leave it out for 5 µs a kilometre, an index of 1.499'),
    'Of the glass, with a distance (1..2)',
  ).optional(),
  rate: quantityOr(
    'unlimited',
    Number.POSITIVE_INFINITY,
    parseRate,
    '1kbit',
    '1Tbit',
    'Rate of the link',
  ).optional(),
  queue: quantity(parseSize, '2KiB', '1GiB', 'Drop-tail queue of each class in front of the rate').optional(),
  loss: read(parseProbability, 'Chance that a wire packet is lost (0%..100%)').optional(),
};
const direction = z.strictObject(lane).optional();
const profile = z.string().describe('A profile by name: longhaul profiles lists them');
const span = {
  ...lane,
  'a-b': direction.describe('What differs from site A to site B'),
  'b-a': direction.describe('What differs from site B to site A'),
};

export const EXPERIMENT_KEYS = z
  .strictObject({
    name: z.string().max(80).default('').describe('What people call it'),
    seed: integer(0, 0xffffffff, 'Seed of every random draw').prefault(1),
    attach: z.enum(ATTACHES).default('auto').describe('How hosts and clients hang on the fabric'),
    fiber: z
      .strictObject({
        profile: profile.default('metro-80km'),
        ...span,
        spans: z
          .array(z.strictObject({ profile: profile.optional(), ...span }))
          .min(1)
          .max(8)
          .optional()
          .describe('Spans in a row, site A first; each begins from what stands above and says what differs'),
      })
      .prefault({})
      .describe('The fiber between the sites'),
    guest: z
      .strictObject({
        memory: quantity(parseSize, '1MiB', '4GiB', 'Memory of the guest').prefault('256MiB'),
        fill: z.enum(FILLS).default('mix').describe('What the memory holds at first'),
        dirty: read(parseDirty, 'What the guest writes: MODEL[:RATE]').prefault(
          `uniform:${DEFAULT_DIRTY_RATE}`,
        ),
        'hot-set': quantity(
          parseSize,
          '4KiB',
          '4GiB',
          'Range that is written; all memory by default',
        ).optional(),
        skew: read(
          (value, option) =>
            parseDecimal(value, option, 0, 4, '0 is even, 1 the usual zipf, 4 hardly leaves the first pages'),
          'Exponent of the zipf model (0..4)',
        ).prefault(1),
        mac: address(
          'a unicast MAC address',
          UNICAST_MAC,
          '02:4c:48:00:00:10',
          'MAC address of the guest',
        ).prefault('02:4c:48:00:00:10'),
        ip: address(
          'a unicast IPv4 address',
          UNICAST_IPV4,
          '10.80.0.10',
          'IPv4 address of the guest, in 10.80.0.0/24 with the clients',
        ).prefault('10.80.0.10'),
      })
      .prefault({})
      .describe('The guest that moves'),
    clients: z
      .array(
        z.strictObject({
          site: z.enum(SITES).describe('Where it stands'),
          icmp: interval('1ms', '10s', 'Time between echo requests').prefault('10ms'),
          service: interval('100us', '10s', 'Time between requests to the service').prefault('1ms'),
        }),
      )
      .max(16)
      .prefault([{ site: 'a' }, { site: 'b' }])
      .describe('Clients that hold sessions with the guest'),
    probe: z
      .strictObject({
        count: integer(10, 100_000, 'Echo requests between the sites before the first move').prefault(250),
        interval: quantity(parseDuration, '100us', '1s', 'Time between two of them').prefault('2ms'),
      })
      .prefault({})
      .describe('The measurement of the round trip'),
    migration: z
      .strictObject({
        repeat: integer(0, 1000, 'Moves of the same guest, there and back').prefault(1),
        streams: integer(1, 16, 'TCP streams that carry pages').prefault(1),
        'pause-target': quantity(
          parseDuration,
          '100us',
          '10s',
          'Pre-copy stops when the predicted pause is at most this',
        ).prefault('1ms'),
        'max-rounds': integer(1, 1000, 'Pre-copy rounds at most').prefault(30),
        limit: quantity(parseDuration, '1s', '24h', 'Pre-copy at most; then the guest stays').prefault(
          '2min',
        ),
        qos: z.enum(QOS).default('guest-first').describe('Which frames go first at the fiber'),
        'start-after': quantity(parseDuration, '0s', '1h', 'Time before the first move').prefault('500ms'),
        between: quantity(parseDuration, '0s', '1h', 'Time between two moves').prefault('500ms'),
      })
      .prefault({})
      .describe('The moves'),
    background: z
      .array(
        z.strictObject({
          direction: z
            .enum([...DIRECTIONS, 'both'])
            .default('both')
            .describe('Which way it goes'),
          rate: quantity(parseRate, '1kbit', '100Gbit', 'Offered rate on the wire'),
          frame: quantity(parseSize, '60B', '9014B', 'Frame length without FCS').prefault('1514B'),
        }),
      )
      .max(16)
      .default([])
      .describe('Other traffic on the fiber'),
    spin: z.enum(SPINS).default('deadline').describe('When the fabric spins rather than sleeps'),
    keep: z.boolean().default(false).describe('Leave both sites standing until Ctrl-C'),
    out: z.string().min(1).optional().describe('Directory for result.json'),
    'test-hooks': z
      .strictObject({
        'corrupt-page': integer(0, 2 ** 20 - 1, 'Flip a byte of this page in flight').optional(),
      })
      .optional()
      .describe('Deliberate faults, for tests only'),
  })
  .describe('A longhaul experiment');

/** What a file or a program may say. */
export type ExperimentInput = z.input<typeof EXPERIMENT_KEYS>;
/** The same, read: numbers in base units, defaults filled in; not yet resolved against profiles. */
export type ExperimentKeys = z.output<typeof EXPERIMENT_KEYS>;

function parseDecimal(
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
