/** `longhaul tune`: one fiber or all of them, and what was found on disk and on the terminal. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseDuration } from '../core/index.js';
import { PROFILES } from '../fiber/index.js';
import { readCosts } from '../lab/calibration/costs-file.js';
import type { Experiment } from '../lab/config/experiment.js';
import { parseExperiment } from '../lab/config/experiment-file.js';
import type { ExperimentInput } from '../lab/config/experiment-keys.js';
import { describeMachine, revision } from '../lab/machine.js';
import { ResultStore } from '../results/index.js';
import {
  parseObjective,
  tune as search,
  Trail,
  type TuneStory,
  tunedYaml,
  tuneHtml,
  tuneJson,
  tuneText,
} from '../tune/index.js';
import { EXIT_INTERRUPTED, EXIT_OK } from './exit-codes.js';
import { overridesOf } from './options.js';
import { writeText } from './results.js';
import type { TuneTyped } from './tune-command.js';

export interface TuneContext {
  out(text: string): void;
  err(text: string): void;
  readonly colour: boolean;
  readonly signal: AbortSignal;
  readonly argv: readonly string[];
}

const MIB = 2 ** 20;
const BUDGET = { min: 10e9, max: 24 * 3600e9, text: '10s..24h' };

/** @throws ConfigError */
export async function tune(typed: TuneTyped, context: TuneContext): Promise<number> {
  const objective = parseObjective(typed.objective);
  const budgetMs = parseDuration(typed.budget, '--budget', BUDGET) / 1e6;
  const profiles = typed.allProfiles ? Object.keys(PROFILES) : [undefined];
  const told: { readonly profile: string; readonly story: TuneStory }[] = [];
  try {
    for (const profile of profiles) {
      const one = profile === undefined ? typed : { ...typed, profile };
      const dir = profile === undefined ? typed.out : join(typed.out, profile);
      if (profile !== undefined) context.err(`── ${profile}\n`);
      const story = await tuneOne(one, objective, budgetMs, dir, context);
      told.push({ profile: story.base.fiber.profile, story });
      context.out(`${typed.json ? JSON.stringify(tuneJson(story)) : tuneText(story, context.colour)}\n`);
      context.err(`tuned experiment, page and trail in ${dir}\n`);
    }
  } catch (e) {
    if (!context.signal.aborted) throw e;
    context.err('longhaul: interrupted; the same command goes on where it was\n');
    return EXIT_INTERRUPTED;
  }
  if (typed.allProfiles) writeText(join(typed.out, 'recommended.md'), recommended(told));
  return EXIT_OK;
}

async function tuneOne(
  typed: TuneTyped,
  objective: ReturnType<typeof parseObjective>,
  budgetMs: number,
  dir: string,
  { err, signal, argv }: TuneContext,
): Promise<TuneStory> {
  const costs = typed.costs === undefined ? undefined : readCosts(typed.costs);
  const overrides = overridesOf(typed);
  const first = parseExperiment(null, overrides);
  const memory = typed.memory === undefined ? `${memoryFor(first) / MIB}MiB` : null;
  const all =
    memory === null
      ? overrides
      : [...overrides, { option: '--memory', path: ['guest', 'memory'], value: memory }];
  const base = parseExperiment(null, all);
  const made = revision();
  const machine = describeMachine('kernel');
  const words = `${machine.cpu}, ${machine.cores} cores, kernel ${machine.kernel}, Node ${machine.node}`;
  mkdirSync(dir, { recursive: true });
  const question = JSON.stringify({
    revision: made,
    objective: objective.text,
    base,
    costs: costs?.values ?? null,
  });
  const trail = new Trail(dir, question);
  if (trail.evaluations.length > 0) err(`going on after ${trail.evaluations.length} evaluations\n`);
  const end = await search({
    base,
    objective,
    budgetMs,
    costs,
    trail,
    store: new ResultStore(join(dir, 'cells')),
    signal,
    say: (text) => err(`${text}\n`),
  });
  const story: TuneStory = {
    end,
    base,
    typed: inputOf(all),
    objective: objective.text,
    evaluations: trail.evaluations,
    revision: made,
    machine: words,
    costs: costs?.source ?? 'built in',
    command: `npx longhaul ${argv.join(' ')}`,
  };
  writeText(join(dir, 'tuned.yaml'), tunedYaml(story));
  writeText(join(dir, 'tune.json'), `${JSON.stringify(tuneJson(story), null, 1)}\n`);
  writeText(join(dir, 'tune.html'), tuneHtml(story).html);
  return story;
}

/** What the link carries in a second, so that a move takes about one: 16 to 256 MiB. */
function memoryFor({ fiber }: Experiment): number {
  const rates = fiber.spans.flatMap((s) => [s.aToB.rateBps ?? Number.POSITIVE_INFINITY]);
  const bytes = Math.min(256 * MIB, Math.max(16 * MIB, Math.min(...rates) / 8));
  return 2 ** Math.floor(Math.log2(bytes));
}

/** What was typed, as keys of an experiment file. */
function inputOf(overrides: ReturnType<typeof overridesOf>): ExperimentInput {
  const input: Record<string, Record<string, unknown> | unknown> = {};
  for (const { path, value } of overrides) {
    const [part, key] = path as [string, string?];
    if (key === undefined) input[part] = value;
    else input[part] = { ...(input[part] as object | undefined), [key]: value };
  }
  if (input.fiber === undefined) input.fiber = { profile: 'metro-80km' };
  return input as ExperimentInput;
}

function recommended(told: readonly { readonly profile: string; readonly story: TuneStory }[]): string {
  const rows = told.map(({ profile, story: { end } }) => {
    const { chosen } = end.verdict;
    const { ratio, low, high } = chosen.ratio;
    const gain =
      chosen.name === 'default'
        ? end.verdict.kind
        : `× ${ratio.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
    return `| ${profile} | ${chosen.name} | ${gain} | ${chosen.scores.length} |`;
  });
  const { objective, revision: made, machine, command } = told[0]!.story;
  return [
    `| fiber | for ${objective} | of the default (95 %) | moves |`,
    '| --- | --- | --- | --- |',
    ...rows,
    '',
    `longhaul ${made} on ${machine}: \`${command}\``,
    '',
  ].join('\n');
}
