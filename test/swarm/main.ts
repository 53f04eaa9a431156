/**
 * The swarm: `npm run swarm -- --minutes N [--seed TEXT] [--pages N] [--out FILE.json]`.
 *
 * Runs random worlds until time is up. Of a world that breaks a rule it prints the seed, the least schedule that still
 * breaks it and what happened there; then it exits with 1. `--replay SEED` runs one world and prints all of it.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { describeScenario, runScenario, type Scenario, scenarioOf, shrink } from '../../src/sim/index.js';

const PAGES_64_MIB = 16_384;
const PROGRESS_EVERY_MS = 10_000;
const LAST_LINES = 60;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: 'swarm' },
    pages: { type: 'string', default: String(PAGES_64_MIB) },
    replay: { type: 'string' },
    out: { type: 'string' },
  },
});

const pages = Number(values.pages);

function report(scenario: Scenario): void {
  const end = runScenario(scenario, true);
  const lines = [
    ...describeScenario(scenario),
    '',
    ...end.lines.slice(-LAST_LINES),
    '',
    end.violation ?? 'no rule is broken',
  ];
  process.stdout.write(`${lines.join('\n')}\ntrace ${end.traceHash}\n`);
}

if (values.replay !== undefined) {
  report(scenarioOf(values.replay, pages));
} else {
  const startedMs = performance.now();
  const untilMs = startedMs + Number(values.minutes) * 60_000;
  const outcomes = new Map<string, number>();
  const broken: { readonly seed: string; readonly violation: string }[] = [];
  let worlds = 0;
  let migrations = 0;
  let saidMs = startedMs;
  while (performance.now() < untilMs) {
    const seed = `${values.seed}-${worlds++}`;
    const scenario = scenarioOf(seed, pages);
    const end = runScenario(scenario);
    migrations += end.migrations;
    for (const outcome of end.outcomes) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    if (end.violation !== null) {
      broken.push({ seed, violation: end.violation });
      process.stdout.write(`seed ${seed}: ${end.violation}\nthe least that breaks a rule:\n`);
      report(shrink(scenario, (s) => runScenario(s).violation !== null));
    }
    if (performance.now() - saidMs > PROGRESS_EVERY_MS) {
      saidMs = performance.now();
      process.stdout.write(`${worlds} worlds, ${migrations} migrations, ${broken.length} violations\n`);
    }
  }
  // Its own processor time: what other programs take from this one is not its slowness.
  const cpu = process.cpuUsage();
  const cpuHours = (cpu.user + cpu.system) / 3.6e9;
  const result = {
    seed: values.seed,
    pages,
    worlds,
    migrations,
    violations: broken.length,
    per_hour_per_core: Math.round(migrations / cpuHours),
    outcomes: Object.fromEntries([...outcomes].sort()),
    broken,
    node: process.version,
  };
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(result, null, 2)}\n`);
  process.exitCode = broken.length === 0 ? 0 : 1;
}
