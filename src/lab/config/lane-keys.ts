/**
 * What a person may say about one direction of a span, as schemas: the keys of the fiber, of its
 * directions, of its spans, of a time line's `set` and of `longhaul ctl set`. How they become settings
 * stands in lane-from.ts.
 *
 *   loss: 1%                         or  loss: {model: gilbert-elliott, p: 0.1%, r: 20%}
 *   jitter: 50us                     or  jitter: {model: normal, sigma: 50us}
 *   queue-discipline: drop-tail      or  queue-discipline: {codel: {target: 5ms}}
 */
import { z } from 'zod';
import {
  ConfigError,
  parseDistance,
  parseDuration,
  parseProbability,
  parseRate,
  parseSize,
} from '../../core/index.js';
import {
  address,
  integer,
  integerOr,
  type KeyErrorCode,
  parseDecimal,
  quantity,
  quantityOr,
  read,
} from './key-kinds.js';

const chance = (description: string) => read(parseProbability, `${description} (0%..100%)`);
const time = (lo: string, hi: string, description: string) => quantity(parseDuration, lo, hi, description);

/** What has an id stands once in a JSON Schema, however often it is used. */
const LOSS_MODELS = z
  .discriminatedUnion('model', [
    z.strictObject({
      model: z.literal('bernoulli').describe('Each packet by itself, as when only a probability is given'),
      p: chance('Chance that a wire packet is lost'),
    }),
    z.strictObject({
      model: z.literal('gilbert-elliott').describe('A good and a bad state (tc-netem: gemodel)'),
      p: chance('From good to bad, per packet'),
      r: chance('From bad to good, per packet'),
      h: chance('What passes in the bad state').prefault('0%'),
      k: chance('What passes in the good state').prefault('100%'),
    }),
    z.strictObject({
      model: z
        .literal('4-state')
        .describe('Bursts with passing packets in them, and single losses (tc-netem: state)'),
      p13: chance('From passing to a burst'),
      p31: chance('From a burst to passing; what p13 leaves by default').optional(),
      p32: chance('From losing to passing within a burst').prefault('0%'),
      p23: chance('From passing to losing within a burst').prefault('100%'),
      p14: chance('From passing to a single loss').prefault('0%'),
    }),
    z.strictObject({
      model: z.literal('periodic').describe('Every n-th packet'),
      every: integer(1, 1e9, 'The n'),
    }),
  ])
  .meta({ id: 'loss-model' });

const JITTER_MODELS = z
  .discriminatedUnion('model', [
    z.strictObject({
      model: z.literal('uniform').describe('Evenly around the delay, as when only a time is given'),
      'half-width': time('0s', '10s', 'How far to either side'),
    }),
    z.strictObject({
      model: z.literal('normal').describe('A normal distribution around the delay'),
      sigma: time('0s', '10s', 'Standard deviation'),
    }),
    z.strictObject({
      model: z.literal('pareto').describe('Mostly little more than the delay, sometimes much'),
      scale: time('0s', '10s', 'The mean excess is scale / (shape − 1)'),
      shape: read(
        (value, option) => parseDecimal(value, option, 1.01, 100, '3 has a heavy tail, 10 a light one'),
        'The smaller the heavier the tail (1.01..100)',
      ).prefault(3),
    }),
    z.strictObject({
      model: z.literal('table').describe('By quantiles of your own'),
      scale: time('0s', '10s', 'Time for a quantile of 1'),
      quantiles: z
        .array(z.number())
        .min(2)
        .max(16_384)
        .optional()
        .describe('Values at even steps of probability, ascending'),
      file: z.string().min(1).optional().describe('A netem table (*.dist), in place of quantiles'),
    }),
  ])
  .meta({ id: 'jitter-model' });

const NAMED_TYPES: Readonly<Record<string, number>> = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd };
const NAMED_PROTOCOLS: Readonly<Record<string, number>> = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58 };

/** A number, or a word that stands for one. */
function named(words: Readonly<Record<string, number>>, min: number, max: number, description: string) {
  const known = Object.keys(words).join(', ');
  return read((value, option) => {
    const n = words[String(value).trim().toLowerCase()] ?? Number(value);
    if (Number.isInteger(n) && n >= min && n <= max) return n;
    throw new ConfigError<KeyErrorCode>(
      'LAB_NUMBER',
      `${option} ${JSON.stringify(value)} is not one of ${known} or a number in ${min}..${max}`,
      {
        hint: `write one of ${known}, or the number`,
      },
    );
  }, `${description}: ${known} or a number`);
}

