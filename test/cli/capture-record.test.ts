import * as assert from 'uvu/assert';
import type { RecordingReport } from '../../src/capture/index.js';
import { captureRecord } from '../../src/cli/capture-record.js';
import type { ControlClient } from '../../src/lab/bridge/client.js';
import { suite } from '../suite.js';

const test = suite('cli/capture-record');

const REPORT: RecordingReport = {
  path: '/x',
  packets: 7,
  bytes: 2_048,
  filtered: 2,
  unrecorded: 1,
  failure: null,
};

/** Runs the command against a bridge that answers with `report`. */
async function command(
  file: string,
  typed: Parameters<typeof captureRecord>[1],
  report: RecordingReport = REPORT,
): Promise<{ code: number; out: string; err: string; asked: unknown[] }> {
  const asked: unknown[] = [];
  const said = { out: '', err: '' };
  const interrupt = new AbortController();
  const client = {
    ask: async (call: { do: string }) => {
      asked.push(call);
      if (call.do === 'stop-recording') return report;
      if (call.do === 'recording') return { path: report.path, failure: report.failure };
      if (typed.duration === undefined && report.failure === null) interrupt.abort();
      return {};
    },
    close: () => asked.push('closed'),
  };
  const code = await captureRecord(file, typed, {
    out: (text) => {
      said.out += text;
    },
    err: (text) => {
      said.err += text;
    },
    colour: false,
    pid: 4711,
    signal: interrupt.signal,
    findBridges: async () => [{ protocol: 'x', name: 'x', pid: 1, path: '/sock' }],
    socketPath: (name) => name,
    connect: async () => client as unknown as ControlClient,
  });
  return { code, ...said, asked };
}

test('the bridge is told where and how, and to stop when it is time', async () => {
  const { code, out, err, asked } = await command('/x', { filter: 'dropped', files: '2', fileSize: '1MiB' });
  assert.is(code, 0);
  assert.is(out, '');
  assert.match(err, '7 packets (2.00 KiB) recorded in /x; 2 left out by the filter, 1 not recorded');
  assert.equal(asked, [
    { do: 'record', recording: { path: '/x', filter: 'dropped', ring: { maxBytes: 2 ** 20, files: 2 } } },
    { do: 'stop-recording' },
    'closed',
  ]);
});

test('- is this command’s own standard output, on which nothing else is said', async () => {
  const { out, err, asked } = await command('-', { duration: '1ms', json: true });
  assert.equal(asked[0], { do: 'record', recording: { path: '/proc/4711/fd/1' } });
  assert.is(out, '');
  assert.equal(JSON.parse(err.trim().split('\n').at(-1)!), REPORT);
});

test('a recording that ended early is a failure', async () => {
  const { code, err } = await command('/x', {}, { ...REPORT, failure: 'disk full' });
  assert.is(code, 1);
  assert.match(err, 'the recording ended early: disk full');
});

test('a recording that had ended by itself was waited for until Ctrl-C', async () => {
  const { code, err, asked } = await command('-', {}, { ...REPORT, failure: 'EPIPE: broken pipe' });
  assert.is(code, 1);
  assert.match(err, 'the recording ended early: EPIPE: broken pipe');
  assert.equal(
    asked.map((call) => (call as { do?: string }).do ?? call),
    ['record', 'recording', 'stop-recording', 'closed'],
  );
});

test.run();
