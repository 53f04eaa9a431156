/**
 * From what a user gives to the settings of every lane. Layers lie on each other; each says only what
 * differs from the one below:
 *
 *   profile ◄─ fiber ◄─ fiber, one direction ◄─ span ◄─ span, one direction
 *                                               └ a span with a profile of its own lies on that instead
 *
 * A user's own profile is such a pile itself, on one of the named ones, and may have several spans.
 *
 * A layer gives its delay as a distance or as a one-way delay; the upper one replaces the lower. The
 * refractive index applies to distances, whichever layer they are from.
 */
import { DEFAULT_PROFILE, PROFILES } from './profiles.js';
import { refuse } from './refuse.js';
import {
  checkDistance,
  checkLane,
  checkRefractiveIndex,
  type Direction,
  type FiberSettings,
  type LaneSettings,
  propagationNs,
  UNIMPAIRED,
  withChanges,
} from './settings.js';

/** What differs, in base units. A property that is undefined is not given. */
export interface LaneOverrides extends Given<LaneSettings> {
  /** Length of the span; gives the one-way delay. */
  readonly distanceM?: number | undefined;
  readonly refractiveIndex?: number | undefined;
}

type Given<T> = { readonly [K in keyof T]?: T[K] | undefined };

/** A fiber under a name that is not ours. */
export interface UserProfile {
  readonly name: string;
  /** Its own `profile`, if any, is one of the named ones. */
  readonly options: FiberOptions;
}

export interface SpanOptions extends LaneOverrides {
  readonly profile?: string | UserProfile | undefined;
  /** What differs in one direction. */
  readonly perDirection?: { readonly [D in Direction]?: LaneOverrides | undefined } | undefined;
}

export interface FiberOptions extends SpanOptions {
  /** Spans in a row, site A first, 1..8; left out, those of the profile, which as a rule has one. */
  readonly spans?: readonly SpanOptions[] | undefined;
}

const MAX_SPANS = 8;

/**
 * The settings of every lane.
 * @throws ConfigError with a code of `FiberErrorCode`
 */
export function resolveFiber(options: FiberOptions = {}): FiberSettings {
  const profile = options.profile ?? DEFAULT_PROFILE;
  const own = typeof profile === 'string' ? undefined : profile.options.spans;
  if (own !== undefined && options.spans !== undefined) refuseSpansTwice('fiber', profile);
  const spans: readonly SpanOptions[] = options.spans ?? own?.map(() => ({})) ?? [{}];
  if (spans.length < 1 || spans.length > MAX_SPANS) {
    refuse(
      'FIBER_SPANS_RANGE',
      `spans: ${spans.length} spans are outside 1..${MAX_SPANS}`,
      { spans: spans.length },
      { hint: 'leave spans out for a fiber of one span' },
    );
  }
  profileLayers(profile, 'a-b', 0, 'fiber'); // refused even when every span has a profile of its own
  return {
    profile: typeof profile === 'string' ? profile : profile.name,
    spans: spans.map((span, index) => {
      const where = spans.length > 1 || options.spans ? `span ${index}` : 'fiber';
      const lane = (direction: Direction): LaneSettings =>
        settle(
          [
            ...layersBelow(options, span, profile, direction, index, where),
            span,
            span.perDirection?.[direction],
          ],
          `${where} ${direction}`,
        );
      return { aToB: lane('a-b'), bToA: lane('b-a') };
    }),
  };
}

type Layer = LaneOverrides | undefined;

/** What a span lies on in one direction, the lowest first. */
function layersBelow(
  fiber: FiberOptions,
  span: SpanOptions,
  profile: string | UserProfile,
  direction: Direction,
  index: number,
  where: string,
): readonly Layer[] {
  if (span.profile === undefined) {
    return [...profileLayers(profile, direction, index, where), fiber, fiber.perDirection?.[direction]];
  }
  if (typeof span.profile !== 'string' && span.profile.options.spans) refuseSpansTwice(where, span.profile);
  return profileLayers(span.profile, direction, 0, where);
}

/** A profile as the lowest layers: the first gives every setting. @param index which of the profile's own spans, if it has any */
function profileLayers(
  profile: string | UserProfile,
  direction: Direction,
  index: number,
  where: string,
): readonly Layer[] {
  if (typeof profile === 'string') return [namedLayer(profile, where)];
  const { options } = profile;
  const below = options.profile ?? DEFAULT_PROFILE;
  if (typeof below !== 'string') {
    return refuse(
      'FIBER_PROFILE_UNKNOWN',
      `${where}: profile ${profile.name} begins from ${below.name}, which is a file itself`,
      { profile: profile.name },
      { hint: `let it begin from one of ${Object.keys(PROFILES).join(', ')}` },
    );
  }
  const span = options.spans?.[index];
  const under =
    span?.profile === undefined
      ? [namedLayer(below, where), options, options.perDirection?.[direction]]
      : profileLayers(span.profile, direction, 0, where);
  return [...under, span, span?.perDirection?.[direction]];
}

function refuseSpansTwice(where: string, profile: string | UserProfile): never {
  const name = typeof profile === 'string' ? profile : profile.name;
  return refuse(
    'FIBER_SPANS_TWICE',
    `${where}: spans are given, and profile ${name} has spans of its own`,
    { profile: name },
    { hint: 'say the spans in one of the two' },
  );
}

function namedLayer(name: string, where: string): LaneOverrides {
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
  return { ...UNIMPAIRED, ...delay, rateBps, queueBytes, queueFrames: Number.POSITIVE_INFINITY, lossProb };
}

/** Lays the layers on each other, the first lowest. */
function settle(layers: readonly Layer[], where: string): LaneSettings {
  let lane: Partial<LaneSettings> = {};
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
    const { distanceM: distance, refractiveIndex: index } = layer;
    if (distance !== undefined) distanceM = checkDistance(distance, where);
    else if (layer.oneWayNs !== undefined) distanceM = null;
    if (index !== undefined) refractiveIndex = checkRefractiveIndex(index, where);
    lane = withChanges(lane, checkLane(given(layer), where));
  }
  if (distanceM !== null) lane = { ...lane, oneWayNs: propagationNs(distanceM, refractiveIndex) };
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

const LANE_KEYS = [
  'oneWayNs',
  'rateBps',
  'queueBytes',
  'queueFrames',
  ...Object.keys(UNIMPAIRED),
] as readonly (keyof LaneSettings)[];

/** The lane settings among the overrides, without those that are undefined. */
function given(overrides: LaneOverrides): Partial<LaneSettings> {
  const entries = LANE_KEYS.filter((key) => overrides[key] !== undefined).map((key) => [key, overrides[key]]);
  return Object.fromEntries(entries);
}
