/** The real fabric behind a real control socket; guests are UDP sockets. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { openCapture } from '../../../src/capture/files/index.js';
import type { RecordingReport } from '../../../src/capture/index.js';
import { ConfigError, isLonghaulError } from '../../../src/core/index.js';
import { accountingCloses, totalDropped } from '../../../src/fiber/index.js';
import { ControlClient } from '../../../src/lab/bridge/client.js';
import { parseBridge } from '../../../src/lab/bridge/file.js';
import { type BridgeEvent, type RunningBridge, startBridge } from '../../../src/lab/bridge/run.js';
import type { BridgeStatus } from '../../../src/lab/bridge/status.js';
import { suite } from '../../suite.js';
import { UdpGuest } from '../udp-guest.js';

const test = suite('lab/bridge/run');

const dir = mkdtempSync(join(tmpdir(), 'longhaul-bridge-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

const A = 1;
const B = 2;

interface Scene {
  readonly bridge: RunningBridge;
  readonly ctl: ControlClient;
  readonly events: BridgeEvent[];
  readonly a: UdpGuest;
  readonly b: UdpGuest;
  /** Where each sends its frames to. */
  readonly toA: number;
  readonly toB: number;
  status(): Promise<BridgeStatus>;
}

async function scene(keys: string, body: (s: Scene) => Promise<void>): Promise<void> {
  const [a, b] = [await UdpGuest.open(A), await UdpGuest.open(B)];
  const [toA, toB] = [await UdpGuest.freePort(), await UdpGuest.freePort()];
  const events: BridgeEvent[] = [];
  const control = join(dir, 's.sock');
  const text = `${keys}
control: ${control}
ports:
  - {name: one, site: a, nio-udp: {listen: 127.0.0.1:${toA}, peer: 127.0.0.1:${a.port}}}
  - {name: two, site: b, nio-udp: {listen: 127.0.0.1:${toB}, peer: 127.0.0.1:${b.port}}}
`;
  const bridge = await startBridge(parseBridge({ name: 's.yaml', text }), (e) => events.push(e));
  const ctl = await ControlClient.open(control);
  const status = async (): Promise<BridgeStatus> => (await ctl.ask({ do: 'show' })) as BridgeStatus;
  try {
    await body({ bridge, ctl, events, a, b, toA, toB, status });
  } finally {
    ctl.close();
    await bridge.stop();
    a.close();
    b.close();
  }
  assert.not.ok(existsSync(control), 'the socket is gone');
}

/** Lets both bridges learn both addresses, so that what follows is one frame for one. */
async function greet({ a, b, toA, toB }: Scene): Promise<void> {
  a.send(toA, B, 0);
  assert.equal(await b.tags(1), [0]);
  b.send(toB, A, 0);
  assert.equal(await a.tags(1), [0]);
}

test('frames cross, are counted, and the addresses are known on both sides', () =>
  scene('fiber: {one-way: 1ms}', async (s) => {
    await greet(s);
    for (let tag = 1; tag <= 100; tag++) s.a.send(s.toA, B, tag);
    assert.equal(
      await s.b.tags(100),
      Array.from({ length: 100 }, (_, i) => i + 1),
    );
    const status = await s.status();
    assert.equal(
      status.ports.map((p) => [p.name, p.state, p.framesIn, p.framesOut]),
      [
        ['one', 'up', 101, 1],
        ['two', 'up', 1, 101],
      ],
    );
    assert.is(status.lanes.aToB.delivered.frames, 101);
    assert.ok(accountingCloses(status.lanes.aToB) && accountingCloses(status.lanes.bToA));
    assert.ok(status.lateness.count >= 102);
    const macs = (await s.ctl.ask({ do: 'macs' })) as Record<'a' | 'b', { mac: string; port: string }[]>;
    assert.equal(
      macs.a.map((m) => [m.mac, m.port]),
      [
        ['02:00:00:00:00:01', 'one'],
        ['02:00:00:00:00:02', 'stretch'],
      ],
    );
  }));

test('ctl set: a loss of 100 % stops one direction and not the other; 0 % lets it go on', () =>
  scene('seed: 5', async (s) => {
    await greet(s);
    await s.ctl.ask({ do: 'set', direction: 'a-b', lane: { loss: '100%' } });
    for (let tag = 1; tag <= 50; tag++) s.a.send(s.toA, B, tag);
    s.b.send(s.toB, A, 7);
    assert.equal(await s.a.tags(1), [7]);
    let status = await s.status();
    while (totalDropped(status.lanes.aToB).frames < 50) status = await s.status();
    assert.is(status.lanes.aToB.dropped.loss.frames, 50);
    await s.ctl.ask({ do: 'set', direction: 'a-b', lane: { loss: '0' } });
    s.a.send(s.toA, B, 51);
    assert.equal(await s.b.tags(1), [51]);
    assert.ok(accountingCloses((await s.status()).lanes.aToB));
  }));

