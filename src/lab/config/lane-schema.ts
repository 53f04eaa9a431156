/**
 * A lane of the fiber as the result file keeps it: the settings of `src/fiber` as JSON. JSON has no
 * Infinity: an unlimited rate or number of frames is null. Fields that came after the first results were
 * written have defaults, so that older files are read as what they were: a fiber without them.
 */
import { z } from 'zod';
import { type LaneSettings, type Timeline, UNIMPAIRED } from '../../fiber/index.js';

const ns = (text: string) => z.int().nonnegative().describe(`${text}, nanoseconds`);
const count = (text: string) => z.int().nonnegative().describe(text);
const prob = (text: string) => z.number().min(0).max(1).describe(`${text}, 0..1`);

const QUEUE_DISCIPLINE = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('drop-tail') }),
  z.object({
    kind: z.literal('codel'),
    targetNs: ns('Standing delay that is acceptable'),
    intervalNs: ns('How long it may be exceeded'),
  }),
  z.object({ kind: z.literal('none') }),
]);

const LOSS_MODEL = z.discriminatedUnion('model', [
  z.object({
    model: z.literal('gilbert-elliott'),
    p: prob('From good to bad, per packet'),
    r: prob('From bad to good, per packet'),
    h: prob('What passes in the bad state'),
    k: prob('What passes in the good state'),
  }),
  z.object({
    model: z.literal('4-state'),
    p13: prob('From passing to a burst'),
    p31: prob('From a burst to passing'),
    p32: prob('From losing to passing within a burst'),
    p23: prob('From passing to losing within a burst'),
    p14: prob('From passing to a single loss'),
  }),
  z.object({ model: z.literal('periodic'), every: count('Packets from one loss to the next') }),
]);

const JITTER = z.discriminatedUnion('model', [
  z.object({ model: z.literal('uniform'), halfWidthNs: ns('How far to either side') }),
  z.object({ model: z.literal('normal'), sigmaNs: ns('Standard deviation') }),
  z.object({
    model: z.literal('pareto'),
    scaleNs: ns('Scale'),
    shape: z.number().describe('The smaller the heavier the tail'),
  }),
  z.object({
    model: z.literal('table'),
    scaleNs: ns('Time for a quantile of 1'),
    quantiles: z.array(z.number()).readonly().describe('Values at even steps of probability'),
  }),
]);

const FILTER = z.object({
  trafficClass: z.enum(['guest', 'vmotion']).describe('Class at the entry of the fiber'),
  minLength: count('Shortest packet, bytes'),
  maxLength: count('Longest packet, bytes'),
  etherType: count('EtherType'),
  ipProtocol: count('Protocol of IPv4 or IPv6'),
  sourceMac: z.string(),
  destinationMac: z.string(),
  port: count('TCP or UDP port at either end'),
  sourcePort: count('TCP or UDP port of the sender'),
  destinationPort: count('TCP or UDP port of the receiver'),
});

const DROP_RULE = z.object({
  fromNs: ns('From when on, since the start'),
  untilNs: ns('Until when; null for ever').nullable(),
  match: FILTER.partial().describe('Which packets it counts; null for all').nullable(),
  nth: count('The first of them that is dropped'),
  count: count('How many from there on; null for all').nullable(),
});

const FIELDS = {
  oneWayNs: ns('Propagation delay of this direction'),
  rateBps: z
    .number()
    .positive()
    .nullable()
    .describe('Serialisation rate, bits per second; null when unlimited'),
  queueBytes: count('Queue of each class in front of the rate, bytes on the wire'),
  queueFrames: count('The same in wire packets; null when unlimited').nullable(),
  queueDiscipline: QUEUE_DISCIPLINE.describe('Who is dropped when the queue fills; none has no limit'),
  lossProb: prob('Bernoulli loss per wire packet'),
  lossModel: LOSS_MODEL.nullable().describe('Loss with memory or a period in its place; null for none'),
  drops: z.array(DROP_RULE).readonly().describe('Packets that are dropped by script'),
  jitter: JITTER.nullable().describe('What is added to the delay of each frame; null for nothing'),
  reorder: z.boolean().describe('Whether frames may overtake each other under way'),
  duplicateProb: prob('Chance that a wire packet arrives twice'),
  corruptProb: prob('Chance that a wire packet is damaged'),
  link: z.enum(['up', 'down']),
};

export const LANE_SCHEMA = z
  .object({
    ...FIELDS,
    queueFrames: FIELDS.queueFrames.default(null),
    queueDiscipline: FIELDS.queueDiscipline.default({ ...UNIMPAIRED.queueDiscipline }),
    lossModel: FIELDS.lossModel.default(null),
    drops: FIELDS.drops.default([]),
    jitter: FIELDS.jitter.default(null),
    reorder: FIELDS.reorder.default(false),
    duplicateProb: FIELDS.duplicateProb.default(0),
    corruptProb: FIELDS.corruptProb.default(0),
    link: FIELDS.link.default('up'),
  })
  .describe('One direction of one span');

export const TIMELINE_SCHEMA = z
  .array(
    z.object({
      entries: z.array(
        z.object({
          atNs: ns('When, since the start'),
          direction: z.enum(['a-b', 'b-a', 'both']),
          span: count('Counted from site A; all when left out').optional(),
          set: z.object(FIELDS).partial().describe('What changes'),
        }),
      ),
      repeatNs: ns('After how long the entries come again; null for once').nullable(),
    }),
  )
  .describe('What changes on the fiber while it runs; tracks side by side');

export type LaneConfig = z.infer<typeof LANE_SCHEMA>;
export type TimelineConfig = z.infer<typeof TIMELINE_SCHEMA>;
type Change = TimelineConfig[number]['entries'][number]['set'];

const finite = (n: number): number | null => (Number.isFinite(n) ? n : null);
const orUnlimited = (n: number | null): number => n ?? Number.POSITIVE_INFINITY;

/** Settings as JSON. */
export function laneConfigOf(settings: LaneSettings): LaneConfig {
  return { ...settings, rateBps: finite(settings.rateBps), queueFrames: finite(settings.queueFrames) };
}

/** The same as the machines take it. */
export function laneSettingsOf(config: LaneConfig): LaneSettings {
  return { ...config, rateBps: orUnlimited(config.rateBps), queueFrames: orUnlimited(config.queueFrames) };
}

/** A time line as JSON. */
export function timelineConfigOf(timeline: Timeline): TimelineConfig {
  return timeline.map(({ entries, repeatNs }) => ({
    entries: entries.map(({ set, ...entry }) => ({ ...entry, set: converted(set, finite) as Change })),
    repeatNs,
  }));
}

/** The same as the fiber takes it. */
export function timelineOf(config: TimelineConfig): Timeline {
  return config.map(({ entries, repeatNs }) => ({
    entries: entries.map(({ set, ...entry }) => ({
      ...entry,
      set: converted(set, orUnlimited) as Partial<LaneSettings>,
    })),
    repeatNs,
  }));
}

function converted<From, To>(set: object, convert: (n: From) => To): object {
  const unlimitable = ['rateBps', 'queueFrames'];
  return Object.fromEntries(
    Object.entries(set).map(([key, value]) => [key, unlimitable.includes(key) ? convert(value) : value]),
  );
}
