/** What of a capture becomes which frames, and what is counted of the rest: no fabric, no clock. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { createCapture, openCapture } from '../../src/capture/files/index.js';
import { LINK_ETHERNET } from '../../src/capture/index.js';
import { udpFrame } from '../../src/l2/index.js';
import type { FrameBatch } from '../../src/replay/batch.js';
import { NO_REWRITE } from '../../src/replay/rewrite.js';
import { GivenSides, type SideMap } from '../../src/replay/sides.js';
import { survey, Train, type TrainOptions } from '../../src/replay/train.js';
import { CAPTURES } from '../captures/expected.js';
import { suite } from '../suite.js';

const test = suite('replay/train');

const dir = mkdtempSync(join(tmpdir(), 'longhaul-train-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

interface Made {
  readonly train: Train;
  readonly batches: readonly FrameBatch[];
  /** Of every frame, in order. */
  readonly capturedNs: readonly number[];
}

async function made(
  file: string,
  options: Partial<TrainOptions> = {},
  given: SideMap | null = null,
): Promise<Made> {
  const { interfaceName = null } = options;
  const open = () => openCapture(file);
  const train = new Train(open, await survey(open, interfaceName, given), {
    mtu: 1500,
    rewrite: NO_REWRITE,
    loops: 1,
    interfaceName,
    sendAll: false,
    from: null,
    ...options,
  });
  const batches: FrameBatch[] = [];
  for await (const batch of train.batches()) batches.push(batch);
  return { train, batches, capturedNs: batches.flatMap((b) => [...b.capturedNs.subarray(0, b.count)]) };
}

/** A packet each millisecond from 1 to 2, with 20, 21, 22 … bytes of payload. */
function plain(packets: number, cutTo = Number.POSITIVE_INFINITY): string {
  const path = join(dir, `${packets}-${cutTo}.pcapng`);
  const writer = createCapture(path, { epoch: { seconds: 1000, nanoseconds: 0 } });
  const eth = writer.addInterface({ name: 'eth0', linkType: LINK_ETHERNET });
  for (let k = 0; k < packets; k++) {
    const addresses = { srcMac: 1, dstMac: 2, srcIp: 0x0a000001, dstIp: 0x0a000002, ipId: k };
    const bytes = udpFrame(addresses, 4000, 5000, new Uint8Array(20 + k));
    const kept = bytes.subarray(0, Math.min(cutTo, bytes.length));
    writer.write({ interfaceId: eth, atNs: k * 1_000_000, bytes: kept, originalBytes: bytes.length });
  }
  writer.close();
  return path;
}

test('UDP above the MTU is not sent, and reported', async () => {
  const { train } = await made(plain(60), { mtu: 68 });
  assert.equal(
    [train.counters.aboveMtu, train.counters.frames],
    [39, 21],
    'what has more than 40 bytes is above it',
  );
});

test('a packet that a file calls four gigabytes long was filled up to them', async () => {
  const path = join(dir, 'four-gigabytes.pcapng');
  const writer = createCapture(path, { epoch: { seconds: 1000, nanoseconds: 0 } });
  const interfaceId = writer.addInterface({ name: 'eth0', linkType: LINK_ETHERNET });
  const bytes = udpFrame({ srcMac: 1, dstMac: 2, srcIp: 1, dstIp: 2, ipId: 0 }, 1, 2, new Uint8Array(20));
  for (const originalBytes of [0xffff_ffff, bytes.length])
    writer.write({ interfaceId, atNs: 0, bytes, originalBytes });
  writer.close();
  const { train } = await made(path);
  assert.equal([train.counters.aboveMtu, train.counters.truncated, train.counters.frames], [1, 0, 1]);
});

test('TCP above the MTU is cut, all its segments at its instant', async () => {
  const { train, batches, capturedNs } = await made(join(CAPTURES, 'tcp-loss.pcapng'), { mtu: 576 });
  const { cut, segments, frames, packets, aboveMtu } = train.counters;
  assert.is(aboveMtu, 0);
  assert.ok(cut > 10);
  assert.is(frames, packets - cut + segments);
  assert.is(
    batches.every((b) => b.length.subarray(0, b.count).every((n) => n <= 590)),
    true,
  );
  assert.equal(
    capturedNs,
    [...capturedNs].sort((x, y) => x - y),
  );
});

test('both ends at one site: nothing goes, unless there is one place only', async () => {
  const both = new GivenSides(['10.0.0.0/24']);
  assert.is((await made(plain(5), {}, both)).train.counters.sameSide, 5);
  assert.is((await made(plain(5), { sendAll: true }, both)).train.counters.frames, 5);
  assert.is((await made(plain(5), { sendAll: true, from: 'b' })).train.counters.otherSide, 5);
});

test('a packet cut short weighs what it weighed, and is counted', async () => {
  const { train, batches } = await made(plain(50, 92));
  assert.is(train.counters.truncated, 19);
  assert.is(batches[0]!.length[49], 42 + 69);
});

test('loops go on where the one before would have, one mean gap later', async () => {
  const { train, capturedNs } = await made(plain(4), { loops: 3 });
  assert.is(train.loopPeriodNs, 4_000_000);
  assert.equal(
    capturedNs,
    Array.from({ length: 12 }, (_, i) => i * 1_000_000),
  );
});

test('only the interface that is named; else each packet at its first', async () => {
  const file = join(CAPTURES, 'arp-icmp.pcapng');
  assert.is((await made(file)).train.counters.packets, 8);
  assert.is((await made(file, { interfaceName: 'fiber-b' })).train.counters.packets, 8);
  assert.is((await made(file, { interfaceName: 'eth9' })).train.counters.packets, 0);
});

test.run();
