/**
 * A file of costs: what the hosts of one machine take for each step, measured there by `longhaul calibrate`.
 *
 *   longhaul calibrate --out costs.json  ─►  longhaul run --attach sim --costs costs.json
 *
 * Version rule as for results: fields may be added within `longhaul/costs/1`; one that goes or changes its
 * meaning makes it `/2`. A simulation takes a file only where it is named, so that a seed gives the same trace on every
 * machine; its result holds the costs that it used.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ConfigError, messageOf } from '../../core/index.js';
import { COST_MEANINGS, COST_NAMES, type CostName, HOST_COSTS, type HostCosts } from '../../sim/index.js';

export const COSTS_VERSION = 'longhaul/costs/1';

/** Longer than any step of a host takes: a file that says more is a wrong one. */
const COST_MAX_NS = 10_000_000_000;

/** Costs that files of before do not have: theirs are built in. */
const ADDED: readonly CostName[] = ['populatePageNs'];

const COST_VALUES_SCHEMA = z.object(
  Object.fromEntries(
    COST_NAMES.map((name) => {
      const value = z.number().nonnegative().max(COST_MAX_NS).describe(`${COST_MEANINGS[name]}, nanoseconds`);
      return [name, ADDED.includes(name) ? value.default(HOST_COSTS[name]) : value];
    }),
  ) as unknown as Record<CostName, z.ZodNumber>,
);

export const COSTS_FILE_SCHEMA = z.object({
  schema: z.literal(COSTS_VERSION).describe('Name and version of this format'),
  measuredAt: z.iso.datetime().describe('Wall-clock time of the first run, UTC'),
  revision: z.string().describe('Version of longhaul whose hosts were measured'),
  machine: z.object({ cpu: z.string(), cores: z.number(), kernel: z.string(), node: z.string() }),
  congestion: z.enum(['bbr', 'cubic']).describe('What the kernel governs TCP with'),
  costs: COST_VALUES_SCHEMA,
  observed: z
    .array(
      z.object({
        name: z.string().describe('RUN.FIGURE'),
        unit: z.string(),
        measured: z.number().describe('Median'),
        n: z.number().describe('Observations'),
        p5: z.number(),
        p95: z.number(),
        simulated: z.number().describe('The same figure of the simulation with these costs'),
      }),
    )
    .describe('What the costs were derived from'),
});

export type CostsFile = z.infer<typeof COSTS_FILE_SCHEMA>;

/** Costs and where they come from. */
export interface Costs {
  /** For people: `built in`, or `costs.json: 0.1.0+abc1234, 2026-11-30, Intel …`. */
  readonly source: string;
  readonly congestion: 'bbr' | 'cubic';
  readonly values: HostCosts;
}

export const BUILT_IN_COSTS: Costs = Object.freeze({
  source: 'built in',
  congestion: 'bbr',
  values: HOST_COSTS,
});

export type CostsErrorCode = 'LAB_COSTS_FILE' | 'LAB_COSTS_VERSION' | 'LAB_COSTS_SHAPE';

const REMEDY = 'make one with longhaul calibrate --out FILE';

/** @throws ConfigError LAB_COSTS_FILE, LAB_COSTS_VERSION, LAB_COSTS_SHAPE */
export function readCosts(path: string): Costs {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (e) {
    const text = `${path} cannot be read: ${messageOf(e)}`;
    throw new ConfigError<CostsErrorCode>('LAB_COSTS_FILE', text, { hint: REMEDY });
  }
  return costsOf(parseCosts(value, path), path);
}

/** @throws ConfigError LAB_COSTS_VERSION, LAB_COSTS_SHAPE */
export function parseCosts(value: unknown, where: string): CostsFile {
  const schema = (value as { schema?: unknown } | null)?.schema;
  if (schema !== COSTS_VERSION) {
    const text = `${where} says schema ${JSON.stringify(schema) ?? 'nothing'}, this longhaul reads ${COSTS_VERSION}`;
    throw new ConfigError<CostsErrorCode>('LAB_COSTS_VERSION', text, { hint: REMEDY });
  }
  const parsed = COSTS_FILE_SCHEMA.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const text = `${where}: ${issue.path.join('.') || 'the file'}: ${issue.message}`;
  throw new ConfigError<CostsErrorCode>('LAB_COSTS_SHAPE', text, { hint: REMEDY });
}

export function costsOf(file: CostsFile, where: string): Costs {
  const { revision, measuredAt, machine, congestion, costs } = file;
  const source = `${where}: measured ${measuredAt.slice(0, 16).replace('T', ' ')} at ${revision} on ${machine.cpu}, ${machine.cores} cores`;
  return { source, congestion, values: costs };
}
