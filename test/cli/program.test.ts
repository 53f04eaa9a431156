import * as assert from 'uvu/assert';
import { runProgram } from '../../src/cli/program.js';
import { suite } from '../suite.js';

const test = suite('cli/program');

interface Heard {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly calls: unknown[];
}

async function type(...argv: string[]): Promise<Heard> {
  let out = '';
  let err = '';
  const calls: unknown[] = [];
  const record =
    (name: string, code: number) =>
    async (...args: unknown[]): Promise<number> => {
      calls.push([name, ...args]);
      return code;
    };
  const code = await runProgram(
    argv,
    '1.2.3',
    { run: record('run', 1), doctor: record('doctor', 0), profiles: record('profiles', 0) },
    {
      out: (text) => {
        out += text;
      },
      err: (text) => {
        err += text;
      },
    },
  );
  return { code, out, err, calls };
}

test('commands receive what was typed, and their code is the exit code', async () => {
  const run = await type('run', 'x.yaml', '--seed', '7', '--json', '--no-progress');
  assert.is(run.code, 1);
  assert.equal(run.calls, [['run', 'x.yaml', { seed: '7', json: true, progress: false }]]);
  assert.equal((await type('doctor', '--json')).calls, [['doctor', true]]);
  assert.equal((await type('profiles')).calls, [['profiles', false]]);
});

test('help teaches, with examples and exit codes; version is the version', async () => {
  for (const argv of [['--help'], []]) {
    const help = await type(...argv);
    assert.is(help.code, 0);
    assert.match(help.out, 'Examples:');
    assert.match(help.out, '130  Ctrl-C');
    assert.is(help.err, '');
  }
  assert.match((await type('run', '--help')).out, '--dirty <model[:rate]>');
  assert.is((await type('--version')).out, '1.2.3\n');
});

test('words that are no option or command are one line, with the nearest suggestion, exit 2', async () => {
  const said: [string[], RegExp][] = [
    [['run', '--memry', '1GiB'], /unknown option '--memry'; did you mean --memory\?/],
    [['rnu'], /unknown command 'rnu'; did you mean run\?/],
    [['run', '--colour'], /unknown option '--colour'; longhaul --help shows/],
    [['run', '--seed'], /option '--seed <n>' argument missing; longhaul --help shows/],
    [['run', 'a.yaml', 'b.yaml'], /too many arguments/],
    [['doctor', 'x'], /too many arguments/],
  ];
  for (const [argv, pattern] of said) {
    const { code, out, err, calls } = await type(...argv);
    assert.is(code, 2);
    assert.is(out, '');
    assert.equal(calls, []);
    assert.match(err, /^longhaul: CLI_USAGE: [^\n]+\n$/);
    assert.match(err, pattern);
  }
});

test('what a command throws passes through', async () => {
  const boom = new Error('boom');
  const fail = (): Promise<number> => Promise.reject(boom);
  const silent = { out: () => {}, err: () => {} };
  let thrown: unknown;
  await runProgram(['run'], '1', { run: fail, doctor: fail, profiles: fail }, silent).catch((e) => {
    thrown = e;
  });
  assert.is(thrown, boom);
});

test.run();
