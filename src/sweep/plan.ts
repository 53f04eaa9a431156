/**
 * A sweep's plan: one experiment, and the axes along which it is varied.
 *
 *   name: distances
 *   base: {attach: sim, guest: {memory: 64MiB}}       keys of an experiment file
 *   axes:
 *     fiber.distance: [0km, 80km, 1000km]             a key by its path, and its values
 *     migration.mode: [precopy, hybrid]
 *   repeats: 3                                         each with a seed of its own
 *
 * A plan becomes the same cells in the same order everywhere and for ever: a cell is named by the hash of the keys
 * that it is run with, so that shards, machines and resumed runs agree on what has been done.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ConfigError, Rng } from '../core/index.js';
import type { ExperimentInput } from '../lab/config/experiment-keys.js';
import { integer } from '../lab/config/key-kinds.js';
import { refusalOf } from '../lab/config/key-refusal.js';
import { parseYaml, type YamlKind, type YamlSource } from '../lab/config/yaml-file.js';

export type SweepErrorCode =
  | 'SWEEP_AXIS'
  | 'SWEEP_SHARD'
  | 'SWEEP_REVISION'
  | 'SWEEP_QUEUE'
  | 'SWEEP_CHILD_DIED';

/** One experiment of a sweep. */
export interface Cell {
  /** 16 hexadecimal digits; equal keys have equal ones. */
  readonly hash: string;
  /** What people call it: the values of its axes and its repetition. */
  readonly name: string;
  readonly input: ExperimentInput;
}

const MAX_CELLS = 100_000;
const value = z.union([z.string(), z.number(), z.boolean()]);

export const PLAN_KEYS = z
  .strictObject({
    name: z
      .string()
      .regex(/^[\w-]{1,60}$/, 'must be 1 to 60 letters, digits, - and _')
      .default('sweep')
      .describe('What people call it'),
    base: z
      .record(z.string(), z.unknown())
      .default({})
      .describe('Keys of an experiment file, for every cell'),
    axes: z
      .record(z.string(), z.array(value).min(1))
      .default({})
      .describe('Keys by their path, such as fiber.distance, and the values that each takes'),
    repeats: integer(1, 1000, 'Runs of each cell, each with a seed of its own').prefault(1),
    seed: integer(0, 0xffffffff, 'What the seeds of the cells are drawn from').prefault(1),
  })
  .describe('A longhaul sweep');

export type PlanInput = z.input<typeof PLAN_KEYS>;

export interface Plan {
  readonly name: string;
  readonly cells: readonly Cell[];
}

export const PLAN_FILE: YamlKind = { title: 'PLAN.yaml', example: 'examples/sweep.yaml' };

/** @throws ConfigError with file, line and key */
export function parsePlan(source: YamlSource): Plan {
  const { raw, locate } = parseYaml(source, PLAN_FILE);
  const parsed = PLAN_KEYS.safeParse(raw);
  if (!parsed.success)
    throw refusalOf(parsed.error.issues[0]!, raw, locate, { schema: PLAN_KEYS, example: PLAN_FILE.example });
  return cellsOf(parsed.data);
}

/** The same for programs. @throws ConfigError */
export function planFrom(input: PlanInput): Plan {
  return cellsOf(PLAN_KEYS.parse(input));
}

function cellsOf({ name, base, axes, repeats, seed }: z.output<typeof PLAN_KEYS>): Plan {
  const names = Object.keys(axes);
  const count = names.reduce((n, axis) => n * axes[axis]!.length, repeats);
  if (count > MAX_CELLS) {
    throw new ConfigError<SweepErrorCode>(
      'SWEEP_AXIS',
      `the axes span ${count} cells, of at most ${MAX_CELLS}`,
      {
        hint: 'leave values out, or make several plans',
      },
    );
  }
  let points: (readonly (readonly [string, string | number | boolean])[])[] = [[]];
  for (const axis of names)
    points = points.flatMap((point) => axes[axis]!.map((v) => [...point, [axis, v] as const]));
  const cells = points.flatMap((point) =>
    Array.from({ length: repeats }, (_, i) => {
      const words = point.map(([axis, v]) => `${axis.split('.').at(-1)} ${v}`).join(', ') || name;
      const title = repeats > 1 ? `${words}, ${i + 1}` : words;
      const input = structuredClone(base) as Record<string, unknown>;
      for (const [axis, v] of point) setAt(input, axis, v);
      // The same draws for every point: what differs between two of them is then their axes alone.
      input.seed ??= new Rng(seed).fork(`repeat ${i}`).u32();
      return cellOf(title, input as ExperimentInput);
    }),
  );
  return { name, cells };
}

/** A cell with these keys. */
export function cellOf(name: string, input: ExperimentInput): Cell {
  const named = { ...input, name: input.name ?? name };
  const hash = createHash('sha256').update(canonical(named)).digest('hex').slice(0, 16);
  return { hash, name, input: named };
}

function setAt(input: Record<string, unknown>, axis: string, v: unknown): void {
  const steps = axis.split('.');
  let at = input;
  for (const step of steps.slice(0, -1)) {
    at[step] ??= {};
    const next = at[step];
    if (typeof next !== 'object' || next === null || Array.isArray(next))
      throw new ConfigError<SweepErrorCode>('SWEEP_AXIS', `axis ${axis}: ${step} has no keys in base`, {
        hint: 'write a path of keys of the experiment file, such as migration.mode',
      });
    at = next as Record<string, unknown>;
  }
  at[steps.at(-1)!] = v;
}

/** JSON with its keys in order, so that equal values are equal texts. */
function canonical(v: unknown): string {
  if (Array.isArray(v)) return `[${v.map(canonical).join(',')}]`;
  if (typeof v !== 'object' || v === null) return JSON.stringify(v) ?? 'null';
  const entries = Object.entries(v).filter(([, inside]) => inside !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, inside]) => `${JSON.stringify(key)}:${canonical(inside)}`).join(',')}}`;
}

/** `2/5`: the second of five shards. @throws ConfigError `SWEEP_SHARD` */
export function parseShard(text: string): { readonly index: number; readonly of: number } {
  const [, i, n] = /^(\d+)\/(\d+)$/.exec(text.trim()) ?? [];
  const shard = { index: Number(i), of: Number(n) };
  if (shard.of >= 1 && shard.index >= 1 && shard.index <= shard.of && shard.of <= MAX_CELLS) return shard;
  throw new ConfigError<SweepErrorCode>('SWEEP_SHARD', `--shard ${text} is not one of 1/n to n/n`, {
    hint: 'write 2/5 for the second of five parts; Slurm: $((SLURM_ARRAY_TASK_ID + 1))/$SLURM_ARRAY_TASK_COUNT',
  });
}

/** Every n-th cell, so that shards take about as long as each other. */
export function shardOf(cells: readonly Cell[], { index, of }: { index: number; of: number }): Cell[] {
  return cells.filter((_, i) => i % of === index - 1);
}

/** Whether a cell runs in virtual time: several such may run at once, and anywhere. */
export function isSimulated({ input }: Cell): boolean {
  return input.attach === 'sim';
}
