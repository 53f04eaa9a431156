/**
 * From the keys that describe a fiber to the fiber: profiles and files looked up, a time line and traces
 * made into tracks, everything refused at the key where it stands.
 *
 *   profile: metro-80km            by name, or a file of the user's own: ./my-fiber.yaml
 *   loss: 0.1%                     for both directions; every key of lane-keys.ts
 *   a-b: {rate: 1Gbit}             what differs in one direction
 *   spans: [{distance: 50km}, …]   what differs in each span
 *   time-line: [{at: 12s, direction: a-b, set: {loss: 2%}}]
 *   trace: {file: ./link.csv, at-end: loop}
 */
import { basename, dirname, extname, resolve } from 'node:path';
import { ConfigError } from '../../core/index.js';
import {
  checkTrack,
  type FiberOptions,
  PROFILES,
  parseTrace,
  resolveFiber,
  type SpanOptions,
  type Timeline,
  type Track,
  traceTrack,
  type UserProfile,
} from '../../fiber/index.js';
import { type FiberKeys, PROFILE_KEYS } from './fiber-schema.js';
import { keyName, type Path, refusalOf } from './key-refusal.js';
import {
  type LanePlace,
  laneChange,
  laneOverrides,
  orRefuse,
  type RefuseFiber,
  readNamed,
} from './lane-from.js';
import type { LaneKeys } from './lane-keys.js';
import { nearest } from './nearest.js';
import { parseYaml, readYaml, type YamlKind, type YamlSource } from './yaml-file.js';

export { FIBER_KEYS, type FiberKeys } from './fiber-schema.js';
export { type FiberKeyErrorCode, laneChangeFrom, type RefuseFiber } from './lane-from.js';

type SpanKeys = LaneKeys & {
  readonly profile?: string | undefined;
  readonly 'a-b'?: LaneKeys | undefined;
  readonly 'b-a'?: LaneKeys | undefined;
};
/** A fiber's keys with a profile or without: numbers in base units. */
type FiberBody = Omit<FiberKeys, 'profile'> & { readonly profile?: string | undefined };

/** A fiber as it was described: `resolveFiber(options)` gives its settings, `timeline` what changes while it runs. */
export interface DescribedFiber {
  readonly options: FiberOptions;
  readonly timeline: Timeline;
}

/**
 * The fiber that the keys describe. Reads the files that they name.
 * @param refuse refuses at the key itself
 * @param path where the keys stand in their file
 * @param folderOf the folder that a file named at a path is relative to; the working directory when left out
 */
export function fiberFrom(
  keys: FiberBody,
  refuse: RefuseFiber,
  path: Path = ['fiber'],
  folderOf: LanePlace['folderOf'] = () => '.',
): DescribedFiber {
  const place: LanePlace = { refuse, path, folderOf };
  const below = profileOf(keys.profile, place);
  const own = typeof below === 'object' ? below.profile.options.spans : undefined;
  if (own !== undefined && keys.spans !== undefined) {
    refuse(
      [...path, 'spans'],
      'FIBER_SPANS_TWICE',
      `are given, and profile ${keys.profile} has spans of its own`,
      'say the spans in one of the two',
    );
  }
  const spans = (keys.spans ?? own ?? [{}]).length;
  return {
    options: {
      ...spanOptions(keys, place, below),
      spans: keys.spans?.map((span, i) => {
        const at = { ...place, path: [...path, 'spans', i] };
        return spanOptions(span, at, profileOf(span.profile, at));
      }),
    },
    timeline: [...(typeof below === 'object' ? below.timeline : []), ...tracksOf(keys, place, spans)],
  };
}

type Below = string | DescribedProfile | undefined;

/** A fiber in a file of its own. */
export interface DescribedProfile {
  readonly profile: UserProfile;
  readonly description: string;
  readonly source: string;
  readonly timeline: Timeline;
}

const PROFILE_FILE: YamlKind = { title: 'FIBER.yaml', example: 'examples/leased-line.yaml' };

/** Reads a profile from its file. @throws ConfigError with file, line and key */
export function readProfile(file: string): DescribedProfile {
  return profileFrom(readYaml(file, PROFILE_FILE), dirname(file));
}

