/**
 * From what a user gives to the settings of every lane. Layers lie on each other; each says only what
 * differs from the one below:
 *
 *   profile ◄─ fiber ◄─ fiber, one direction ◄─ span ◄─ span, one direction
 *                                               └ a span with a profile of its own lies on that instead
 *
 * A layer gives its delay as a distance or as a one-way delay; the upper one replaces the lower. The
 * refractive index applies to distances, whichever layer they are from.
 */

import { DEFAULT_PROFILE, PROFILES } from './profiles.js';
import {
  checkDistance,
  checkLane,
  checkRefractiveIndex,
  type Direction,
  type FiberSettings,
  type LaneSettings,
  propagationNs,
  refuse,
} from './settings.js';

/** What differs, in base units. A property that is undefined is not given. */
export interface LaneOverrides {
  /** Length of the span; gives the one-way delay. */
  readonly distanceM?: number | undefined;
  /** In place of a distance. */
  readonly oneWayNs?: number | undefined;
  readonly refractiveIndex?: number | undefined;
  readonly rateBps?: number | undefined;
  readonly queueBytes?: number | undefined;
  readonly queueFrames?: number | undefined;
  readonly lossProb?: number | undefined;
  readonly link?: 'up' | 'down' | undefined;
}

export interface SpanOptions extends LaneOverrides {
  readonly profile?: string | undefined;
  /** What differs in one direction. */
  readonly perDirection?: { readonly [D in Direction]?: LaneOverrides | undefined } | undefined;
}

export interface FiberOptions extends SpanOptions {
  /** Spans in a row, site A first, 1..8; left out, one. */
  readonly spans?: readonly SpanOptions[] | undefined;
}

const MAX_SPANS = 8;

/**
 * The settings of every lane.
 * @throws ConfigError with a code of `FiberErrorCode`
 */
export function resolveFiber(options: FiberOptions = {}): FiberSettings {
  const spans = options.spans ?? [{}];
  if (spans.length < 1 || spans.length > MAX_SPANS) {
    refuse(
      'FIBER_SPANS_RANGE',
      `spans: ${spans.length} spans are outside 1..${MAX_SPANS}`,
      { spans: spans.length },
      { hint: 'leave spans out for a fiber of one span' },
    );
  }
  const profile = options.profile ?? DEFAULT_PROFILE;
  profileLayer(profile, 'fiber'); // refused even when every span has a profile of its own
  return {
    profile,
    spans: spans.map((span, index) => {
      const where = options.spans ? `span ${index}` : 'fiber';
      return {
        aToB: resolveLane(options, span, profile, 'a-b', where),
        bToA: resolveLane(options, span, profile, 'b-a', where),
      };
    }),
  };
}

function resolveLane(
  fiber: FiberOptions,
  span: SpanOptions,
  profile: string,
  direction: Direction,
  where: string,
): LaneSettings {
  const below =
    span.profile === undefined
      ? [profileLayer(profile, where), fiber, fiber.perDirection?.[direction]]
      : [profileLayer(span.profile, where)];
  return settle([...below, span, span.perDirection?.[direction]], `${where} ${direction}`);
}

/** A profile as the lowest layer: it gives every setting. */
function profileLayer(name: string, where: string): LaneOverrides {
  const profile = Object.hasOwn(PROFILES, name) ? PROFILES[name] : undefined;
  if (profile === undefined) {
    const names = Object.keys(PROFILES).join(', ');
    refuse(
      'FIBER_PROFILE_UNKNOWN',
      `${where}: there is no profile ${JSON.stringify(name)}`,
      { profile: name },
      { hint: `choose one of ${names}` },
    );
  }
  const { distanceM, oneWayNs, rateBps, queueBytes, lossProb } = profile;
  const delay = distanceM === null ? { oneWayNs } : { distanceM };
  return { ...delay, rateBps, queueBytes, queueFrames: Number.POSITIVE_INFINITY, lossProb, link: 'up' };
}

/** Lays the layers on each other, the first lowest. */
function settle(layers: readonly (LaneOverrides | undefined)[], where: string): LaneSettings {
  const lane: { -readonly [K in keyof LaneSettings]?: LaneSettings[K] } = {};
  let distanceM: number | null = null;
  let refractiveIndex: number | null = null;
  for (const layer of layers) {
    if (layer === undefined) continue;
    if (layer.distanceM !== undefined && layer.oneWayNs !== undefined) {
      refuse(
        'FIBER_DELAY_TWICE',
        `${where}: both a distance and a one-way delay are given`,
        { distanceM: layer.distanceM, oneWayNs: layer.oneWayNs },
        { hint: 'give one of them; 5 µs per km turns one into the other' },
      );
    }
    const { distanceM: distance, refractiveIndex: index, ...rest } = layer;
    if (distance !== undefined) distanceM = checkDistance(distance, where);
    else if (layer.oneWayNs !== undefined) distanceM = null;
    if (index !== undefined) refractiveIndex = checkRefractiveIndex(index, where);
    Object.assign(lane, checkLane(given(rest), where));
  }
  if (distanceM !== null) lane.oneWayNs = propagationNs(distanceM, refractiveIndex);
  else if (refractiveIndex !== null) {
    refuse(
      'FIBER_INDEX_UNUSED',
      `${where}: a refractive index needs a distance, and the delay is given directly`,
      { refractiveIndex, oneWayNs: lane.oneWayNs },
      { hint: 'give the distance, or leave the refractive index out' },
    );
  }
  // The lowest layer is a profile, which gives every setting.
  return lane as LaneSettings;
}

/** The lane settings among the overrides, without those that are undefined. */
function given(overrides: LaneOverrides): Partial<LaneSettings> {
  const keys = ['oneWayNs', 'rateBps', 'queueBytes', 'queueFrames', 'lossProb', 'link'] as const;
  const entries = keys.filter((key) => overrides[key] !== undefined).map((key) => [key, overrides[key]]);
  return Object.fromEntries(entries);
}
