/**
 * What can be set on a fiber, and the check of every value. A wrong value throws here, where the
 * configuration is built; the machines trust what they are given.
 *
 *   fiber ── spans in a row, site A first ── each span two lanes: aToB, bToA
 */
import { formatBps, formatBytes, formatNs, NS_PER_S } from '../core/index.js';
import { checkDrops, type DropRule } from './drop-script.js';
import { checkJitter, type JitterSettings } from './jitter.js';
import { checkLossModel, type LossModelSettings } from './loss-model.js';
import { checkQueueDiscipline, type QueueDisciplineSettings } from './queue-settings.js';
import { checkProb, refuse, within } from './refuse.js';

export const DIRECTIONS = ['a-b', 'b-a'] as const;
/** Which way a frame travels between the sites. */
export type Direction = (typeof DIRECTIONS)[number];

/** One direction of one span. Every field can be changed while the lane runs. */
export interface LaneSettings {
  /** Propagation delay, whole nanoseconds, 0..10 s. */
  readonly oneWayNs: number;
  /** Serialisation rate, whole bits per second, 1 kbit/s..1 Tbit/s, or Infinity when unlimited. */
  readonly rateBps: number;
  /** Limit of each class's queue in wire bytes, 2 KiB..1 GiB. The frame being serialised stands in no queue. */
  readonly queueBytes: number;
  /** The same in wire packets (a super-frame counts as all of its packets), or Infinity. */
  readonly queueFrames: number;
  /** Who may wait and who is dropped at the head; `none` knows no limit. */
  readonly queueDiscipline: QueueDisciplineSettings;
  /** Probability that a wire packet is lost, each by itself, 0..1; 0 where a model decides. */
  readonly lossProb: number;
  /** Loss with memory or a period, in place of `lossProb`; null for none. */
  readonly lossModel: LossModelSettings | null;
  /** What a script drops, beside what is lost by chance. */
  readonly drops: readonly DropRule[];
  /** What is added to `oneWayNs`, drawn for each frame; null for nothing. */
  readonly jitter: JitterSettings | null;
  /** Whether a frame may overtake another in the glass; if not it waits for the one before it. */
  readonly reorder: boolean;
  /** Probability that a wire packet arrives twice, 0..1. */
  readonly duplicateProb: number;
  /** Probability that a wire packet is damaged under way, 0..1. */
  readonly corruptProb: number;
  readonly link: 'up' | 'down';
}

/** Both directions of one span. */
export interface SpanSettings {
  readonly aToB: LaneSettings;
  readonly bToA: LaneSettings;
}

/** A fiber, fully resolved. */
export interface FiberSettings {
  /** The named profile it began from. */
  readonly profile: string;
  /** Spans in a row, the one at site A first. */
  readonly spans: readonly SpanSettings[];
}

/** The settings that say what goes wrong, of a lane on which nothing does. */
export const UNIMPAIRED = {
  queueDiscipline: { kind: 'drop-tail' },
  lossProb: 0,
  lossModel: null,
  drops: [],
  jitter: null,
  reorder: false,
  duplicateProb: 0,
  corruptProb: 0,
  link: 'up',
} as const satisfies Partial<LaneSettings>;

/** `set` over `settings`: of `lossProb` and `lossModel` the one that is set puts the other out of force. */
export function withChanges<Under extends Partial<LaneSettings>>(
  settings: Under,
  set: Partial<LaneSettings>,
): Under {
  if (set.lossModel) return { ...settings, ...set, lossProb: 0 };
  if (set.lossProb !== undefined) return { ...settings, ...set, lossModel: null };
  return { ...settings, ...set };
}

/** Earth's half circumference is 20 000 km; twice that leaves room for any detour. */
const MAX_DISTANCE_M = 40_000_000;
const MAX_ONE_WAY_NS = 10 * NS_PER_S;
const MIN_RATE_BPS = 1_000;
/** Above this the exact arithmetic of a lane would lose bits. */
const MAX_RATE_BPS = 1e12;
/** One full packet of MTU 1500 takes 1538 bytes on the wire; a queue that holds none is no queue. */
const MIN_QUEUE_BYTES = 2 * 1024;
const MAX_QUEUE_BYTES = 1024 ** 3;
const MAX_REFRACTIVE_INDEX = 2;

/** Nanoseconds of delay per metre unless a refractive index is given: 5 µs a kilometre, an index of 1.499. */
export const NS_PER_M = 5;
/** Metres per second (exact by definition of the metre). */
export const SPEED_OF_LIGHT_MPS = 299_792_458;

/**
 * One-way delay of a length of fiber, whole nanoseconds.
 * @param refractiveIndex group index of the glass (G.652 fiber 1.467, hollow core 1.003); null for 5 µs a kilometre
 */
export function propagationNs(distanceM: number, refractiveIndex: number | null = null): number {
  if (refractiveIndex === null) return Math.round(distanceM * NS_PER_M);
  return Math.round((distanceM * refractiveIndex * NS_PER_S) / SPEED_OF_LIGHT_MPS);
}

/**
 * Checks the fields that are given and returns them with whole nanoseconds, bits and bytes.
 * @param where what the values belong to, for the message: `a-b`, `span 1 b-a`
 * @throws ConfigError with a code of `FiberErrorCode`
 */
