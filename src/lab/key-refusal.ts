/**
 * A schema's complaint as the one line a user reads: the key's place or the option, what is wrong,
 * what is allowed, the remedy. The schema's own words are for programmers and never reach the user.
 */
import type { z } from 'zod';
import { ConfigError, type ErrorDetails } from '../core/index.js';
import { EXPERIMENT_KEYS } from './experiment-keys.js';
import { nearest } from './nearest.js';

export type RefusalErrorCode = 'LAB_KEY_UNKNOWN' | 'LAB_KEY_VALUE' | 'LAB_KEY_MISSING';

export type Path = readonly PropertyKey[];
/** The name by which the user knows a key; `key` is one that should not be there. */
export type Locate = (path: Path, key?: string) => string;

/** A schema's issue as the one line the user reads. */
export function refusalOf(issue: z.core.$ZodIssue, raw: unknown, locate: Locate): ConfigError {
  const value = issue.path.reduce<unknown>((at, step) => (at as Record<PropertyKey, unknown>)?.[step], raw);
  const refuse = (code: string, text: string, hint?: string, details: ErrorDetails = {}): ConfigError =>
    new ConfigError(code, text, {
      details: { key: keyName(issue.path), ...details },
      ...(hint === undefined ? {} : { hint }),
    });
  const name = locate(issue.path);
  switch (issue.code) {
    case 'custom': {
      const { code = 'LAB_KEY_VALUE', hint, details } = (issue.params ?? {}) as Partial<ConfigError>;
      return refuse(code, `${name} ${issue.message}`, hint, details);
    }
    case 'unrecognized_keys': {
      const key = issue.keys[0]!;
      const allowed = keysAt(issue.path);
      const meant = nearest(key, allowed);
      return refuse(
        'LAB_KEY_UNKNOWN',
        `${locate(issue.path, key)} is no key; allowed here: ${allowed.join(', ')}`,
        meant ? `did you mean ${meant}?` : 'examples/metro-80km.yaml shows every key',
      );
    }
    case 'invalid_value': {
      const values = issue.values.map(String);
      if (value === undefined)
        return refuse('LAB_KEY_MISSING', `${name} is missing`, `choose ${values.join(' or ')}`);
      const meant = typeof value === 'string' ? nearest(value, values) : null;
      const text = `${name} ${JSON.stringify(value)} is not one of ${values.join(', ')}`;
      return refuse('LAB_KEY_VALUE', text, meant ? `did you mean ${meant}?` : 'choose one of them');
    }
    case 'too_small':
    case 'too_big': {
      const bound = issue.code === 'too_small' ? `at least ${issue.minimum}` : `at most ${issue.maximum}`;
      const unit = issue.origin === 'array' ? 'entries' : 'characters';
      return refuse('LAB_KEY_VALUE', `${name} must have ${bound} ${unit}`, `give it ${bound}`);
    }
    default: {
      if (value === undefined) return refuse('LAB_KEY_MISSING', `${name} is missing`, 'say what it is');
      const wanted =
        issue.code === 'invalid_type' ? (KINDS[issue.expected] ?? issue.expected) : 'text with a unit';
      return refuse('LAB_KEY_VALUE', `${name} is ${kindOf(value)}, not ${wanted}`, `write ${wanted} here`);
    }
  }
}

const KINDS: Readonly<Record<string, string>> = {
  object: 'keys with values',
  array: 'a list',
  string: 'text',
  boolean: 'true or false',
};

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (value === null) return 'empty';
  return typeof value === 'object' ? 'keys with values' : JSON.stringify(value);
}

/** The keys the schema allows at a path. */
function keysAt(path: Path): string[] {
  let schema: z.core.$ZodType = EXPERIMENT_KEYS;
  for (const step of [...path, null]) {
    for (let def = defOf(schema); def.innerType !== undefined; def = defOf(schema)) schema = def.innerType;
    const { element, shape } = defOf(schema);
    if (step === null) return Object.keys(shape ?? {}).filter((key) => key !== 'test-hooks');
    const next: z.core.$ZodType | undefined = typeof step === 'number' ? element : shape?.[String(step)];
    if (next === undefined) return [];
    schema = next;
  }
  return [];
}

interface SchemaParts {
  readonly innerType?: z.core.$ZodType;
  readonly element?: z.core.$ZodType;
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
}

function defOf(schema: z.core.$ZodType): SchemaParts {
  return schema._zod.def as SchemaParts;
}

/** `fiber.spans[1].rate` */
export function keyName(path: Path, key?: string): string {
  const text = [...path, ...(key === undefined ? [] : [key])]
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`))
    .join('');
  return text.replace(/^\./, '') || 'the experiment';
}
