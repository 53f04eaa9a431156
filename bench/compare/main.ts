/**
 * `npm run bench:compare -- A B [--bench kernels] [--turns N] [-- ARGUMENTS of the bench]`
 *
 * Is revision B faster than A? Both are checked out into folders of their own, built, and run in turn (A B, B A, …);
 * each figure's ratio of medians stands with its interval of 95 % (bootstrap over turns), and says faster, slower
 * or neither. For figures of which more is better (rates, shares) the words are turned round.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { changeOf, formatTable, median, ratioOfMedians } from '../../src/report/index.js';
import { type BenchResult, say } from '../figures.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const MORE_IS_BETTER = ['Gbit/s', 'Mbit/s', 'ratio', 'Mpps', 'MB/s'];

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
if (values.help || a === undefined || b === undefined || !(turns >= 3 && turns <= 100)) {
  console.log('npm run bench:compare -- A B [--bench kernels] [--turns 3..100] [-- ARGUMENTS]');
  console.log('A and B are git revisions; a bench by its folder (kernels) or its file (migration/pause)');
  process.exit(values.help ? 0 : 2);
}
const script = values.bench.includes('/')
  ? `dist/bench/${values.bench}.js`
  : `dist/bench/${values.bench}/main.js`;
const work = mkdtempSync(join(tmpdir(), 'longhaul-compare-'));
const made: string[] = [];
try {
  const sides = [a, b].map((revision, i) => ({ revision, dir: checkOut(revision, `${'ab'[i]}`) }));
  const seen = new Map<string, { unit: string; values: [number[], number[]] }>();
  for (let turn = 0; turn < turns; turn++) {
    for (const side of turn % 2 === 0 ? [0, 1] : [1, 0]) {
      say(`turn ${turn + 1} of ${turns}: ${sides[side]!.revision}`);
      for (const figure of runBench(sides[side]!.dir).figures) {
        const known = seen.get(figure.name) ?? { unit: figure.unit, values: [[], []] };
        known.values[side as 0 | 1].push(figure.value);
        seen.set(figure.name, known);
      }
    }
  }
  print(seen);
} finally {
  for (const dir of made) git('worktree', 'remove', '--force', dir);
  rmSync(work, { recursive: true, force: true });
}

function git(...words: string[]): string {
  return execFileSync('git', words, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** A built copy of a revision. */
function checkOut(revision: string, name: string): string {
  const dir = join(work, name);
  git('worktree', 'add', '--detach', dir, revision);
  made.push(dir);
  const read = (folder: string): string => readFileSync(join(folder, 'package-lock.json'), 'utf8');
  // The same packages need no second installation.
  if (read(dir) === read(ROOT)) symlinkSync(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  else execFileSync('npm', ['ci', '--ignore-scripts'], { cwd: dir, stdio: 'ignore' });
  say(`building ${revision}`);
  execFileSync('npx', ['tsc', '-b'], { cwd: dir, stdio: 'inherit' });
  if (!existsSync(join(dir, script))) throw new Error(`${revision} has no ${script}: choose another --bench`);
  return dir;
}

function runBench(dir: string): BenchResult {
  const out = join(work, 'figures.json');
  execFileSync(process.execPath, [script, ...passed, '--out', out], { cwd: dir, stdio: 'ignore' });
  return JSON.parse(readFileSync(out, 'utf8')) as BenchResult;
}

function print(
  seen: ReadonlyMap<string, { readonly unit: string; readonly values: [number[], number[]] }>,
): void {
  const rows = [...seen].flatMap(
    ([
      name,
      {
        unit,
        values: [ofA, ofB],
      },
    ]) => {
      if (ofA.length === 0 || ofB.length === 0) return [];
      const ratio = ratioOfMedians(ofA, ofB);
      const change = changeOf(ratio);
      const isMore = MORE_IS_BETTER.includes(unit);
      const word = change === 'neither' ? 'neither' : (change === 'faster') !== isMore ? 'faster' : 'slower';
      const interval = `${ratio.low.toFixed(3)}–${ratio.high.toFixed(3)}`;
      return [[name, `${median(ofA)}`, `${median(ofB)}`, unit, ratio.ratio.toFixed(3), interval, word]];
    },
  );
  const titles = ['figure', a!, b!, 'unit', 'ratio', '95 %', `${b} is`];
  const columns = titles.map((title, i) => ({
    title,
    align: i > 0 && i < 6 ? ('right' as const) : ('left' as const),
  }));
  console.log(formatTable(columns, rows, '').join('\n'));
}
