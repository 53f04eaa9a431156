/** The command as a process: how it starts, ends, and what it leaves. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { suite } from '../suite.js';

const test = suite('cli/bridge-process');

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'longhaul-process-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
const env = { ...process.env, XDG_RUNTIME_DIR: dir };

function longhaul(...argv: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [MAIN, ...argv], { encoding: 'utf8', cwd: dir, env, timeout: 20_000 });
}

function file(name: string, text: string): string {
  writeFileSync(join(dir, name), text);
  return name;
}

interface Bridge {
  readonly child: ChildProcess;
  text(): string;
  /** Resolves with the exit code. */
  readonly ended: Promise<number | null>;
}

/** Starts a bridge and waits until it says that it runs. */
async function start(config: string): Promise<Bridge> {
  const child = spawn(process.execPath, [MAIN, 'bridge', config], {
    cwd: dir,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  await new Promise<void>((resolve) => {
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.on('data', (d) => {
        text += d;
        if (text.includes('runs; Ctrl-C ends it')) resolve();
      });
    }
    void ended.then(() => resolve());
  });
  return { child, text: () => text, ended };
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  test(`${signal}: exit 0, and no socket is left`, async () => {
    const bridge = await start(file('one.yaml', 'metrics: 127.0.0.1:0\n'));
    const socket = join(dir, 'longhaul', 'one.sock');
    assert.ok(existsSync(socket), bridge.text());
    bridge.child.kill(signal);
    assert.is(await bridge.ended, 0);
    assert.match(bridge.text(), 'everything that was made has been removed\n');
    assert.equal(readdirSync(join(dir, 'longhaul')), []);
  });
}

test('a second bridge of one name is refused; two names run side by side, and ctl lists them', async () => {
  const bridges = [await start(file('a.yaml', '')), await start(file('b.yaml', ''))];
  const again = longhaul('bridge', 'a.yaml');
  assert.is(again.status, 2);
  assert.match(
    again.stderr,
    /^longhaul: LAB_BRIDGE_RUNS: .* the bridge a runs there already .*; end that one first/,
  );
  const which = longhaul('ctl', 'ports');
  assert.is(which.status, 2);
  assert.match(which.stderr, /LAB_CONTROL_ABSENT: 2 bridges run: a \(process \d+, .*\), b \(process/);
  const shown = longhaul('ctl', 'show', '--json', '--control', 'b');
  assert.is(shown.status, 0, shown.stderr);
  assert.is(JSON.parse(shown.stdout).name, 'b');
  for (const { child } of bridges) child.kill();
  assert.equal(await Promise.all(bridges.map((b) => b.ended)), [0, 0]);
});

test('a bridge that was killed is in no one’s way', async () => {
  const killed = await start(file('k.yaml', ''));
  killed.child.kill('SIGKILL');
  await killed.ended;
  assert.ok(existsSync(join(dir, 'longhaul', 'k.sock')));
  assert.match(longhaul('ctl', 'show').stderr, 'no bridge of this user runs');
  const next = await start('k.yaml');
  next.child.kill();
  assert.is(await next.ended, 0);
});

test('bad input: one line on stderr, exit 2; what the machine lacks: exit 3', async () => {
  const cases: readonly (readonly [status: number, argv: readonly string[], text: string])[] = [
    [2, ['bridge'], "missing required argument 'config'"],
    [2, ['bridge', 'nowhere.yaml'], 'CONFIG.yaml nowhere.yaml cannot be read (ENOENT)'],
    [
      2,
      ['bridge', file('bad.yaml', 'ports:\n  - {name: p, site: c}\n')],
      'bad.yaml:2:21: ports[0].site "c" is not one of a, b',
    ],
    [2, ['bridge', file('ok.yaml', ''), '--interval', '5'], '--interval "5" is not a duration'],
    [2, ['bridge', file('m.yaml', 'metrics: 203.0.113.1:1\n')], 'metrics 203.0.113.1:1 cannot be had'],
    [2, ['ctl', 'show', '--control', '/nowhere.sock'], 'no bridge answers at /nowhere.sock (ENOENT)'],
    [2, ['ctl', 'set'], 'ctl set names nothing to set'],
    [
      3,
      ['bridge', file('i.yaml', 'ports:\n  - {name: e, site: a, interface: nosuch0}\n')],
      'port e: interface nosuch0 cannot be had',
    ],
    [
      3,
      [
        'bridge',
        file(
          'u.yaml',
          'ports:\n  - {name: u, site: a, nio-udp: {listen: 203.0.113.1:9, peer: 127.0.0.1:9}}\n',
        ),
      ],
      'port u: nio-udp',
    ],
  ];
  await Promise.all(
    cases.map(async ([status, argv, text]) => {
      const child = spawn(process.execPath, [MAIN, ...argv], {
        cwd: dir,
        env,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let stderr = '';
      child.stderr.on('data', (d) => {
        stderr += d;
      });
      const code = await new Promise((resolve) => child.once('close', resolve));
      assert.is(code, status, `${argv.join(' ')}: ${stderr}`);
      assert.match(stderr, /^longhaul: [A-Z_]+: [^\n]+; [^\n]+\n$/);
      assert.match(stderr, text);
    }),
  );
  assert.equal(
    readdirSync(join(dir, 'longhaul')).filter((f) => f.endsWith('.sock')),
    [],
  );
});

test.run();
