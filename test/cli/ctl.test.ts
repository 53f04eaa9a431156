import { Command } from 'commander';
import * as assert from 'uvu/assert';
import { type CtlContext, ctl } from '../../src/cli/ctl.js';
import { addCtlCommand } from '../../src/cli/ctl-command.js';
import { ConfigError } from '../../src/core/index.js';
import type { ControlClient } from '../../src/lab/bridge/client.js';
import type { ControlCall } from '../../src/lab/bridge/protocol.js';
import { sampleStatus } from '../lab/bridge/sample-status.js';
import { suite } from '../suite.js';

const test = suite('cli/ctl');

interface Scene {
  readonly context: CtlContext;
  readonly calls: [path: string, call: ControlCall][];
  text(): string;
}

/** Bridges by name, all of which answer the same. */
function scene(names: readonly string[], answer: unknown): Scene {
  const calls: [string, ControlCall][] = [];
  let out = '';
  const path = (name: string): string => (name.includes('/') ? name : `/run/${name}.sock`);
  const context: CtlContext = {
    out: (text) => {
      out += text;
    },
    colour: false,
    findBridges: async () =>
      names.map((name, i) => ({ name, pid: 40 + i, protocol: 'longhaul/control/1', path: path(name) })),
    socketPath: path,
    connect: async (at) => {
      if (!names.some((name) => path(name) === at))
        throw Object.assign(new Error('connect'), { code: 'ENOENT' });
      const ask = async (call: ControlCall): Promise<unknown> => {
        calls.push([at, call]);
        return answer;
      };
      return { ask, close: () => {} } as unknown as ControlClient;
    },
  };
  return { context, calls, text: () => out };
}

async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (e) {
    assert.instance(e, ConfigError);
    return (e as ConfigError).line();
  }
  throw new Error('was not refused');
}

test('a recording whose command was killed could be ended by nobody', async () => {
  const calls: ControlCall[] = [];
  const program = new Command('longhaul');
  addCtlCommand(program, async (call) => {
    calls.push(call);
  });
  for (const word of ['show', 'stop'])
    await program.parseAsync(['node', 'longhaul', 'ctl', 'recording', word]);
  assert.equal(calls, [{ do: 'recording' }, { do: 'stop-recording' }]);
  const s = scene(['one'], { path: '/x.pcapng', failure: null });
  await ctl({ do: 'recording' }, {}, s.context);
  assert.is(s.text(), 'recording into /x.pcapng\n');
});

test('the only bridge that runs is asked', async () => {
  const s = scene(['one'], sampleStatus());
  assert.is(await ctl({ do: 'show' }, {}, s.context), 0);
  assert.equal(s.calls, [['/run/one.sock', { do: 'show' }]]);
  assert.match(s.text(), /^sample {2}up 10 s/);
});

test('--json is the answer and nothing else', async () => {
  const s = scene(['one'], { fiberLines: ['x'], warnings: [] });
  await ctl({ do: 'set', lane: {} }, { json: true }, s.context);
  assert.is(s.text(), '{"fiberLines":["x"],"warnings":[]}\n');
});

test('none runs, or several: said with the remedy', async () => {
  assert.is(
    await refusal(ctl({ do: 'show' }, {}, scene([], null).context)),
    'LAB_CONTROL_ABSENT: no bridge of this user runs; start one with longhaul bridge CONFIG.yaml, or give ' +
      '--control PATH for one of another user',
  );
  const several = scene(['one', 'two'], sampleStatus());
  assert.is(
    await refusal(ctl({ do: 'show' }, {}, several.context)),
    'LAB_CONTROL_ABSENT: 2 bridges run: one (process 40, /run/one.sock), two (process 41, /run/two.sock); ' +
      'choose one with --control NAME or --control PATH',
  );
  await ctl({ do: 'show' }, { control: 'two' }, several.context);
  await ctl({ do: 'show' }, { control: '/run/one.sock' }, several.context);
  assert.equal(
    several.calls.map(([path]) => path),
    ['/run/two.sock', '/run/one.sock'],
  );
  assert.is(
    await refusal(ctl({ do: 'show' }, { control: 'three' }, several.context)),
    'LAB_CONTROL_ABSENT: no bridge answers at /run/three.sock (ENOENT); longhaul ctl without --control finds those of this user',
  );
});

/** What a line becomes: the request and the options. */
async function typed(...words: string[]): Promise<[ControlCall, object]> {
  const program = new Command('longhaul')
    .exitOverride()
    .configureOutput({ writeErr: () => {}, writeOut: () => {} });
  let heard: [ControlCall, object] | null = null;
  addCtlCommand(program, async (call, options) => {
    heard = [call, options];
  });
  await program.parseAsync(['ctl', ...words], { from: 'user' });
  return heard!;
}

test('what is typed becomes a request', async () => {
  assert.equal((await typed('show'))[0], { do: 'show' });
  assert.equal((await typed('macs', '--limit', '5'))[0], { do: 'macs', limit: 5 });
  assert.equal(
    (await typed('set', '--loss', '1%', '--one-way', '5ms', '--direction', 'a-b', '--span', '1'))[0],
    {
      do: 'set',
      lane: { 'one-way': '5ms', loss: '1%' },
      direction: 'a-b',
      span: 1,
    },
  );
  assert.equal((await typed('link', 'down', '--direction', 'b-a'))[0], {
    do: 'set',
    lane: { link: 'down' },
    direction: 'b-a',
  });
  assert.equal((await typed('port', 'add', '{name: c, site: b, tap: lh-c}'))[0], {
    do: 'add-port',
    port: { name: 'c', site: 'b', tap: 'lh-c' },
  });
  assert.equal((await typed('port', 'remove', 'c'))[0], { do: 'remove-port', name: 'c' });
});

test('--control and --json may stand before the verb and behind it', async () => {
  for (const words of [
    ['--control', 'x', '--json', 'ports'],
    ['ports', '--json', '--control', 'x'],
    ['--json', 'ports', '--control', 'x'],
  ]) {
    const [call, options] = await typed(...words);
    assert.equal(call, { do: 'ports' });
    assert.is((options as { control: string }).control, 'x');
    assert.is((options as { json: boolean }).json, true);
  }
});

test('words that say nothing are refused', async () => {
  assert.match(
    await refusal(typed('set', '--direction', 'a-b')),
    /^CLI_USAGE: ctl set names nothing to set; name a key/,
  );
  assert.match(await refusal(typed('port', 'add', '{name: c')), /^LAB_FILE_YAML: PORT:1:9: not YAML/);
  for (const words of [
    ['link', 'sideways'],
    ['link'],
    ['set', '--direction', 'c'],
    ['port', 'remove'],
    ['shwo'],
  ]) {
    const e = (await typed(...words).catch((error: unknown) => error)) as { code: string };
    assert.match(e.code, /^commander\./, words.join(' '));
  }
});

test.run();