/** @param folder what names of files in it are relative to */
function profileFrom(source: YamlSource, folder: string): DescribedProfile {
  const { raw, locate } = parseYaml(source, PROFILE_FILE);
  const parsed = PROFILE_KEYS.safeParse(raw);
  if (!parsed.success) {
    const keys = { schema: PROFILE_KEYS, example: PROFILE_FILE.example };
    throw refusalOf(parsed.error.issues[0]!, raw, locate, keys);
  }
  const refuse: RefuseFiber = (path, code, message, hint) => {
    throw new ConfigError(code, `${locate(path)} ${message}`, { details: { key: keyName(path) }, hint });
  };
  const {
    name = basename(source.name, extname(source.name)),
    description,
    source: from,
    ...keys
  } = parsed.data;
  const { options, timeline } = fiberFrom(keys, refuse, [], () => folder);
  orRefuse({ refuse, path: [] }, () => resolveFiber(options)); // what contradicts itself is refused under its own file
  return { profile: { name, options }, description, source: from, timeline };
}

/** A name of ours, or what stands in the user's file. */
function profileOf(name: string | undefined, place: LanePlace): Below {
  if (name === undefined || Object.hasOwn(PROFILES, name)) return name;
  const at = { ...place, path: [...place.path, 'profile'] };
  if (/[/\\]|\.(ya?ml|json)$/i.test(name))
    return profileFrom({ name, text: readNamed(name, at) }, dirname(resolve(place.folderOf(at.path), name)));
  const meant = nearest(name, Object.keys(PROFILES));
  return place.refuse(
    at.path,
    'LAB_PROFILE',
    `${JSON.stringify(name)} is no profile; the profiles are ${Object.keys(PROFILES).join(', ')}`,
    meant
      ? `did you mean ${meant}?`
      : 'longhaul profiles describes them; a file is written with its ending, ./my-fiber.yaml',
  );
}

function spanOptions(keys: SpanKeys, place: LanePlace, below: Below): SpanOptions {
  const inDirection = (direction: 'a-b' | 'b-a') => {
    const lane = keys[direction];
    return lane && laneOverrides(lane, { ...place, path: [...place.path, direction] });
  };
  return {
    profile: typeof below === 'object' ? below.profile : below,
    ...laneOverrides(keys, place),
    perDirection: { 'a-b': inDirection('a-b'), 'b-a': inDirection('b-a') },
  };
}

/** The time line and the traces that a fiber's keys name. */
function tracksOf(keys: FiberBody, place: LanePlace, spans: number): Track[] {
  const at = (...steps: Path): LanePlace => ({ ...place, path: [...place.path, ...steps] });
  const checked = (track: Track, where: LanePlace) => orRefuse(where, () => checkTrack(track, spans, ''));
  const tracks: Track[] = [];
  const entries = keys['time-line'];
  if (entries !== undefined) {
    const changes = entries.map(({ at: atNs, direction, span, set }, i) => {
      const track = { entries: [{ atNs, direction, span, set: {} }], repeatNs: null };
      checked(track, at('time-line', i));
      return { ...track.entries[0]!, set: laneChange(set, at('time-line', i, 'set')) };
    });
    const repeatNs = keys['time-line-repeat'] ?? null;
    tracks.push(checked({ entries: changes, repeatNs }, at('time-line-repeat')));
  }
  const said = keys.trace === undefined ? [] : Array.isArray(keys.trace) ? keys.trace : [keys.trace];
  for (const [i, { file, direction, span, interpolate, ...trace }] of said.entries()) {
    const where = Array.isArray(keys.trace) ? at('trace', i) : at('trace');
    const named = { ...where, path: [...where.path, 'file'] };
    const text = readNamed(file, named);
    const rows = orRefuse(named, () => parseTrace(text, file));
    const playback = { direction, span, atEnd: trace['at-end'], interpolateNs: interpolate ?? null };
    tracks.push(
      checked(
        orRefuse(where, () => traceTrack(rows, playback, file)),
        where,
      ),
    );
  }
  return tracks;
}
