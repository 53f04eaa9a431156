/**
 * The kill matrix: `npm run chaos -- --instants 200 --out FILE.json [--seed N]`.
 *
 * So many moves for each side, in each of which that host is killed or stopped: half of them at points that have a
 * name, half at instants drawn at random. Ends with 1 when a rule was broken; the file has every move.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { messageOf, Rng } from '../../src/core/index.js';
import { type Aftermath, type Kill, killAndJudge } from './kill.js';

const POINTS = {
  source: ['before-commit', 'after-commit', 'final-sent', 'started-heard', 'ended-recorded'],
  destination: ['final-heard', 'before-running', 'after-running', 'guest-started', 'started-sent'],
} as const;
const MODES = ['hybrid', 'precopy', 'postcopy'] as const;
/** Random instants lie within this time of the offer: such a move takes about as long. */
const MOVE_MS = 120;

const { values } = parseArgs({
  options: {
    instants: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    out: { type: 'string' },
  },
});
const rng = new Rng(Number(values.seed)).fork('kills');
const done: (Aftermath | { readonly kill: Kill; readonly broken: string })[] = [];
let broken = 0;
for (let i = 0; i < Number(values.instants); i++) {
  for (const side of ['source', 'destination'] as const) {
    const points = POINTS[side];
    const kill: Kill = {
      side,
      signal: rng.chance(0.75) ? 'SIGKILL' : 'SIGSTOP',
      at: i % 2 === 0 ? points[(i / 2) % points.length]! : rng.below(MOVE_MS),
      mode: MODES[rng.below(MODES.length)]!,
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