const ANY_MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;
const mac = (description: string) =>
  address('a MAC address', ANY_MAC, '02:4c:48:00:00:10', description).optional();

export const MATCH = z.strictObject({
  class: z.enum(['guest', 'vmotion']).optional().describe('The class it stands in at the entry of the fiber'),
  'min-length': integer(60, 65_549, 'Shortest packet, bytes without FCS').optional(),
  'max-length': integer(60, 65_549, 'Longest packet, bytes without FCS').optional(),
  ethertype: named(NAMED_TYPES, 0x0600, 0xffff, 'EtherType behind any VLAN tag').optional(),
  'ip-protocol': named(NAMED_PROTOCOLS, 0, 255, 'Protocol of IPv4 or IPv6').optional(),
  'source-mac': mac('MAC address of the sender'),
  'destination-mac': mac('MAC address of the receiver'),
  port: integer(0, 65_535, 'TCP or UDP port at either end').optional(),
  'source-port': integer(0, 65_535, 'TCP or UDP port of the sender').optional(),
  'destination-port': integer(0, 65_535, 'TCP or UDP port of the receiver').optional(),
});

const DROP = z
  .strictObject({
    at: time('0s', '24h', 'From when on, counted from the start').prefault('0s'),
    for: time('1us', '24h', 'For how long').optional(),
    match: MATCH.optional().describe('Which packets it counts; all when left out'),
    nth: integer(1, 1e12, 'The first of them that is dropped').prefault(1),
    count: integerOr(
      'all',
      null,
      1e12,
      'How many are dropped from there on; 1, or all where `for` is given',
    ).optional(),
  })
  .meta({ id: 'scripted-drop' });

/** Every key of a lane. Each is optional: what is left out stands as it is below. */
export const LANE_KEYS = {
  distance: quantity(parseDistance, '0km', '40000km', 'Length of fiber; gives the one-way delay').optional(),
  'one-way': time('0s', '10s', 'One-way delay, in place of a distance').optional(),
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
  queue: quantity(parseSize, '2KiB', '1GiB', 'Queue of each class in front of the rate').optional(),
  'queue-frames': integerOr(
    'unlimited',
    Number.POSITIVE_INFINITY,
    1e9,
    'The same in wire packets',
  ).optional(),
  'queue-discipline': z
    .union([
      z.enum(['drop-tail', 'codel', 'none']),
      z.strictObject({
        codel: z.strictObject({
          target: time('1us', '1s', 'Standing delay that is acceptable').prefault('5ms'),
          interval: time('2us', '10s', 'How long it may be exceeded').prefault('100ms'),
        }),
      }),
    ])
    .optional()
    .describe('Who is dropped when the queue fills; none has no limit'),
  loss: z
    .union([chance('Chance that a wire packet is lost'), LOSS_MODELS])
    .optional()
    .describe('Chance that a wire packet is lost (0%..100%), or a model'),
  drops: z.array(DROP).max(64).optional().describe('Packets that are dropped by script, beside the loss'),
  jitter: z
    .union([
      quantityOr('none', 0, parseDuration, '0s', '10s', 'Added to the delay, evenly from minus to plus this'),
      JITTER_MODELS,
    ])
    .optional()
    .describe('What is added to the delay of each frame: a time, or a model'),
  reorder: z.boolean().optional().describe('Whether frames may overtake each other under way'),
  duplicate: chance('Chance that a wire packet arrives twice').optional(),
  corrupt: chance('Chance that a wire packet is damaged').optional(),
  link: z.enum(['up', 'down']).optional().describe('Whether anything passes'),
};

export const LANE = z.strictObject(LANE_KEYS).meta({ id: 'lane' });
/** The keys of a lane as read: numbers in base units. */
export type LaneKeys = z.output<typeof LANE>;
/** The keys of a lane as a person or a program writes them. */
export type LaneInput = z.input<typeof LANE>;
export type MatchKeys = z.output<typeof MATCH>;
