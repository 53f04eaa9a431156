/**
 * What can be set on a fiber, and the check of every value. A wrong value throws here, where the
 * configuration is built; the machines trust what they are given.
 *
 *   fiber ── spans in a row, site A first ── each span two lanes: aToB, bToA
 */
import { ConfigError, formatBps, formatBytes, formatNs, NS_PER_S } from '../core/index.js';

export type FiberErrorCode =
  | 'FIBER_PROFILE_UNKNOWN'
  | 'FIBER_DISTANCE_RANGE'
  | 'FIBER_ONE_WAY_RANGE'
  | 'FIBER_DELAY_TWICE'
  | 'FIBER_INDEX_RANGE'
  | 'FIBER_INDEX_UNUSED'
  | 'FIBER_RATE_RANGE'
  | 'FIBER_QUEUE_RANGE'
  | 'FIBER_LOSS_RANGE'
  | 'FIBER_LINK_STATE'
  | 'FIBER_SPANS_RANGE';

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
  /** Probability that a wire packet is lost, 0..1. */
  readonly lossProb: number;
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
 * @throws ConfigError `FIBER_ONE_WAY_RANGE`, `FIBER_RATE_RANGE`, `FIBER_QUEUE_RANGE`, `FIBER_LOSS_RANGE`, `FIBER_LINK_STATE`
 */
export function checkLane<Given extends Partial<LaneSettings>>(given: Given, where = 'lane'): Given {
  const { oneWayNs, rateBps, queueBytes, queueFrames, lossProb, link } = given;
  const whole: { -readonly [K in keyof LaneSettings]?: LaneSettings[K] } = {};
  if (oneWayNs !== undefined) {
    if (!within(oneWayNs, 0, MAX_ONE_WAY_NS)) {
      const value = plausible(oneWayNs) ? formatNs(oneWayNs) : `${oneWayNs} ns`;
      refuse('FIBER_ONE_WAY_RANGE', `${where}: one-way delay ${value} is outside 0..10s`, given, {
        hint: 'give the delay of one direction, half the round trip, such as 400us',
      });
    }
    whole.oneWayNs = Math.round(oneWayNs);
  }
  if (rateBps !== undefined) {
    if (rateBps !== Number.POSITIVE_INFINITY && !within(rateBps, MIN_RATE_BPS, MAX_RATE_BPS)) {
      const value = plausible(rateBps) ? formatBps(rateBps) : `${rateBps} bit/s`;
      refuse('FIBER_RATE_RANGE', `${where}: rate ${value} is outside 1kbit..1Tbit or unlimited`, given, {
        hint: 'write it like 10Gbit; to cut the link set link: down',
      });
    }
    whole.rateBps = Math.round(rateBps);
  }
  if (queueBytes !== undefined) {
    if (!within(queueBytes, MIN_QUEUE_BYTES, MAX_QUEUE_BYTES)) {
      const value = plausible(queueBytes) ? formatBytes(queueBytes) : `${queueBytes} B`;
      refuse('FIBER_QUEUE_RANGE', `${where}: queue ${value} is outside 2KiB..1GiB`, given, {
        hint: 'rate × RTT / 8 bytes is a good size',
      });
    }
    whole.queueBytes = Math.round(queueBytes);
  }
  if (queueFrames !== undefined) {
    if (!(queueFrames >= 1)) {
      refuse('FIBER_QUEUE_RANGE', `${where}: queue of ${queueFrames} frames is outside 1..Infinity`, given, {
        hint: 'leave it out to limit the queue by bytes only',
      });
    }
    whole.queueFrames = Math.floor(queueFrames);
  }
  if (lossProb !== undefined) {
    if (!within(lossProb, 0, 1)) {
      refuse('FIBER_LOSS_RANGE', `${where}: loss ${lossProb} is outside 0..1`, given, {
        hint: lossProb > 1 ? `for ${lossProb} % write ${lossProb}%` : 'write 0 for no loss',
      });
    }
    whole.lossProb = lossProb;
  }
  if (link !== undefined) {
    if (link !== 'up' && link !== 'down') {
      refuse('FIBER_LINK_STATE', `${where}: link ${JSON.stringify(link)} is neither up nor down`, given, {
        hint: 'write up or down',
      });
    }
    whole.link = link;
  }
  return whole as Given;
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

/** Refuses a configuration: every error of this folder leaves through here. */
export function refuse(
  code: FiberErrorCode,
  message: string,
  details: object,
  remedy: { readonly hint: string },
): never {
  throw new ConfigError<FiberErrorCode>(code, message, { details: { ...details }, hint: remedy.hint });
}

/** False for NaN, so that it is refused like any other nonsense. */
function within(value: number, min: number, max: number): boolean {
  return value >= min && value <= max;
}

/** Whether a number reads well in a larger unit; what does not is shown to the user as it came. */
function plausible(value: number): boolean {
  return value >= 0 && Number.isFinite(value);
}
