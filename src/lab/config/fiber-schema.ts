/**
 * What a person may say about a fiber, as schemas: the keys that the experiment file, a bridge file and
 * a profile file share. How they become a fiber stands in fiber-keys.ts.
 */
import { z } from 'zod';
import { parseDuration } from '../../core/index.js';
import { DIRECTIONS, PROFILES } from '../../fiber/index.js';
import { integer, quantity } from './key-kinds.js';
import { LANE, LANE_KEYS } from './lane-keys.js';

const MAX_SPANS = 8;

const span = {
  ...LANE_KEYS,
  'a-b': LANE.optional().describe('What differs from site A to site B'),
  'b-a': LANE.optional().describe('What differs from site B to site A'),
};
const profile = z
  .string()
  .describe('A profile by name (longhaul profiles lists them), or a YAML file of your own: ./my-fiber.yaml');
const namedProfile = z
  .enum(Object.keys(PROFILES))
  .describe('What it begins from: a profile by name; longhaul profiles lists them');

/** Which lanes a change is for. */
const whose = {
  direction: z
    .enum([...DIRECTIONS, 'both'])
    .default('both')
    .describe('Which way'),
  span: integer(0, MAX_SPANS - 1, 'Which span, counted from site A; all when left out').optional(),
};

const change = z.strictObject({
  at: quantity(parseDuration, '0s', '24h', 'When, counted from the start'),
  ...whose,
  set: LANE.describe('What changes'),
});

const trace = z
  .strictObject({
    file: z.string().min(1).describe('A table with a header: time, one-way, rate, loss (CSV)'),
    ...whose,
    'at-end': z
      .enum(['hold', 'loop'])
      .default('hold')
      .describe('Whether the last row holds or it begins anew'),
    interpolate: quantity(
      parseDuration,
      '10us',
      '1h',
      'Steps in which the delay goes in a straight line from row to row',
    ).optional(),
  })
  .meta({ id: 'trace' });

/** The keys that a fiber has beside its profile. @param profile what a span may begin from */
function body<Profile extends z.ZodType<string>>(profile: Profile) {
  return {
    ...span,
    spans: z
      .array(z.strictObject({ profile: profile.optional(), ...span }))
      .min(1)
      .max(MAX_SPANS)
      .optional()
      .describe('Spans in a row, site A first; each begins from what stands above and says what differs'),
    'time-line': z.array(change).optional().describe('What changes while it runs'),
    'time-line-repeat': quantity(
      parseDuration,
      '1ms',
      '24h',
      'After how long the time line begins anew',
    ).optional(),
    trace: z
      .union([trace, z.array(trace).max(16)])
      .optional()
      .describe('A measured course of delay, rate and loss, or several'),
  };
}

/** The fiber of an experiment or of a bridge. */
export const FIBER_KEYS = z
  .strictObject({ profile: profile.default('metro-80km'), ...body(profile) })
  .describe('The fiber between the sites');

/** A fiber in a file of its own. Its profiles are named ones: no file begins from another. */
export const PROFILE_KEYS = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .max(80)
      .optional()
      .describe('What people call it; the name of the file by default'),
    description: z.string().default('').describe('One line for a list'),
    source: z.string().default('').describe('Where the figures come from'),
    profile: namedProfile.optional(),
    ...body(namedProfile),
  })
  .describe('A longhaul fiber profile');

export type FiberKeys = z.output<typeof FIBER_KEYS>;
export type ProfileKeys = z.output<typeof PROFILE_KEYS>;
