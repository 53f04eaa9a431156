/**
 * From the keys of a lane to its settings, refused at the key where they stand; and the change of a
 * running lane from text.
 */
import { readFileSync } from 'node:fs';
import { resolve as resolvePath } from 'node:path';
import { parse as parseYamlText } from 'yaml';
import { ConfigError } from '../../core/index.js';
import {
  CODEL_DEFAULTS,
  checkLane,
  type DropRule,
  type FiberErrorCode,
  type FrameFilter,
  type JitterSettings,
  type LaneOverrides,
  type LaneSettings,
  type LossModelSettings,
  parseDistribution,
  propagationNs,
  type QueueDisciplineSettings,
} from '../../fiber/index.js';
import { type Path, refusalOf } from './key-refusal.js';
import { LANE, type LaneKeys, type MatchKeys } from './lane-keys.js';

export type FiberKeyErrorCode = 'LAB_PROFILE' | 'LAB_CONFLICT' | 'LAB_FILE_READ' | FiberErrorCode;

/** Refuses what stands at `path`; the caller knows whether that came from an option or a line of a file. */
export type RefuseFiber = (path: Path, code: FiberKeyErrorCode, message: string, hint: string) => never;

/** Where a lane's keys stand, and how they are refused there. */
export interface LanePlace {
  readonly refuse: RefuseFiber;
  readonly path: Path;
  /** The folder that names of files are relative to, by the path of the key that names one. */
  readonly folderOf: (path: Path) => string;
}

/** What the keys say, in base units and checked. What is not said is undefined. */
export function laneOverrides(keys: LaneKeys, place: LanePlace): LaneOverrides {
  if (keys.distance !== undefined && keys['one-way'] !== undefined) {
    place.refuse(
      [...place.path, 'one-way'],
      'LAB_CONFLICT',
      'says the delay a second time: a distance stands beside it',
      'keep one of distance and one-way',
    );
  }
  const at = (key: keyof LaneKeys, set: Partial<LaneSettings>): Partial<LaneSettings> =>
    orRefuse({ ...place, path: [...place.path, key] }, () => checkLane(set, ''));
  const { loss, drops, jitter } = keys;
  const discipline = keys['queue-discipline'];
  return {
    distanceM: keys.distance,
    oneWayNs: keys['one-way'],
    refractiveIndex: keys['refractive-index'],
    rateBps: keys.rate,
    queueBytes: keys.queue,
    queueFrames: keys['queue-frames'],
    ...(discipline && at('queue-discipline', { queueDiscipline: disciplineOf(discipline) })),
    ...(loss !== undefined && at('loss', lossOf(loss))),
    ...(drops && at('drops', { drops: drops.map(dropOf) })),
    ...(jitter !== undefined && at('jitter', { jitter: jitterOf(jitter, place) })),
    reorder: keys.reorder,
    duplicateProb: keys.duplicate,
    corruptProb: keys.corrupt,
    link: keys.link,
  };
}

/** Runs what may refuse a configuration of the fiber, and lets it be refused at its key. */
export function orRefuse<T>({ refuse, path }: Pick<LanePlace, 'refuse' | 'path'>, make: () => T): T {
  try {
    return make();
  } catch (e) {
    if (!(e instanceof ConfigError)) throw e;
    const message = `cannot be: ${e.message.replace(/^: /, '')}`;
    return refuse(path, e.code as FiberErrorCode, message, e.hint ?? 'change it');
  }
}

/** The text of a file that a key names. */
export function readNamed(file: string, { refuse, path, folderOf }: LanePlace): string {
  try {
    return readFileSync(resolvePath(folderOf(path), file), 'utf8');
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    return refuse(
      path,
      'LAB_FILE_READ',
      `${JSON.stringify(file)} cannot be read (${why})`,
      'name a file beside this one',
    );
  }
}

function disciplineOf(said: NonNullable<LaneKeys['queue-discipline']>): QueueDisciplineSettings {
  if (typeof said === 'object') {
    return { kind: 'codel', targetNs: said.codel.target, intervalNs: said.codel.interval };
  }
  return said === 'codel' ? CODEL_DEFAULTS : { kind: said };
}

function lossOf(said: NonNullable<LaneKeys['loss']>): Partial<LaneSettings> {
  if (typeof said === 'number') return { lossProb: said };
  if (said.model === 'bernoulli') return { lossProb: said.p };
  const lossModel: LossModelSettings =
    said.model === '4-state' ? { ...said, p31: said.p31 ?? 1 - said.p13 } : said;
  return { lossModel };
}

