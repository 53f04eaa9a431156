/** A terminal on a run's console: what is printed and typed passes, whoever runs the machine. */
import { appendFileSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { typedPath } from '../../src/guest/pc/index.js';
import { AttachedConsole, consoleOf } from '../../src/lab/console.js';
import { makeFifo } from '../../src/sys/index.js';
import { suite } from '../suite.js';

const test = suite('lab/console');
const dirs: string[] = [];
process.on('exit', () => {
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
});

function run(): { dir: string; path: string; machine: number } {
  const dir = mkdtempSync(join(tmpdir(), 'console-test-'));
  dirs.push(dir);
  const path = join(dir, 'guest.console');
  makeFifo(typedPath(path));
  return { dir, path, machine: openSync(typedPath(path), constants.O_RDWR | constants.O_NONBLOCK) };
}

function typed(fd: number): string {
  const bytes = Buffer.alloc(100);
  return bytes.toString('latin1', 0, readSync(fd, bytes));
}

const code = (work: () => unknown): string => {
  try {
    work();
  } catch (e) {
    return (e as { code: string }).code;
  }
  return 'none';
};

test('what is typed reaches the machine; what it prints, also before, is shown until the run has gone', async () => {
  const { dir, path, machine } = run();
  appendFileSync(path, 'booted\n');
  const line = new AttachedConsole(path);
  assert.is(line.type(Buffer.from('ls\r')), true);
  assert.is(typed(machine), 'ls\r');
  let shown = '';
  const never = new AbortController().signal;
  const following = line.follow({
    print: (bytes) => (shown += Buffer.from(bytes).toString()),
    signal: never,
  });
  while (shown !== 'booted\n') await sleep(1);
  appendFileSync(path, 'a b c\n/ # ');
  while (!shown.endsWith('/ # ')) await sleep(1);
  rmSync(dir, { recursive: true });
  await following;
  assert.is(shown, 'booted\na b c\n/ # ');
});

test('a machine that reads nothing is said so, and blocks nobody', () => {
  const line = new AttachedConsole(run().path);
  const much = Buffer.alloc(64 * 1024, 'x');
  let taken = true;
  for (let i = 0; i < 100 && taken; i++) taken = line.type(much);
  assert.is(taken, false);
});

test('the one run that has a console is found; none and several are refused with the remedy', () => {
  const [a, b] = [run(), run()];
  assert.is(consoleOf([a.dir, tmpdir()]), a.path);
  assert.is(
    code(() => consoleOf([tmpdir()])),
    'LAB_NO_CONSOLE',
  );
  assert.is(
    code(() => consoleOf([a.dir, b.dir])),
    'LAB_MANY_CONSOLES',
  );
});

test.run();
