/**
 * The canonical text of a machine's state: equal texts mean that the machines do the same from here on.
 *
 *   kept      own fields, and what getters of nested objects tell
 *   times     only due or never (names ending in Ns): the checker lets every wait end at any moment anyway
 *   left out  options (the same for all), words for people, codes that steer nothing
 */
import { PageSet } from '../../core/index.js';

/** Given when the machine is built, belonging to the step in hand, or meant for people. */
const LEFT_OUT: ReadonlySet<string> = new Set(['options', 'timers', 'out', 'text', 'counts']);
/** A machine asks for these; other codes it only hands on. */
const STEERING_CODES: ReadonlySet<unknown> = new Set(['VMOTION_OK', 'VMOTION_RESOLVED']);

/** @param value plain data, sets of pages, bytes, or objects that tell their state by fields and getters */
export function fingerprint(value: unknown): string {
  if (value === null || typeof value !== 'object') return String(value);
  if (value instanceof PageSet) return `{${[...value.words].join(' ')}}`;
  if (value instanceof Uint8Array) return `<${value.join(' ')}>`;
  if (Array.isArray(value)) return `[${value.map(fingerprint).join(',')}]`;
  const fields: string[] = [];
  for (const name of namesOf(value)) {
    if (!LEFT_OUT.has(name)) fields.push(`${name}:${fieldText(name, value[name as keyof typeof value])}`);
  }
  return `(${fields.join(',')})`;
}

function fieldText(name: string, value: unknown): string {
  if (name.endsWith('Ns')) {
    if (Array.isArray(value)) return `${value.length} times`;
    if (typeof value === 'number') return Number.isFinite(value) ? 'due' : 'never';
  }
  if (name === 'code' && !STEERING_CODES.has(value)) return '*';
  return fingerprint(value);
}

const GETTERS = new Map<object, readonly string[]>();

function namesOf(value: object): readonly string[] {
  const own = Object.keys(value);
  const prototype: object | null = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return own;
  let getters = GETTERS.get(prototype);
  if (getters === undefined) {
    const all = Object.entries(Object.getOwnPropertyDescriptors(prototype));
    getters = all.filter(([, d]) => d.get !== undefined).map(([name]) => name);
    GETTERS.set(prototype, getters);
  }
  return [...own, ...getters];
}