test('ctl set: the new delay holds for the frames after it, and shows', () =>
  scene('fiber: {one-way: 0s}', async (s) => {
    await greet(s);
    const change = (await s.ctl.ask({
      do: 'set',
      lane: { 'one-way': '150ms', rate: '1Gbit' },
    })) as BridgeStatus;
    assert.match(change.fiberLines[0]!, 'a-b: 150 ms one way, 1.00 Gbit/s');
    const sentMs = performance.now();
    s.a.send(s.toA, B, 1);
    assert.equal(await s.b.tags(1), [1]);
    assert.ok(performance.now() - sentMs >= 149, 'no frame is faster than the fiber');
    const { fiber } = await s.status();
    assert.equal([fiber.spans[0]!.aToB.oneWayNs, fiber.spans[0]!.bToA.rateBps], [150e6, 1e9]);
    assert.ok(s.events.some((e) => e.type === 'changed' && e.text.startsWith('fiber changed: a-b: 150 ms')));
  }));

test('ctl link down stops both directions, up lets both go on', () =>
  scene('', async (s) => {
    await greet(s);
    const down = (await s.ctl.ask({ do: 'set', lane: { link: 'down' } })) as BridgeStatus;
    assert.match(down.warnings.join('\n'), 'the link is down');
    s.a.send(s.toA, B, 1);
    s.b.send(s.toB, A, 2);
    let { lanes } = await s.status();
    while (lanes.aToB.dropped['link-down'].frames + lanes.bToA.dropped['link-down'].frames < 2) {
      ({ lanes } = await s.status());
    }
    await s.ctl.ask({ do: 'set', lane: { link: 'up' } });
    s.a.send(s.toA, B, 3);
    s.b.send(s.toB, A, 4);
    assert.equal(await s.b.tags(1), [3]);
    assert.equal(await s.a.tags(1), [4]);
  }));

test('one span of several is changed by its number; one that is not there is refused', () =>
  scene('fiber: {spans: [{one-way: 1ms}, {one-way: 2ms}]}', async (s) => {
    await s.ctl.ask({ do: 'set', span: 1, direction: 'b-a', lane: { 'one-way': '7ms' } });
    const { fiber } = await s.status();
    assert.equal(
      fiber.spans.map(({ aToB, bToA }) => [aToB.oneWayNs, bToA.oneWayNs]),
      [
        [1e6, 1e6],
        [2e6, 7e6],
      ],
    );
    const e = await s.ctl.ask({ do: 'set', span: 2, lane: { loss: '1%' } }).catch((error: unknown) => error);
    assert.ok(isLonghaulError(e, 'LAB_CONTROL_ABSENT'));
    assert.is((e as ConfigError).message, 'span 2 is none: the fiber has 2');
  }));

test('bad values are refused as in the file, and change nothing', () =>
  scene('', async (s) => {
    const before = (await s.status()).fiberLines;
    for (const [lane, pattern] of [
      [{ loss: '3' }, /loss 3 is outside 0\.\.1 .*; for 3 percent write 3%/],
      [{ rate: '2Tbit' }, /rate 2Tbit is outside/],
      [{ lss: '3%' }, /did you mean loss\?/],
      [{ link: 'sideways' }, /link "sideways" is not one of up, down/],
    ] as const) {
      const e = await s.ctl.ask({ do: 'set', lane }).catch((error: unknown) => error);
      assert.instance(e, ConfigError);
      assert.match((e as ConfigError).line(), pattern);
    }
    assert.equal((await s.status()).fiberLines, before);
  }));

test('ports come and go: added, used, removed; names are told apart', () =>
  scene('fiber: {one-way: 0s}', async (s) => {
    const c = await UdpGuest.open(3);
    const toC = await UdpGuest.freePort();
    const nio = { listen: `127.0.0.1:${toC}`, peer: `127.0.0.1:${c.port}` };
    const port = { name: 'three', site: 'b', 'nio-udp': nio };
    await s.ctl.ask({ do: 'add-port', port });
    c.send(toC, A, 9);
    assert.equal(await s.a.tags(1), [9]);
    const again = await s.ctl.ask({ do: 'add-port', port }).catch((error: unknown) => error);
    assert.ok(isLonghaulError(again, 'LAB_PORT_NAME'));
    const taken = await s.ctl
      .ask({ do: 'add-port', port: { ...port, name: 'four' } })
      .catch((error: unknown) => error);
    assert.ok(isLonghaulError(taken, 'LAB_PORT_OPEN'), String(taken));
    assert.match((taken as Error).message, 'failed with EADDRINUSE');
    await s.ctl.ask({ do: 'remove-port', name: 'three' });
    assert.equal(
      (await s.status()).ports.map((p) => [p.name, p.state]),
      [
        ['one', 'up'],
        ['two', 'up'],
        ['three', 'removed'],
      ],
    );
    const absent = await s.ctl.ask({ do: 'remove-port', name: 'three' }).catch((error: unknown) => error);
    assert.is(
      (absent as ConfigError).line(),
      'LAB_CONTROL_ABSENT: there is no port three; the ports are one, two',
    );
    await s.ctl.ask({ do: 'add-port', port });
    c.send(toC, A, 10);
    assert.equal(await s.a.tags(1), [10]);
    const { ports } = await s.status();
    assert.is(ports.find((p) => p.name === 'three')!.framesIn, 2, 'a name goes on counting');
    c.close();
  }));

