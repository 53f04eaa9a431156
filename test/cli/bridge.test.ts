import * as assert from 'uvu/assert';
import { type BridgeTyped, bridge, intervalOf } from '../../src/cli/bridge.js';
import { macLines, periodicLine, portLines, statusLines } from '../../src/cli/bridge-text.js';
import { isLonghaulError } from '../../src/core/index.js';
import { parseBridge } from '../../src/lab/bridge/file.js';
import type { BridgeEvent, RunningBridge } from '../../src/lab/bridge/run.js';
import { paint } from '../../src/report/index.js';
import { sampleStatus } from '../lab/bridge/sample-status.js';
import { suite } from '../suite.js';
import { fakeStream } from './fake-stream.js';

const test = suite('cli/bridge');

const plan = parseBridge({ name: 'two.yaml', text: '' });

interface Told {
  readonly code: number;
  readonly out: string;
  readonly stopped: number;
}

/** Runs the command on a bridge that only says what it is told to, and ends it after `body`. */
async function go(
  typed: BridgeTyped,
  body: (tell: (event: BridgeEvent) => void, end: () => void) => Promise<void>,
  tty = false,
): Promise<Told> {
  const { stream, text } = fakeStream(tty);
  const end = new AbortController();
  let stopped = 0;
  let asked = 0;
  const running = {
    plan,
    control: '/run/two.sock',
    metrics: 'http://127.0.0.1:9464/metrics',
    enterCommands: new Map([['left', 'nsenter --net=/run/netns/left']]),
    status: async () => sampleStatus({ uptimeNs: ++asked * 1e9 }),
    stop: async () => {
      stopped++;
    },
  } as unknown as RunningBridge;
  let tell: (event: BridgeEvent) => void = () => {};
  const code = bridge(plan, typed, {
    stdout: stream,
    env: {},
    signal: end.signal,
    startBridge: async (_, onEvent) => {
      tell = onEvent;
      onEvent({ type: 'warning', text: 'a queue is small' });
      return running;
    },
  });
  await new Promise((resolve) => setTimeout(resolve, 10));
  await body(tell, () => end.abort());
  end.abort();
  return { code: await code, out: text(), stopped };
}

test('start lines say where everything is; the end takes all away and is no failure', async () => {
  const { code, out, stopped } = await go({}, async () => {});
  assert.is(code, 0);
  assert.is(stopped, 1);
  assert.is(
    out,
    `warning: a queue is small
bridge two runs; Ctrl-C ends it
  control  /run/two.sock (longhaul ctl show)
  metrics  http://127.0.0.1:9464/metrics
  inside left: nsenter --net=/run/netns/left COMMAND
everything that was made has been removed
`,
  );
});

test('without a terminal there are no counters unless an interval is given', async () => {
  const { out } = await go({ interval: '100ms' }, () => new Promise((resolve) => setTimeout(resolve, 350)));
  assert.match(
    out,
    /\n2 s {2}a-b 0 bit\/s 0 frames\/s queue 1\.50 KiB dropped 0 {2}b-a .* late p99 9\.00 µs\n/,
  );
  assert.not.match(out, '\x1b');
});

test('on a terminal the picture is drawn, and what happens stays above it', async () => {
  const { out } = await go(
    { interval: '100ms' },
    async (tell) => {
      await new Promise((resolve) => setTimeout(resolve, 250));
      tell({ type: 'port-gone', text: 'port right has vanished' });
    },
    true,
  );
  assert.match(out, /left +a +tap lh-left in left/);
  assert.match(out, '\x1b[J\x1b[33mport right has vanished');
});

test('quiet: only what went wrong', async () => {
  const { out } = await go({ quiet: true, interval: '100ms' }, async (tell) => {
    tell({ type: 'note', text: 'a note' });
    tell({ type: 'changed', text: 'a change' });
    tell({ type: 'port-gone', text: 'port right has vanished' });
    await new Promise((resolve) => setTimeout(resolve, 150));
  });
  assert.is(out, 'warning: a queue is small\nport right has vanished\n');
});

test('a fabric that fails ends the command with 1, and all is taken away', async () => {
  const { code, out, stopped } = await go({}, async (tell) =>
    tell({ type: 'failed', text: 'the fabric has ended: boom' }),
  );
  assert.is(code, 1);
  assert.is(stopped, 1);
  assert.match(out, 'the fabric has ended: boom\n');
});

test('an interval is a time within bounds', () => {
  assert.is(intervalOf({}), null);
  assert.is(intervalOf({ interval: '2s' }), 2e9);
  for (const interval of ['5', '1ms', '2h']) {
    try {
      intervalOf({ interval });
      assert.unreachable(interval);
    } catch (e) {
      assert.ok(isLonghaulError(e), String(e));
      assert.match((e as Error).message, /^--interval .*100ms\.\.1h/);
    }
  }
});

test('the picture: ports, fiber, lateness, bridges, what is wrong', () => {
  const text = statusLines(sampleStatus({ warnings: ['a queue is small'] }), null, paint(false)).join('\n');
  assert.match(text, /^sample {2}up 10 s {2}seed 1\n/);
  assert.match(text, /left +a +tap lh-left in left +10 +9 +800 bit\/s +720 bit\/s +0\n/);
  assert.match(text, /right +b +interface eth1 +4 +3 .* 3 \(2 busy, 1 gone\) +gone\n/);
  assert.match(text, /a-b +3\.20 kbit\/s +1\.50 KiB +2 +4 +3 \(3 loss\) +400 µs one way, 10\.0 Gbit\/s/);
  assert.match(text, /released late {2}p50 1\.00 µs, p99 9\.00 µs, at most 20\.0 µs/);
  assert.match(text, /bridge a +2 addresses, 0 moves, 2 flooded, dropped 1 \(1 runt\)/);
  assert.match(text, 'port right has vanished');
  assert.match(text, 'a queue is small');
});

test('rates are those since the status before', () => {
  const before = sampleStatus();
  const ports = before.ports.map((port) => ({ ...port, bytesIn: port.bytesIn + 1000 }));
  const now = sampleStatus({ uptimeNs: 11e9, ports });
  assert.match(statusLines(now, before, paint(false)).join('\n'), /left .* 8\.00 kbit\/s +0 bit\/s/);
  assert.match(periodicLine(now, before), /^11 s {2}a-b 0 bit\/s 0 frames\/s/);
});

test('ports and addresses as lists', () => {
  assert.match(portLines(sampleStatus().ports)[1]!, /left +a +tap lh-left in left +10 +9 +0$/);
  assert.equal(portLines([]), ['  no ports']);
  assert.equal(macLines({ a: [{ vid: 0, mac: '02:00:00:00:00:01', port: 'one', ageNs: 5e6 }], b: [] }), [
    'site  address            port  heard before',
    'a     02:00:00:00:00:01  one        5.00 ms',
  ]);
  assert.equal(
    macLines({ a: [], b: [{ vid: 10, mac: '02:00:00:00:00:01', port: 'one', ageNs: 5e6 }] })[1],
    'b       10  02:00:00:00:00:01  one        5.00 ms',
  );
  assert.equal(macLines({ a: [], b: [] }), ['no address has been heard yet']);
});

test.run();