function jitterOf(said: NonNullable<LaneKeys['jitter']>, place: LanePlace): JitterSettings | null {
  if (typeof said === 'number') return said === 0 ? null : { model: 'uniform', halfWidthNs: said };
  switch (said.model) {
    case 'uniform':
      return { model: 'uniform', halfWidthNs: said['half-width'] };
    case 'normal':
      return { model: 'normal', sigmaNs: said.sigma };
    case 'pareto':
      return { model: 'pareto', scaleNs: said.scale, shape: said.shape };
    case 'table': {
      const path = [...place.path, 'jitter', 'file'];
      const { file, quantiles } = said;
      if ((file === undefined) === (quantiles === undefined)) {
        return place.refuse(
          path.slice(0, -1),
          'LAB_CONFLICT',
          'needs quantiles or a file of them',
          'give one of the two',
        );
      }
      if (quantiles !== undefined) return { model: 'table', scaleNs: said.scale, quantiles };
      const text = readNamed(file!, { ...place, path });
      const values = orRefuse({ ...place, path }, () => parseDistribution(text, file!));
      return { model: 'table', scaleNs: said.scale, quantiles: values };
    }
  }
}

function dropOf(said: NonNullable<LaneKeys['drops']>[number]): DropRule {
  const all = said.for === undefined ? 1 : null;
  return {
    fromNs: said.at,
    untilNs: said.for === undefined ? null : said.at + said.for,
    match: said.match === undefined ? null : filterOf(said.match),
    nth: said.nth,
    count: said.count === undefined ? all : said.count,
  };
}

function filterOf(said: MatchKeys): FrameFilter {
  const filter: FrameFilter = {
    trafficClass: said.class,
    minLength: said['min-length'],
    maxLength: said['max-length'],
    etherType: said.ethertype,
    ipProtocol: said['ip-protocol'],
    sourceMac: said['source-mac'],
    destinationMac: said['destination-mac'],
    port: said.port,
    sourcePort: said['source-port'],
    destinationPort: said['destination-port'],
  };
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));
}

/**
 * A lane's keys as the change they stand for. A distance counts 5 µs a kilometre unless an index stands
 * beside it: that of the fiber's beginning is not remembered.
 */
export function laneChange(keys: LaneKeys, place: LanePlace): Partial<LaneSettings> {
  const { distanceM, refractiveIndex, ...set } = laneOverrides(keys, place);
  if (distanceM === undefined && refractiveIndex !== undefined) {
    place.refuse(
      [...place.path, 'refractive-index'],
      'FIBER_INDEX_UNUSED',
      'needs the distance beside it',
      'give the distance too, or the one-way delay alone',
    );
  }
  const given = Object.fromEntries(Object.entries(set).filter(([, value]) => value !== undefined));
  if (distanceM !== undefined) given.oneWayNs = propagationNs(distanceM, refractiveIndex ?? null);
  return orRefuse(place, () => checkLane(given as Partial<LaneSettings>, ''));
}

/**
 * A change of a running lane from text, as `longhaul ctl set --loss 1% --reorder true` gives it. A value that
 * is more than a word is written as in a file: `--loss '{model: periodic, every: 100}'`.
 * @param said key of a lane → text, or what a file would have there
 * @param optionOf how a key is named in a refusal, `--loss` as a rule
 * @throws ConfigError
 */
export function laneChangeFrom(
  said: Readonly<Record<string, unknown>>,
  optionOf: (key: string) => string = (key) => `--${key}`,
): Partial<LaneSettings> {
  const raw = Object.fromEntries(Object.entries(said).map(([key, value]) => [key, fromText(value)]));
  const locate = (path: Path, key?: string): string => {
    const [first = key, ...rest] = path.map(String);
    const option = first === undefined ? 'the change' : optionOf(first);
    const below = key !== undefined && path.length > 0 ? [...rest, key] : rest;
    return [option, ...below].join('.');
  };
  const parsed = LANE.safeParse(raw);
  if (!parsed.success) {
    throw refusalOf(parsed.error.issues[0]!, raw, locate, {
      schema: LANE,
      example: 'longhaul ctl set --help',
    });
  }
  const refuse: RefuseFiber = (path, code, message, hint) => {
    throw new ConfigError(code, `${locate(path)} ${message}`, { hint });
  };
  return laneChange(parsed.data, { refuse, path: [], folderOf: () => '.' });
}

/** Text that is a list, keys with values, true or false in YAML is read as such. */
function fromText(value: unknown): unknown {
  if (typeof value !== 'string' || !/^\s*([[{]|(true|false)\s*$)/.test(value)) return value;
  try {
    return parseYamlText(value);
  } catch {
    return value; // refused as the text it is
  }
}
