/**
 * A schema's complaint as the one line a user reads: the key's place or the option, what is wrong,
 * what is allowed, the remedy. The schema's own words are for programmers and never reach the user.
 */
import type { z } from 'zod';
import { ConfigError, type ErrorDetails } from '../../core/index.js';
import { nearest } from './nearest.js';

export type RefusalErrorCode = 'LAB_KEY_UNKNOWN' | 'LAB_KEY_VALUE' | 'LAB_KEY_MISSING';

export type Path = readonly PropertyKey[];
/** The name by which the user knows a key; `key` is one that should not be there. */
export type Locate = (path: Path, key?: string) => string;

/** The keys that a kind of file may have. */
export interface KeySet {
  readonly schema: z.core.$ZodType;
  /** A file that shows every key. */
  readonly example: string;
  /** Keys that are allowed and not told. */
  readonly hidden?: readonly string[];
}

/** A schema's issue as the one line the user reads. */
export function refusalOf(issue: z.core.$ZodIssue, raw: unknown, locate: Locate, keys: KeySet): ConfigError {
  const value = issue.path.reduce<unknown>((at, step) => (at as Record<PropertyKey, unknown>)?.[step], raw);
  const meant = issue.code === 'invalid_union' ? alternativeMeant(issue, value) : null;
  if (meant !== null) return refusalOf(meant, raw, locate, keys);
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
      const allowed = keysAt(keys, issue.path, raw);
      const meant = nearest(key, allowed);
      return refuse(
        'LAB_KEY_UNKNOWN',
        `${locate(issue.path, key)} is no key; allowed here: ${allowed.join(', ')}`,
        meant ? `did you mean ${meant}?` : `${keys.example} shows every key`,
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
    case 'invalid_union': {
      const kinds = (issue as { readonly options?: readonly unknown[] }).options?.map(String) ?? [];
      if (kinds.length > 0 && value === undefined) {
        return refuse('LAB_KEY_MISSING', `${name} is missing`, `choose one of ${kinds.join(', ')}`);
      }
      if (kinds.length > 0) {
        const near = typeof value === 'string' ? nearest(value, kinds) : null;
        const text = `${name} ${JSON.stringify(value)} is not one of ${kinds.join(', ')}`;
        return refuse('LAB_KEY_VALUE', text, near ? `did you mean ${near}?` : 'choose one of them');
      }
      if (value === undefined) return refuse('LAB_KEY_MISSING', `${name} is missing`, 'say what it is');
      const wanted = wantedOf(issue);
      return refuse('LAB_KEY_VALUE', `${name} is ${kindOf(value)}, not ${wanted}`, `write ${wanted} here`);
    }
    default: {
      if (value === undefined) return refuse('LAB_KEY_MISSING', `${name} is missing`, 'say what it is');
      const wanted = wantedOf(issue);
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

/** What should stand there, in the user's words. */
function wantedOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') return KINDS[issue.expected] ?? issue.expected;
  if (issue.code === 'invalid_value') return issue.values.join(', ');
  const alternatives = issue.code === 'invalid_union' ? issue.errors.map((issues) => issues[0]!) : [];
  const others = alternatives.filter((a) => !(a.code === 'invalid_type' && /string|number/.test(a.expected)));
  return others.length > 0 ? others.map(wantedOf).join(' or ') : 'text with a unit';
}

/** Where a key takes several kinds of values: the complaint of the one that the value's own kind means. */
function alternativeMeant(issue: z.core.$ZodIssueInvalidUnion, value: unknown): z.core.$ZodIssue | null {
  for (const issues of issue.errors) {
    const found = issues.find((i) => i.code === 'unrecognized_keys') ?? issues[0]!;
    const isWrongKind =
      found.code === 'invalid_type' ||
      (found.code === 'invalid_value' && typeof value !== 'string') ||
      (found.code === 'invalid_union' && found.errors.length > 0);
    if (found.path.length > 0 || !isWrongKind) return { ...found, path: [...issue.path, ...found.path] };
  }
  return null;
}

/** The keys the schema allows at a path. */
function keysAt({ schema: root, hidden = [] }: KeySet, path: Path, raw: unknown): string[] {
  let schema = alternativeFor(root, raw);
  let value = raw;
  for (const step of path) {
    const { element, shape } = defOf(schema);
    const next: z.core.$ZodType | undefined = typeof step === 'number' ? element : shape?.[String(step)];
    if (next === undefined) return [];
    value = (value as Record<PropertyKey, unknown>)?.[step];
    schema = alternativeFor(next, value);
  }
  return Object.keys(defOf(schema).shape ?? {}).filter((key) => !hidden.includes(key));
}

/** A schema without its wrappings, and of several alternatives the one that has the value's kind and its fixed words. */
function alternativeFor(schema: z.core.$ZodType, value: unknown): z.core.$ZodType {
  const { innerType, options } = defOf(schema);
  if (innerType !== undefined) return alternativeFor(innerType, value);
  if (options === undefined) return schema;
  const isList = Array.isArray(value);
  const fitting = options
    .map((option) => alternativeFor(option, value))
    .filter((option) => defOf(option)[isList ? 'element' : 'shape'] !== undefined);
  const hasWords = (option: z.core.$ZodType): boolean =>
    Object.entries(defOf(option).shape ?? {}).every(([key, { _zod }]) => {
      const { values } = _zod.def as { readonly values?: readonly unknown[] };
      return values === undefined || values.includes((value as Record<string, unknown> | null)?.[key]);
    });
  return fitting.find(hasWords) ?? fitting[0] ?? schema;
}

interface SchemaParts {
  readonly innerType?: z.core.$ZodType;
  readonly element?: z.core.$ZodType;
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
  readonly options?: readonly z.core.$ZodType[];
}

function defOf(schema: z.core.$ZodType): SchemaParts {
  return schema._zod.def as SchemaParts;
}

/** `fiber.spans[1].rate` */
export function keyName(path: Path, key?: string): string {
  const text = [...path, ...(key === undefined ? [] : [key])]
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`))
    .join('');
  return text.replace(/^\./, '') || 'the file';
}