export function checkLane<Given extends Partial<LaneSettings>>(given: Given, where = 'lane'): Given {
  const whole: { -readonly [K in keyof LaneSettings]?: LaneSettings[K] } = {};
  if (given.oneWayNs !== undefined) whole.oneWayNs = checkOneWay(given.oneWayNs, where);
  if (given.rateBps !== undefined) whole.rateBps = checkRate(given.rateBps, where);
  if (given.queueBytes !== undefined) whole.queueBytes = checkQueueBytes(given.queueBytes, where);
  if (given.queueFrames !== undefined) whole.queueFrames = checkQueueFrames(given.queueFrames, where);
  if (given.queueDiscipline !== undefined) {
    whole.queueDiscipline = checkQueueDiscipline(given.queueDiscipline, where);
  }
  if (given.lossProb !== undefined) {
    whole.lossProb = checkProb('FIBER_LOSS_RANGE', where, 'loss', given.lossProb);
  }
  if (given.lossModel !== undefined) {
    whole.lossModel = given.lossModel && checkLossModel(given.lossModel, where);
  }
  if (given.drops !== undefined) whole.drops = checkDrops(given.drops, where);
  if (given.jitter !== undefined) whole.jitter = given.jitter && checkJitter(given.jitter, where);
  if (given.reorder !== undefined) whole.reorder = given.reorder;
  if (given.duplicateProb !== undefined) {
    whole.duplicateProb = checkProb('FIBER_DUPLICATE_RANGE', where, 'duplication', given.duplicateProb);
  }
  if (given.corruptProb !== undefined) {
    whole.corruptProb = checkProb('FIBER_CORRUPT_RANGE', where, 'corruption', given.corruptProb);
  }
  if (given.link !== undefined) whole.link = checkLink(given.link, where);
  return whole as Given;
}

function checkOneWay(oneWayNs: number, where: string): number {
  if (within(oneWayNs, 0, MAX_ONE_WAY_NS)) return Math.round(oneWayNs);
  const value = plausible(oneWayNs) ? formatNs(oneWayNs) : `${oneWayNs} ns`;
  return refuse(
    'FIBER_ONE_WAY_RANGE',
    `${where}: one-way delay ${value} is outside 0..10s`,
    { oneWayNs },
    { hint: 'give the delay of one direction, half the round trip, such as 400us' },
  );
}

function checkRate(rateBps: number, where: string): number {
  if (rateBps === Number.POSITIVE_INFINITY || within(rateBps, MIN_RATE_BPS, MAX_RATE_BPS)) {
    return Math.round(rateBps);
  }
  const value = plausible(rateBps) ? formatBps(rateBps) : `${rateBps} bit/s`;
  return refuse(
    'FIBER_RATE_RANGE',
    `${where}: rate ${value} is outside 1kbit..1Tbit or unlimited`,
    { rateBps },
    { hint: 'write it like 10Gbit; to cut the link set link: down' },
  );
}

function checkQueueBytes(queueBytes: number, where: string): number {
  if (within(queueBytes, MIN_QUEUE_BYTES, MAX_QUEUE_BYTES)) return Math.round(queueBytes);
  const value = plausible(queueBytes) ? formatBytes(queueBytes) : `${queueBytes} B`;
  return refuse(
    'FIBER_QUEUE_RANGE',
    `${where}: queue ${value} is outside 2KiB..1GiB`,
    { queueBytes },
    { hint: 'rate × RTT / 8 bytes is a good size' },
  );
}

function checkQueueFrames(queueFrames: number, where: string): number {
  if (queueFrames >= 1) return Math.floor(queueFrames);
  return refuse(
    'FIBER_QUEUE_RANGE',
    `${where}: queue of ${queueFrames} frames is outside 1..Infinity`,
    { queueFrames },
    { hint: 'leave it out to limit the queue by bytes only' },
  );
}

function checkLink(link: string, where: string): 'up' | 'down' {
  if (link === 'up' || link === 'down') return link;
  return refuse(
    'FIBER_LINK_STATE',
    `${where}: link ${JSON.stringify(link)} is neither up nor down`,
    { link },
    { hint: 'write up or down' },
  );
}

/** @throws ConfigError `FIBER_DISTANCE_RANGE` */
export function checkDistance(distanceM: number, where: string): number {
  if (!within(distanceM, 0, MAX_DISTANCE_M)) {
    refuse(
      'FIBER_DISTANCE_RANGE',
      `${where}: distance ${distanceM / 1000} km is outside 0..40000km`,
      { distanceM },
      { hint: 'for a longer way give the one-way delay instead' },
    );
  }
  return distanceM;
}

/** @throws ConfigError `FIBER_INDEX_RANGE` */
export function checkRefractiveIndex(index: number, where: string): number {
  if (!within(index, 1, MAX_REFRACTIVE_INDEX)) {
    refuse(
      'FIBER_INDEX_RANGE',
      `${where}: refractive index ${index} is outside 1..2`,
      { index },
      { hint: 'ordinary single-mode fiber has 1.467, hollow-core fiber 1.003' },
    );
  }
  return index;
}

/** Whether a number reads well in a larger unit; what does not is shown to the user as it came. */
function plausible(value: number): boolean {
  return value >= 0 && Number.isFinite(value);
}