test('a second bridge of the same socket is refused, and the first goes on', () =>
  scene('', async (s) => {
    const plan = { ...s.bridge.plan, ports: [] };
    const e = await startBridge(plan, () => {}).catch((error: unknown) => error);
    assert.ok(isLonghaulError(e, 'LAB_BRIDGE_RUNS'), String(e));
    assert.is((await s.status()).name, 's');
  }));

test('a bridge that cannot start leaves nothing', async () => {
  const control = join(dir, 'half.sock');
  const port = await UdpGuest.freePort();
  const text = `
control: ${control}
ports:
  - {name: one, site: a, nio-udp: {listen: 127.0.0.1:${port}, peer: 127.0.0.1:9}}
  - {name: two, site: b, nio-udp: {listen: 127.0.0.1:${port}, peer: 127.0.0.1:9}}
`;
  const e = await startBridge(parseBridge({ name: 'half.yaml', text }), () => {}).catch(
    (error: unknown) => error,
  );
  assert.ok(isLonghaulError(e, 'LAB_PORT_OPEN'), String(e));
  assert.not.ok(existsSync(control));
  const guest = await UdpGuest.open(1);
  guest.close();
});

test('what an engineer should know is said at the start', () =>
  scene('fiber: {one-way: 50ms, rate: 10Gbit, queue: 64KiB}', async (s) => {
    const warnings = s.events.filter((e) => e.type === 'warning').map((e) => e.text);
    assert.match(
      warnings.join('\n'),
      'a-b: a queue of 64.0 KiB is below the bandwidth-delay product of 119 MiB',
    );
  }));

test('metrics are of the running fabric', () =>
  scene('metrics: 127.0.0.1:0', async (s) => {
    await greet(s);
    const text = await (await fetch(s.bridge.metrics!)).text();
    assert.match(text, 'longhaul_port_frames_total{port="one",direction="in"} 1\n');
    assert.match(text, 'longhaul_mac_table_entries{site="b"} 2\n');
    assert.match(text, /process_resident_memory_bytes \d+/);
  }));

test('a running bridge is recorded on request: one recording at a time, and what it did not understand left no trace', () =>
  scene('seed: 5', async (s) => {
    const path = join(dir, 'asked.pcapng');
    for (const [recording, code] of [
      [{ path, filter: 'sight a' }, 'CAPTURE_FILTER'],
      [{ path: 'relative' }, 'LAB_CONTROL_FIELD'],
      [{ path: '/nowhere/x' }, 'CAPTURE_FILE'],
      [{ path, wire: true, snapBytes: 64 }, 'CAPTURE_OPTIONS'],
    ] as const) {
      const refused = await s.ctl.ask({ do: 'record', recording }).catch((e: unknown) => e);
      assert.ok(isLonghaulError(refused, code), String(refused));
    }
    assert.not.ok(existsSync(path));
    await s.ctl.ask({ do: 'record', recording: { path, filter: 'port fiber-b' } });
    const second = await s.ctl
      .ask({ do: 'record', recording: { path: `${path}2` } })
      .catch((e: unknown) => e);
    assert.ok(isLonghaulError(second, 'FABRIC_RECORDING'), String(second));
    await greet(s);
    await s.ctl.ask({ do: 'set', direction: 'a-b', lane: { loss: '1%' } });
    const report = (await s.ctl.ask({ do: 'stop-recording' })) as RecordingReport;
    // Two frames and the change of the fiber; the others are at places that the filter leaves out.
    assert.equal([report.packets, report.filtered, report.unrecorded, report.failure], [3, 6, 0, null]);
    const reader = await openCapture(path);
    const comments: (string | null)[] = [];
    for await (const batch of reader.batches()) comments.push(...batch.map((p) => p.comment));
    assert.match(reader.section.comments[0]!, 'longhaul bridge s, seed 5');
    assert.match(comments.at(-1)!, /the fiber changed: .*loss 1%/);
    const none = await s.ctl.ask({ do: 'stop-recording' }).catch((e: unknown) => e);
    assert.ok(isLonghaulError(none, 'LAB_CONTROL_ABSENT'), String(none));
  }));

test.run();
