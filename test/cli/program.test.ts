import * as assert from 'uvu/assert';
import { type Commands, runProgram } from '../../src/cli/program.js';
import { suite } from '../suite.js';

const test = suite('cli/program');

interface Heard {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly calls: unknown[];
}

/** Commands that end with 1 here. */
const FAILING = ['run', 'captureDiff', 'hostResolve'];

/** An answer for every command that there is or will be. */
function everyCommand(answer: (name: string) => (...args: unknown[]) => Promise<number>): Commands {
  return new Proxy({} as Commands, { get: (_, name) => answer(String(name)) });
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
    everyCommand((name) => record(name, FAILING.includes(name) ? 1 : 0)),
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
  assert.equal((await type('profiles')).calls, [['profiles', undefined, false]]);
  assert.equal((await type('profiles', 'my.yaml', '--json')).calls, [['profiles', 'my.yaml', true]]);
});

test('replay: what may be said several times is a list, and what the fiber takes is taken', async () => {
  const { calls } = await type(
    'replay',
    'x.pcap',
    '--side-a',
    '10.0.0.1',
    '--side-a',
    '10.0.1.0/24',
    '--loss',
    '1%',
  );
  assert.equal(calls, [['replay', 'x.pcap', { sideA: ['10.0.0.1', '10.0.1.0/24'], loss: '1%' }]]);
  assert.is((await type('replay')).code, 2);
});

test('capture show and capture diff name one and two files', async () => {
  const show = await type('capture', 'show', 'x.pcap', '--no-packets');
  assert.equal(show.calls, [['captureShow', 'x.pcap', { packets: false }]]);
  const diff = await type('capture', 'diff', 'a.pcap', 'b.pcap', '--interface-a', 'site-a');
  assert.is(diff.code, 1);
  assert.equal(diff.calls, [['captureDiff', 'a.pcap', 'b.pcap', { interfaceA: 'site-a' }]]);
  assert.is((await type('capture', 'diff', 'a.pcap')).code, 2);
});

test('host: a doubt is settled in one way, and a way must be named', async () => {
  assert.equal((await type('host', 'list', '--json')).calls, [['hostList', { json: true }]]);
  const resolve = await type('host', 'resolve', 'web', '--resume-here', '--run', 'd');
  assert.is(resolve.code, 1);
  assert.equal(resolve.calls, [['hostResolve', 'web', 'resume-here', { resumeHere: true, run: 'd' }]]);
  const both = await type('host', 'resolve', 'web', '--ask', '--discard');
  assert.is(both.code, 2);
  assert.equal(both.calls, []);
  const none = await type('host', 'resolve', 'web').catch((e) => e);
  assert.is(none.code, 'CLI_USAGE');
  assert.match((await type('host', 'resolve', '--help')).out, 'Exit codes:');
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
    [['run', '--colour'], /unknown option '--colour'; longhaul run --help shows/],
    [['run', '--seed'], /option '--seed <n>' argument missing; longhaul run --help shows/],
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
  await runProgram(
    ['run'],
    '1',
    everyCommand(() => fail),
    silent,
  ).catch((e) => {
    thrown = e;
  });
  assert.is(thrown, boom);
});

test.run();
