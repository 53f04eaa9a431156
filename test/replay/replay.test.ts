/** Real replays through a real fabric: small captures, everything accounted for. */

import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { createCapture, openCapture } from '../../src/capture/files/index.js';
import { LINK_ETHERNET } from '../../src/capture/index.js';
import { type ReplayTyped, replayOptions, replayText } from '../../src/cli/replay.js';
import { isLonghaulError } from '../../src/core/index.js';
import { diffCaptures } from '../../src/dissect/index.js';
import { udpFrame } from '../../src/l2/index.js';
import { type ReplayResult, replay } from '../../src/replay/index.js';
import { CAPTURES } from '../captures/expected.js';
import { suite } from '../suite.js';

const test = suite('replay/replay');

const dir = mkdtempSync(join(tmpdir(), 'longhaul-replay-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
const signal = new AbortController().signal;

function run(file: string, typed: ReplayTyped = {}, end: AbortSignal = signal): Promise<ReplayResult> {
  return replay(replayOptions(file, typed, openCapture), { signal: end, onNote: () => {} });
}

/** A capture of two hosts that talk, every third packet the other way. */
function conversation(name: string, packets: number, gapNs: number): string {
  const path = join(dir, name);
  const writer = createCapture(path, { epoch: { seconds: 1000, nanoseconds: 0 } });
  const eth = writer.addInterface({ name: 'eth0', linkType: LINK_ETHERNET });
  for (let k = 0; k < packets; k++) {
    const [from, to] = k % 3 === 2 ? [2, 1] : [1, 2];
    const payload = new Uint8Array(20 + (k % 1400));
    new DataView(payload.buffer).setUint32(0, k);
    const bytes = udpFrame(
      { srcMac: from, dstMac: to, srcIp: 0x0a000000 + from, dstIp: 0x0a000000 + to, ipId: k & 0xffff },
      4000,
      5000,
      payload,
    );
    writer.write({ interfaceId: eth, atNs: k * gapNs, bytes, originalBytes: bytes.length });
  }
  writer.close();
  return path;
}

const LAN = { oneWay: '50us', queue: '64MiB' };

test('as captured without loss: complete, in order, and every frame at least the fiber’s delay under way', async () => {
  const file = conversation('plain.pcapng', 600, 200_000);
  const out = join(dir, 'plain-arrived.pcapng');
  const r = await run(file, { ...LAN, outCapture: out });
  for (const [direction, sent] of [
    ['a-b', 400],
    ['b-a', 200],
  ] as const) {
    const d = r.directions[direction];
    assert.equal(
      [d.sent, d.delivered, d.lost, d.reordered, d.duplicated, d.changed],
      [sent, sent, 0, 0, 0, 0],
    );
    assert.equal(d.lostBy, {});
    assert.ok(d.oneWayNs!.min >= 50_000, `${d.oneWayNs!.min} ns`);
    assert.is(d.oneWayNs!.count, sent);
  }
  assert.is(r.pacingErrorNs.count, 600);
  assert.is(r.durationNs >= 599 * 200_000, true);
  const diff = await diffCaptures(
    () => openCapture(file),
    () => openCapture(out),
    {
      interfaceA: null,
      interfaceB: null,
      listed: 5,
    },
  );
  assert.equal([diff.matched, diff.lost, diff.changed, diff.reordered, diff.added], [600, 0, 0, 0, 0]);
  assert.match(replayText(r), /a-b +400 +400 +0/);
});

test('what the fiber loses is counted, with its reason, and nothing is unexplained', async () => {
  const r = await run(conversation('lossy.pcapng', 3000, 1000), {
    ...LAN,
    loss: '5%',
    pace: '20000pps',
    seed: '3',
  });
  for (const direction of ['a-b', 'b-a'] as const) {
    const d = r.directions[direction];
    assert.ok(d.lost! > 0);
    assert.is(d.sent, d.delivered! + d.lost!);
    assert.equal(d.lostBy, { loss: d.lost });
  }
});

test('loops with addresses of their own, twice as fast: all arrive', async () => {
  const r = await run(conversation('loops.pcapng', 300, 300_000), {
    ...LAN,
    pace: 'x2',
    loop: '3',
    uniqueAddresses: true,
  });
  assert.is(r.packets, 900);
  assert.is(r.directions['a-b'].delivered! + r.directions['b-a'].delivered!, 900);
  assert.is(r.durationNs >= (899 * 300_000) / 2, true);
});

test('top speed and one at a time: what holds them back is not the clock', async () => {
  const file = conversation('top.pcapng', 1000, 1_000_000_000);
  const top = await run(file, { ...LAN, pace: 'top' });
  assert.is(top.directions['a-b'].delivered! + top.directions['b-a'].delivered!, 1000);
  assert.is(top.pacingErrorNs.count, 0);
  const one = await run(conversation('one.pcapng', 50, 1e9), { ...LAN, pace: 'one-at-a-time' });
  assert.is(one.directions['a-b'].delivered! + one.directions['b-a'].delivered!, 50);
  assert.is(one.durationNs >= 49 * 50_000, true, 'each waits for the one before it');
});

test('a recording of our own goes once, not once for each interface that saw it', async () => {
  const r = await run(join(CAPTURES, 'arp-icmp.pcapng'), LAN);
  assert.is(r.packets, 8);
  assert.equal([r.directions['a-b'].delivered, r.directions['b-a'].delivered], [4, 4]);
  assert.equal(r.sides, { a: ['02:4c:48:00:01:01'], b: ['02:4c:48:00:01:02'] });
});

test('out of a NIO-UDP port: one datagram, one frame, at their pace', async () => {
  const socket = createSocket('udp4');
  const got: Buffer[] = [];
  socket.on('message', (m) => got.push(m));
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const to = `nio-udp:127.0.0.1:${socket.address().port}`;
  const r = await run(conversation('nio.pcapng', 30, 1_000_000), { to, from: 'a' });
  assert.equal([r.directions['a-b'].sent, r.otherSide, r.directions['a-b'].delivered], [20, 10, null]);
  while (got.length < 20) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal([...got[0]!.subarray(0, 14)], [0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 1, 8, 0]);
  socket.close();
});

test('a replay that is interrupted ends, with what was sent until then', async () => {
  const stop = new AbortController();
  const running = run(conversation('long.pcapng', 100, 1e9), LAN, stop.signal);
  setTimeout(() => stop.abort(), 1500);
  const r = await running;
  assert.ok(r.directions['a-b'].sent < 100);
});

test('what cannot be is refused before anything is sent', async () => {
  const file = conversation('few.pcapng', 3, 1000);
  const refused = async (typed: ReplayTyped, code: string): Promise<void> => {
    let thrown: unknown;
    await run(file, typed).catch((e) => {
      thrown = e;
    });
    assert.ok(isLonghaulError(thrown, code), `${JSON.stringify(typed)}: ${thrown}`);
  };
  await refused({ loop: '0' }, 'REPLAY_OPTIONS');
  await refused({ mtu: '20' }, 'REPLAY_OPTIONS');
  await refused({ interface: 'eth7' }, 'REPLAY_NOTHING');
  await refused({ to: 'nio-udp:127.0.0.1:9', outCapture: join(dir, 'x') }, 'REPLAY_OPTIONS');
  for (const to of ['nowhere', 'tap:', 'nio-udp:1.2.3.4']) {
    assert.throws(
      () => replayOptions(file, { to }, openCapture),
      (e: unknown) => isLonghaulError(e, 'REPLAY_TARGET'),
    );
  }
});

test.run();
