/**
 * The kill matrix: `npm run chaos -- --instants 200 [--only FAULT,…] --out FILE.json [--seed N]`.
 *
 * So many moves for each side, in each of which that host is killed or stopped (half of them at points that have a
 * name, half at instants drawn at random), or the fiber is cut in one of the move's phases, or the disk under the
 * records fills up. Ends with 1 when a rule was broken; the file has every move.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { messageOf, Rng } from '../../src/core/index.js';
import { lackOfDisk, withOwnMounts } from './full-disk.js';
import { type Aftermath, type Kill, killAndJudge } from './kill.js';

const POINTS = {
  source: ['before-commit', 'after-commit', 'final-sent', 'started-heard', 'ended-recorded'],
  destination: ['final-heard', 'before-running', 'after-running', 'guest-started', 'started-sent'],
} as const;
/** Faults, as often as they stand here. */
const FAULTS = [
  ...new Array<'SIGKILL'>(12).fill('SIGKILL'),
  ...new Array<'SIGSTOP'>(4).fill('SIGSTOP'),
  ...new Array<'link-down'>(3).fill('link-down'),
  'full-disk',
] as const;
const PHASES = {
  precopy: ['precopy', 'switchover'],
  hybrid: ['precopy', 'switchover', 'postcopy'],
  postcopy: ['switchover', 'postcopy'],
} as const;
/** A cut is up to so long: past the silence after which hosts take each other for lost. */
const CUT_MS_MAX = 3000;
const MODES = ['hybrid', 'precopy', 'postcopy'] as const;
/** Random instants lie within this time of the offer: such a move takes about as long. */
const MOVE_MS = 120;

/** Set for the process that has mounts of its own. */
const OWN_MOUNTS = 'LONGHAUL_CHAOS_OWN_MOUNTS';

const { values } = parseArgs({
  options: {
    instants: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    out: { type: 'string' },
  },
});
const wanted = values.only?.split(',') ?? FAULTS;
const noDisk = lackOfDisk();
if (noDisk !== null && wanted.includes('full-disk')) process.stdout.write(`no full disks: ${noDisk}\n`);
const faults = FAULTS.filter((f) => wanted.includes(f) && (f !== 'full-disk' || noDisk === null));
if (faults.length === 0) {
  process.stderr.write(`--only ${values.only}: give some of ${[...new Set(FAULTS)].join(', ')}\n`);
  process.exit(2);
}
if (faults.includes('full-disk') && process.env[OWN_MOUNTS] === undefined) {
  const [program, ...args] = withOwnMounts([process.execPath, ...process.argv.slice(1)]);
  const env = { ...process.env, [OWN_MOUNTS]: '1' };
  const { status } = spawnSync(program!, args, { stdio: 'inherit', env });
  process.exit(status ?? 1);
}
const rng = new Rng(Number(values.seed)).fork('kills');
const done: (Aftermath | { readonly kill: Kill; readonly broken: string })[] = [];
let broken = 0;
for (let i = 0; i < Number(values.instants); i++) {
  for (const side of ['source', 'destination'] as const) {
    const points = POINTS[side];
    const signal = faults[rng.below(faults.length)]!;
    const mode = MODES[rng.below(MODES.length)]!;
    const instant = rng.below(MOVE_MS);
    const phases = PHASES[mode];
    const struck = i % 2 === 0 ? points[(i / 2) % points.length]! : instant;
    const kill: Kill = {
      side,
      signal,
      at:
        signal === 'link-down'
          ? phases[rng.below(phases.length)]!
          : signal === 'full-disk'
            ? instant
            : struck,
      forMs: 1 + rng.below(CUT_MS_MAX),
      mode,
      seed: rng.u32(),
    };
    let said: string;
    try {
      const aftermath = await killAndJudge(kill);
      done.push(aftermath);
      said = `${aftermath.outcome}, ${aftermath.lost} answers lost`;
    } catch (e) {
      broken++;
      done.push({ kill, broken: messageOf(e) });
      said = `BROKEN: ${messageOf(e)}`;
    }
    process.stdout.write(`${i + 1} ${side} ${kill.signal} at ${kill.at}, ${kill.mode}: ${said}\n`);
  }
}
const ends = new Map<string, number>();
for (const d of done)
  if ('outcome' in d)
    ends.set(`${d.kill.side} ${d.outcome}`, (ends.get(`${d.kill.side} ${d.outcome}`) ?? 0) + 1);
process.stdout.write(`${done.length} moves, ${broken} broke a rule\n`);
if (values.out !== undefined)
  writeFileSync(
    values.out,
    `${JSON.stringify({ seed: Number(values.seed), broken, ends: Object.fromEntries(ends), moves: done }, null, 1)}\n`,
  );
process.exitCode = broken === 0 ? 0 : 1;
