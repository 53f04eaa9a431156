/**
 * `npm run bench:compare -- A B [--bench kernels] [--turns N] [-- ARGUMENTS of the bench]`
 *
 * Is revision B faster than A? Both are checked out into folders of their own, built, and run in turn (A B, B A, …);
 * each figure's ratio of medians stands with its interval, and says faster, slower or neither (`verdicts.ts`).
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { messageOf } from '../../src/core/index.js';
import { formatTable } from '../../src/report/index.js';
import { type BenchResult, say } from '../figures.js';
import { type Turns, turnsNeeded, type Verdict, verdictsOf } from './verdicts.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

interface Side {
  readonly name: string;
  /** Of the commit. */
  readonly hash: string;
  readonly dir: string;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    bench: { type: 'string', default: 'kernels' },
    turns: { type: 'string', default: '7' },
    help: { type: 'boolean', default: false },
  },
});
const [a, b, ...passed] = positionals;
const turns = Number(values.turns);
if (
  values.help ||
  a === undefined ||
  b === undefined ||
  !(Number.isInteger(turns) && turns >= 3 && turns <= 100)
) {
  console.log('npm run bench:compare -- A B [--bench kernels] [--turns 3..100] [-- ARGUMENTS of the bench]');
  console.log('A and B are git revisions; a bench by its folder (kernels) or its file (migration/pause)');
  process.exit(values.help ? 0 : 2);
}
const script = values.bench.includes('/')
  ? `dist/bench/${values.bench}.js`
  : `dist/bench/${values.bench}/main.js`;
const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupt.abort());
const work = mkdtempSync(join(tmpdir(), 'longhaul-compare-'));
const made: string[] = [];
try {
  const hashes = [a, b].map(commitOf);
  const sides: Side[] = [];
  for (const [i, name] of [a, b].entries())
    sides.push(await checkOut(name, hashes[i]!, join(work, 'ab'[i]!)));
  print(await measure(sides));
} catch (e) {
  say(interrupt.signal.aborted ? 'interrupted' : messageOf(e));
  process.exitCode = interrupt.signal.aborted ? 130 : 1;
} finally {
  for (const dir of made) git('worktree', 'remove', '--force', dir);
  rmSync(work, { recursive: true, force: true });
}

/** In turn, and in each turn the other one first: what drifts meanwhile hits both. */
async function measure(sides: readonly Side[]): Promise<Turns[]> {
  const seen = new Map<string, { unit: string; values: [number[], number[]] }>();
  for (let turn = 0; turn < turns; turn++) {
    for (const side of turn % 2 === 0 ? [0, 1] : [1, 0]) {
      say(`turn ${turn + 1} of ${turns}: ${'AB'[side]} ${sides[side]!.name}`);
      for (const figure of (await runBench(sides[side]!.dir)).figures) {
        const known = seen.get(figure.name) ?? { unit: figure.unit, values: [[], []] };
        known.values[side as 0 | 1].push(figure.value);
        seen.set(figure.name, known);
      }
    }
  }
  return [...seen].map(
    ([
      name,
      {
        unit,
        values: [ofA, ofB],
      },
    ]) => ({ name, unit, a: ofA, b: ofB }),
  );
}

function git(...words: string[]): string {
  return execFileSync('git', words, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function commitOf(revision: string): string {
  try {
    return git('rev-parse', '--verify', '--short', `${revision}^{commit}`).trim();
  } catch {
    throw new Error(`${revision} is no revision of this clone: git log --oneline names some`);
  }
}

/** A built copy of a revision. */
async function checkOut(name: string, hash: string, dir: string): Promise<Side> {
  git('worktree', 'add', '--detach', dir, hash);
  made.push(dir);
  const read = (folder: string): string => readFileSync(join(folder, 'package-lock.json'), 'utf8');
  // The same packages need no second installation.
  if (read(dir) === read(ROOT)) symlinkSync(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  else await command('npm', ['ci', '--ignore-scripts'], dir);
  say(`building ${name} (${hash})`);
  await command('npx', ['tsc', '-b'], dir);
  if (!existsSync(join(dir, script))) throw new Error(`${name} has no ${script}: choose another --bench`);
  return { name, hash, dir };
}

async function runBench(dir: string): Promise<BenchResult> {
  const out = join(work, 'figures.json');
  rmSync(out, { force: true });
  await command(process.execPath, [script, ...passed, '--out', out], dir);
  return JSON.parse(readFileSync(out, 'utf8')) as BenchResult;
}

/** @throws Error with what it said last, when it fails */
async function command(file: string, args: readonly string[], cwd: string): Promise<void> {
  const child = spawn(file, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], signal: interrupt.signal });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes) => {
      said = `${said}${bytes}`.slice(-2000);
    });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${[file, ...args].join(' ')} failed in ${cwd}\n${said.trimEnd()}`);
}

function print(all: readonly Turns[]): void {
  const verdicts = verdictsOf(all);
  const rows = verdicts.map((v: Verdict) => [
    v.name,
    `${v.a}`,
    `${v.b}`,
    v.unit,
    v.ratio.ratio.toFixed(3),
    `${v.ratio.low.toFixed(3)}–${v.ratio.high.toFixed(3)}`,
    v.word,
  ]);
  const titles = ['figure', `A ${a}`, `B ${b}`, 'unit', 'B/A', '95 %', 'B is'];
  const columns = titles.map((title, i) => ({
    title,
    align: i > 0 && i < 6 ? ('right' as const) : ('left' as const),
  }));
  console.log(formatTable(columns, rows, '').join('\n'));
  const onlyOne = all.filter((t) => t.a.length === 0 || t.b.length === 0).map((t) => t.name);
  if (onlyOne.length > 0) console.log(`only one of them has: ${onlyOne.join(', ')}`);
  const needed = turnsNeeded(verdicts.length);
  if (turns < needed)
    console.log(
      `${verdicts.length} figures in ${turns} turns always say neither: give --turns ${needed} or more, or fewer figures`,
    );
}
