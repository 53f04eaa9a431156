import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { coloured, run } from '../../src/cli/run.js';
import { isLonghaulError } from '../../src/core/index.js';
import { COSTS_VERSION } from '../../src/lab/calibration/costs-file.js';
import type { Experiment } from '../../src/lab/config/experiment.js';
import { parseResult } from '../../src/lab/result.js';
import type { RunExperiment } from '../../src/lab/run-events.js';
import { HOST_COSTS } from '../../src/sim/index.js';
import { sampleMigration, sampleResult } from '../report/sample-result.js';
import { suite } from '../suite.js';
import { fakeStream } from './fake-stream.js';

const test = suite('cli/run');

const base = mkdtempSync(join(tmpdir(), 'longhaul-run-'));
process.on('exit', () => rmSync(base, { recursive: true, force: true }));
let nextDir = 0;

interface Ran {
  readonly dir: string;
  readonly code: number | null;
  readonly error: unknown;
  readonly out: string;
  readonly err: string;
  readonly experiment: Experiment | null;
}

async function go(
  typed: Record<string, unknown>,
  body: RunExperiment,
  interrupt = new AbortController(),
): Promise<Ran> {
  const dir = join(base, `d${nextDir++}`, 'out');
  const stdout = fakeStream();
  const stderr = fakeStream();
  let experiment: Experiment | null = null;
  let error: unknown = null;
  const code = await run(
    undefined,
    { out: dir, ...typed },
    {
      stdout: stdout.stream,
      stderr: stderr.stream,
      env: {},
      startedAt: new Date(0),
      signal: interrupt.signal,
      runExperiment: (e, hooks) => {
        experiment = e;
        return body(e, hooks);
      },
    },
  ).catch((e: unknown) => {
    error = e;
    return null;
  });
  return { dir, code, error, out: stdout.text(), err: stderr.text(), experiment };
}

test('a good run: summary on stdout, the file where stderr says, exit 0', async () => {
  const r = await go({ memory: '64MiB' }, async (_, hooks) => {
    hooks.onEvent({ type: 'attach', attach: 'netns', why: 'namespaces and TAP work here' });
    return sampleResult(2);
  });
  assert.is(r.code, 0);
  assert.is(r.experiment!.guest.memoryBytes, 64 * 2 ** 20);
  assert.match(r.out, 'Pause in its parts');
  assert.match(r.err, 'attach netns: namespaces and TAP work here\n');
  assert.match(r.err, `result in ${join(r.dir, 'result.json')}\n`);
  const saved = JSON.parse(readFileSync(join(r.dir, 'result.json'), 'utf8'));
  assert.equal(parseResult(saved, 'it'), sampleResult(2));
  assert.equal(readdirSync(r.dir), ['result.json']);
});

test('--costs is for simulated hosts; the simulation is given what the file says', async () => {
  const path = join(base, 'costs.json');
  writeFileSync(
    path,
    JSON.stringify({
      schema: COSTS_VERSION,
      measuredAt: '2026-11-30T12:00:00.000Z',
      revision: '0.1.0',
      machine: { cpu: 'c', cores: 2, kernel: '6', node: 'v20' },
      congestion: 'bbr',
      costs: { ...HOST_COSTS, parkNs: 77 },
      observed: [],
    }),
  );
  let parkNs: number | undefined;
  const body: RunExperiment = async (_, hooks) => {
    parkNs = hooks.costs?.values.parkNs;
    return sampleResult(1);
  };
  assert.is((await go({ attach: 'sim', costs: path }, body)).code, 0);
  assert.is(parkNs, 77);
  const real = await go({ attach: 'netns', costs: path }, body);
  assert.is((real.error as { code: string }).code, 'CLI_COSTS_REAL');
  assert.is(real.experiment, null, 'nothing was run');
});

test('--json: stdout is the result and nothing else', async () => {
  const r = await go({ json: true }, async () => sampleResult(1));
  assert.equal(JSON.parse(r.out), sampleResult(1));
  assert.is(r.out.split('\n').length, 2);
  assert.is(readFileSync(join(r.dir, 'result.json'), 'utf8'), r.out);
});

