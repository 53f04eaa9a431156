/**
 * Reads an experiment: a YAML file, then the options laid over it, then the schema. Whatever is
 * refused is refused in one line under the name the user gave it:
 *
 *   metro.yaml:7:13: guest.memory "256 pages" is not a size in bytes (…); write it like 256MiB; …
 *   --memory "256 pages" is not a size in bytes (…); …
 */
import { dirname } from 'node:path';
import { ConfigError } from '../../core/index.js';
import type { Experiment } from './experiment.js';
import { EXPERIMENT_KEYS, type ExperimentInput } from './experiment-keys.js';
import { type KeySet, keyName, type Locate, type Path, refusalOf } from './key-refusal.js';
import { type Refuse, resolveExperiment } from './resolve-experiment.js';
import { parseYaml, readYaml, type YamlKind, type YamlSource } from './yaml-file.js';

/** An option that stands over the file. */
export interface Override {
  /** Its name as typed, `--memory`. */
  readonly option: string;
  /** The key it sets, `['guest', 'memory']`. */
  readonly path: readonly string[];
  readonly value: unknown;
}

const EXPERIMENT: KeySet = {
  schema: EXPERIMENT_KEYS,
  example: 'examples/metro-80km.yaml',
  hidden: ['test-hooks'],
};
const KIND: YamlKind = { title: 'EXPERIMENT.yaml', example: 'examples/metro-80km.yaml' };

export type ExperimentSource = YamlSource;

/** Reads the file's text. @throws ConfigError `LAB_FILE_READ` */
export function readSource(file: string): ExperimentSource {
  return readYaml(file, KIND);
}

/**
 * The experiment a file (or none) and options describe.
 * @throws ConfigError with the place (`file:line:col: key` or the option), the allowed values, the remedy
 */
export function parseExperiment(
  source: ExperimentSource | null,
  overrides: readonly Override[] = [],
): Experiment {
  const { raw, locate } = source === null ? { raw: {}, locate: keyName } : parseYaml(source, KIND);
  // All places are cleared before any is set, so that options that contradict each other still meet.
  for (const o of overrides) clear(raw, o);
  for (const o of overrides) set(raw, o);
  const optionAt = (path: Path) => overrides.find((o) => samePath(o.path, path))?.option;
  const folder = source === null ? '.' : dirname(source.name);
  return build(
    raw,
    (path, key) => (key === undefined && optionAt(path)) || locate(path, key),
    (path) => (optionAt(path) === undefined ? folder : '.'),
  );
}

/** The experiment an object describes: the keys of the YAML file, for programs. @throws ConfigError */
export function experimentFrom(input: ExperimentInput = {}): Experiment {
  return build(input, keyName);
}

/** @param folderOf the folder that a file named at a path is relative to */
function build(raw: unknown, locate: Locate, folderOf?: (path: Path) => string): Experiment {
  const parsed = EXPERIMENT_KEYS.safeParse(raw);
  if (!parsed.success) throw refusalOf(parsed.error.issues[0]!, raw, locate, EXPERIMENT);
  const refuse: Refuse = (path, code, message, hint) => {
    throw new ConfigError(code, `${locate(path)} ${message}`, { details: { key: keyName(path) }, hint });
  };
  return resolveExperiment(parsed.data, refuse, folderOf);
}

/** The keys that give a lane its delay: an option for one puts the file's other one aside. */
const DELAY = ['distance', 'one-way'];

/**
 * Puts aside what the file says where an option stands over it. A profile given as an option replaces
 * all that the file says of the fiber; any other option about the fiber holds for every span in both
 * directions.
 */
function clear(raw: unknown, { path }: Override): void {
  if (path[0] !== 'fiber' || !isRecord(raw) || !isRecord(raw.fiber)) return;
  const key = path[1]!;
  const same = key === 'profile' ? Object.keys(raw.fiber) : DELAY.includes(key) ? DELAY : [key];
  for (const level of fiberLevels(raw.fiber)) for (const k of same) delete level[k];
}

function set(raw: unknown, { path, value }: Override): void {
  let at: unknown = raw;
  for (const step of path.slice(0, -1)) {
    if (!isRecord(at)) return; // the schema will refuse what the file has in this place
    at = at[step] ??= {};
  }
  if (isRecord(at)) at[path.at(-1)!] = value;
}

function fiberLevels(fiber: Record<string, unknown>): Record<string, unknown>[] {
  const spans = Array.isArray(fiber.spans) ? fiber.spans : [];
  return [fiber, ...spans].filter(isRecord).flatMap((l) => [l, l['a-b'], l['b-a']].filter(isRecord));
}

function samePath(a: Path, b: Path): boolean {
  return a.length === b.length && a.every((step, i) => step === b[i]);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
