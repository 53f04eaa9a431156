/**
 * Reads an experiment: a YAML file, then the options laid over it, then the schema. Whatever is
 * refused is refused in one line under the name the user gave it:
 *
 *   metro.yaml:7:13: guest.memory "256 pages" is not a size in bytes (…); write it like 256MiB; …
 *   --memory "256 pages" is not a size in bytes (…); …
 *
 * Left out on purpose: includes and variables; an experiment is one page that says everything.
 */
import { readFileSync } from 'node:fs';
import { isCollection, isMap, LineCounter, parseDocument } from 'yaml';
import { ConfigError, messageOf } from '../core/index.js';
import type { Experiment } from './experiment.js';
import { EXPERIMENT_KEYS, type ExperimentInput } from './experiment-keys.js';
import { keyName, type Locate, type Path, refusalOf } from './key-refusal.js';
import { type Refuse, resolveExperiment } from './resolve-experiment.js';

export type FileErrorCode = 'LAB_FILE_READ' | 'LAB_FILE_YAML';

/** An option that stands over the file. */
export interface Override {
  /** Its name as typed, `--memory`. */
  readonly option: string;
  /** The key it sets, `['guest', 'memory']`. */
  readonly path: readonly string[];
  readonly value: unknown;
}

export interface ExperimentSource {
  /** File name for messages. */
  readonly name: string;
  readonly text: string;
}

/** Reads the file's text. @throws ConfigError `LAB_FILE_READ` */
export function readSource(file: string): ExperimentSource {
  try {
    return { name: file, text: readFileSync(file, 'utf8') };
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new ConfigError<FileErrorCode>('LAB_FILE_READ', `EXPERIMENT.yaml ${file} cannot be read (${why})`, {
      cause,
      hint: 'give the path of a readable YAML file, such as examples/metro-80km.yaml',
    });
  }
}

/**
 * The experiment a file (or none) and options describe.
 * @throws ConfigError with the place (`file:line:col: key` or the option), the allowed values, the remedy
 */
export function parseExperiment(
  source: ExperimentSource | null,
  overrides: readonly Override[] = [],
): Experiment {
  const { raw, locate } = source === null ? { raw: {}, locate: keyName } : parseYaml(source);
  // All places are cleared before any is set, so that options that contradict each other still meet.
  for (const o of overrides) clear(raw, o);
  for (const o of overrides) set(raw, o);
  return build(raw, (path, key) => {
    const option = key === undefined && overrides.find((o) => samePath(o.path, path))?.option;
    return option || locate(path, key);
  });
}

/** The experiment an object describes: the keys of the YAML file, for programs. @throws ConfigError */
export function experimentFrom(input: ExperimentInput = {}): Experiment {
  return build(input, keyName);
}

function build(raw: unknown, locate: Locate): Experiment {
  const parsed = EXPERIMENT_KEYS.safeParse(raw);
  if (!parsed.success) throw refusalOf(parsed.error.issues[0]!, raw, locate);
  const refuse: Refuse = (path, code, message, hint) => {
    throw new ConfigError(code, `${locate(path)} ${message}`, { details: { key: keyName(path) }, hint });
  };
  return resolveExperiment(parsed.data, refuse);
}

function parseYaml(source: ExperimentSource): { raw: unknown; locate: Locate } {
  const lines = new LineCounter();
  const doc = parseDocument(source.text, { lineCounter: lines });
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${source.name}:${line}:${col}`;
  };
  const refuse = (where: string, message: string): never => {
    const what = message.split(/ at line | \(|:?\n/)[0];
    throw new ConfigError<FileErrorCode>('LAB_FILE_YAML', `${where}: not YAML: ${what}`, {
      hint: 'mend that line; examples/metro-80km.yaml shows every key',
    });
  };
  const error = doc.errors[0];
  if (error !== undefined) return refuse(place(error.pos[0]), error.message);
  const locate: Locate = (path, key) => {
    let node: unknown = doc.contents;
    for (const step of path) {
      const next = isCollection(node) ? node.get(step, true) : undefined;
      if (next === undefined) break;
      node = next;
    }
    if (key !== undefined && isMap(node)) {
      const pair = node.items.find((item) => String(item.key) === key);
      node = pair?.key ?? node;
    }
    const offset = (node as { range?: readonly [number, number, number] } | null)?.range?.[0] ?? 0;
    return `${place(offset)}: ${keyName(key === undefined ? path : [...path, key])}`;
  };
  try {
    return { raw: doc.toJS() ?? {}, locate };
  } catch (e) {
    // aliases are looked up only here: one without its anchor, or too many of them
    return refuse(source.name, messageOf(e));
  }
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