test('a failed experiment is saved and told, exit 1 with its line', async () => {
  const reason = { code: 'VMOTION_DIGEST', text: 'a page arrived changed' };
  const migrations = [sampleMigration(0, { outcome: 'stayed', guestAt: 'a', reason, memoryIdentical: null })];
  const r = await go({ json: true }, async () => sampleResult(1, { migrations }));
  assert.is(r.code, 1);
  assert.match(r.err, /\nlonghaul: move 1 \(a→b\) ended stayed, the guest runs at a: VMOTION_DIGEST: .*\n$/);
  assert.ok(existsSync(join(r.dir, 'result.json')));
});

test('a bad option is refused before anything is made or run', async () => {
  const r = await go({ memory: '1' }, () => assert.unreachable('ran') as never);
  assert.ok(isLonghaulError(r.error, 'CORE_UNIT_SYNTAX'));
  assert.not.ok(existsSync(dirname(r.dir)));
});

test('a place that cannot be written is refused before the run', async () => {
  const r = await go({ out: '/proc/longhaul-none' }, () => assert.unreachable('ran') as never);
  assert.ok(isLonghaulError(r.error, 'CLI_OUT_WRITE'));
  assert.match((r.error as Error).message, '--out /proc/longhaul-none cannot be written');
});

test('Ctrl-C: exit 130, no file, and the directory that was made is gone', async () => {
  const interrupt = new AbortController();
  const r = await go(
    {},
    (_, hooks) =>
      new Promise((_, reject) => {
        hooks.signal.addEventListener('abort', () => reject(hooks.signal.reason));
        interrupt.abort();
      }),
    interrupt,
  );
  assert.is(r.code, 130);
  assert.is(r.out, '');
  assert.match(r.err, 'interrupted; everything that was made has been removed');
  assert.not.ok(existsSync(dirname(r.dir)));
});

test('a run that breaks leaves no directory and its error passes through', async () => {
  const boom = new Error('boom');
  const r = await go({}, () => Promise.reject(boom));
  assert.is(r.error, boom);
  assert.not.ok(existsSync(dirname(r.dir)));
});

test('--keep: the result is told once, while the sites stand', async () => {
  const interrupt = new AbortController();
  const result = sampleResult(1);
  const sites = [{ site: 'a', namespace: '/proc/42/ns/net', ip: '10.80.0.1', example: 'ping' }] as const;
  const r = await go(
    { keep: true },
    async (_, hooks) => {
      hooks.onEvent({ type: 'kept', sites, result });
      interrupt.abort();
      return result;
    },
    interrupt,
  );
  assert.is(r.code, 130);
  assert.is(r.out.split('Verdict').length, 2);
  assert.match(
    r.err,
    /result in .*\nboth sites stand until Ctrl-C:\n {2}site a {2}10\.80\.0\.1 {2}\/proc\/42\/ns\/net\n/,
  );
  assert.ok(existsSync(join(r.dir, 'result.json')));
});

test('--no-progress keeps notes and drops the rest', async () => {
  const r = await go({ progress: false }, async (_, hooks) => {
    hooks.onEvent({ type: 'note', text: 'raw-socket is not built' });
    hooks.onEvent({ type: 'phase', migration: 0, phase: 'pre-copy', from: 'a', to: 'b' });
    return sampleResult(1);
  });
  assert.match(r.err, 'note: raw-socket is not built\n');
  assert.not.match(r.err, 'copying');
});

test('colour needs a terminal that wants it', () => {
  const tty = fakeStream(true).stream;
  assert.is(coloured(tty, {}), true);
  assert.is(coloured(tty, { NO_COLOR: '1' }), false);
  assert.is(coloured(tty, { NO_COLOR: '' }), true);
  assert.is(coloured(tty, { TERM: 'dumb' }), false);
  assert.is(coloured(fakeStream().stream, {}), false);
});

test.run();
