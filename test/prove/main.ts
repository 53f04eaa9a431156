/**
 * `npm run prove -- [--quick] [--mode MODE] [--replay NAME:SCHEDULE] [--out FILE]`
 *
 * Explores all that can happen to a switchover, in each mode, then shows that each mutation of the machines is caught.
 * A rule that breaks is drawn as a sequence diagram, with the schedule that `--replay` draws again. Exit code 1 if the
 * machines broke a rule or a mutation was not caught.
 */
import { parseArgs } from 'node:util';
import {
  type Bounds,
  type Counterexample,
  diagramOf,
  explore,
  FULL_BOUNDS,
  type Mutation,
  QUIET_BOUNDS,
  readSchedule,
  writeSchedule,
} from '../../src/sim/check/index.js';
import { MIGRATION_MODES, type MigrationMode } from '../../src/vmotion-protocol/index.js';
import { MUTATIONS } from './mutations.js';
import { writeProof } from './proof-file.js';

const STATES_MAX = 1_000_000;
const QUICK_STATES_MAX = 100_000;
const MUTATION_STATES_MAX = 100_000;

const USAGE = `npm run prove -- [--quick] [--mode ${MIGRATION_MODES.join('|')}] [--replay NAME:SCHEDULE] [--out FILE.json]`;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    mode: { type: 'string' },
    replay: { type: 'string' },
    out: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

/** A mode, or a mutation: what a schedule was found in. */
function subjectOf(name: string): { readonly bounds: Bounds; readonly mutation: Mutation | null } | null {
  const mode = MIGRATION_MODES.find((m) => m === name);
  if (mode !== undefined) return { bounds: { ...FULL_BOUNDS, mode }, mutation: null };
  const mutation = MUTATIONS.find((m) => m.name === name);
  if (mutation === undefined) return null;
  return { bounds: { ...QUIET_BOUNDS, ...mutation.takes, mode: mutation.mode }, mutation };
}

function show(name: string, found: Counterexample): void {
  const subject = subjectOf(name)!;
  for (const line of diagramOf(subject.bounds, found.moves, subject.mutation).lines) console.log(line);
  if (found.rule === 6) console.log(`    rule 6 is broken: ${found.text}`);
  console.log(`    again: npm run prove -- --replay ${name}:${writeSchedule(found.moves)}\n`);
}

function replay(text: string): number {
  const at = text.indexOf(':');
  const subject = subjectOf(text.slice(0, at));
  const moves = readSchedule(text.slice(at + 1));
  if (subject === null || moves === null) {
    console.error(`--replay ${text}: give a mode or a mutation, a colon and a schedule\n${USAGE}`);
    return 2;
  }
  for (const line of diagramOf(subject.bounds, moves, subject.mutation).lines) console.log(line);
  return 0;
}

function prove(modes: readonly MigrationMode[]): number {
  const figures = new Map<string, { readonly value: number; readonly unit: string }>();
  let violations = 0;
  for (const mode of modes) {
    const startedMs = Date.now();
    const r = explore({ ...FULL_BOUNDS, mode }, values.quick ? QUICK_STATES_MAX : STATES_MAX);
    const seconds = (Date.now() - startedMs) / 1000;
    figures.set(`states.${mode}`, { value: r.states, unit: 'states' });
    figures.set(`depth.${mode}`, { value: r.depth, unit: 'moves' });
    figures.set(`exhaustive.${mode}`, { value: r.exhaustive ? 1 : 0, unit: '' });
    figures.set(`faults.${mode}`, { value: r.faultsCovered, unit: 'faults' });
    const reach = r.exhaustive ? 'all there are' : `all with up to ${r.faultsCovered} faults, and more`;
    const [a, b] = r.machineStates;
    console.log(
      `${mode.padEnd(10)} ${r.states} states (${reach}), depth ${r.depth}, of ${a} states of the source and ${b} of the destination, ${seconds.toFixed(1)} s`,
    );
    if (r.violation === null) continue;
    violations++;
    show(mode, r.violation);
  }
  let caught = 0;
  for (const mutation of MUTATIONS) {
    const { bounds } = subjectOf(mutation.name)!;
    const { violation, states } = explore(bounds, MUTATION_STATES_MAX, mutation);
    if (violation !== null) caught++;
    const how =
      violation === null ? 'NOT CAUGHT' : `rule ${violation.rule} after ${violation.moves.length} moves`;
    console.log(`${mutation.name.padEnd(40)} ${how}, ${states} states`);
  }
  figures.set('violations', { value: violations, unit: '' });
  figures.set('mutations.caught', { value: caught, unit: '' });
  figures.set('mutations.total', { value: MUTATIONS.length, unit: '' });
  console.log(`\n${violations} violations; ${caught} of ${MUTATIONS.length} mutations caught`);
  if (values.out !== undefined) writeProof(values.out, figures);
  return violations === 0 && caught === MUTATIONS.length ? 0 : 1;
}

const chosen = MIGRATION_MODES.filter((m) => values.mode === undefined || m === values.mode);
if (values.help || chosen.length === 0) {
  console.log(USAGE);
  process.exitCode = values.help ? 0 : 2;
} else if (values.replay !== undefined) {
  process.exitCode = replay(values.replay);
} else {
  process.exitCode = prove(chosen);
}
