import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { openCapture } from '../../src/capture/files/index.js';
import {
  dropReasonOf,
  type InterfaceStatistics,
  type ReadPacket,
  type RecordingReport,
} from '../../src/capture/index.js';
import { frameOf, GSO_TCPV4 } from '../../src/core/index.js';
import type { FabricSnapshot } from '../../src/fabric/index.js';
import type { RecordingOptions } from '../../src/fabric/recording/options.js';
import { numberOfReason } from '../../src/fabric/recording/reasons.js';
import { newRingMemory, RingReader, RingWriter } from '../../src/fabric/recording/record-ring.js';
import { Recorder } from '../../src/fabric/recording/recorder.js';
import type { FiberOptions } from '../../src/fiber/index.js';
import { arpFrame, BROADCAST_MAC, udpFrame } from '../../src/l2/index.js';
import { nowNs } from '../../src/sys/index.js';
import { suite } from '../suite.js';
import { SitePair } from './site-pair.js';

const test = suite('fabric/recording');

const [A, B] = [0x020000000001, 0x020000000002];
const [IP_A, IP_B] = [0x0a000001, 0x0a000002];
const ONE_WAY_NS = 200_000;
const UNLIMITED = { oneWayNs: ONE_WAY_NS, rateBps: Number.POSITIVE_INFINITY } as const;

const fromA = (text = 'hello', ipId = 1): Uint8Array =>
  udpFrame({ srcMac: A, dstMac: B, srcIp: IP_A, dstIp: IP_B, ipId }, 1000, 2000, Buffer.from(text));

interface Row {
  readonly place: string;
  readonly direction: string | null;
  readonly packetId: number | null;
  readonly atNs: number;
  readonly drop: string | null;
  readonly comment: string | null;
  readonly bytes: Uint8Array;
}

interface Recorded {
  readonly rows: Row[];
  readonly statistics: readonly InterfaceStatistics[];
  readonly report: RecordingReport;
}

/** Records what `body` does to two sites, and reads the file. */
async function recorded(
  fiber: FiberOptions,
  body: (sites: SitePair) => void,
  options: Partial<RecordingOptions> & { readonly ringBytes?: number } = {},
): Promise<Recorded> {
  const dir = mkdtempSync(join(tmpdir(), 'longhaul-recording-'));
  const sites = new SitePair(fiber);
  try {
    const { ringBytes, ...rest } = options;
    const memory = newRingMemory(ringBytes);
    const path = join(dir, 'r.pcapng');
    const recorder = new Recorder(
      memory,
      { path, ...rest },
      { seconds: 1_700_000_000, nanoseconds: 0 },
      nowNs(),
    );
    sites.ask({ type: 'record', id: 0, memory, snapBytes: 262_144 });
    body(sites);
    const reply = sites.ask({ type: 'stop-recording', id: 0 });
    const report = recorder.finish(reply.type === 'recorded' ? reply.tallies : null);
    return { report, ...(await rowsOf(path)) };
  } finally {
    sites.close();
    rmSync(dir, { recursive: true });
  }
}

async function rowsOf(path: string): Promise<Omit<Recorded, 'report'>> {
  const reader = await openCapture(path);
  const rows: Row[] = [];
  const toRow = (p: ReadPacket): Row => ({
    place: reader.interfaces[p.interfaceId]!.name,
    direction: p.direction,
    packetId: p.packetId,
    atNs: p.atNs,
    drop: dropReasonOf(p),
    comment: p.comment,
    bytes: p.bytes,
  });
  for await (const batch of reader.batches()) rows.push(...batch.map(toRow));
  return { rows, statistics: reader.statistics };
}

const words = (rows: readonly Row[]): string[] =>
  rows.map(
    ({ place, direction, packetId, drop }) => `${place} ${direction} #${packetId}${drop ? ` ${drop}` : ''}`,
  );

test('a frame has one number at all four places, and the fiber takes exactly its one-way delay', async () => {
  let snapshot: FabricSnapshot | null = null;
  const { rows } = await recorded(UNLIMITED, (sites) => {
    const [a, b] = [sites.station('left', 'a'), sites.station('right', 'b')];
    a.send(fromA());
    snapshot = sites.settle(1);
    assert.is(b.received().length, 1);
  });
  assert.equal(words(rows), ['left in #1', 'fiber-a out #1', 'fiber-b in #1', 'right out #1']);
  for (const { bytes } of rows) assert.equal(Uint8Array.from(bytes), new Uint8Array(fromA()));
  const [left, entered, due, out] = rows.map((r) => r.atNs) as [number, number, number, number];
  assert.is(entered, left);
  assert.is(due - entered, ONE_WAY_NS);
  // The fabric's own account of this one release; its histogram keeps three digits.
  const late = snapshot!.lateness.maxNs;
  assert.ok(Math.abs(out - due - late) <= late / 1_000 + 1, `${out - due} and ${late}`);
});

test('serialisation is in the delay, to the nanosecond', async () => {
  const { rows } = await recorded({ oneWayNs: ONE_WAY_NS, rateBps: 1e9 }, (sites) => {
    const a = sites.station('left', 'a');
    sites.station('right', 'b');
    a.send(fromA('x'.repeat(1_000)));
    sites.settle(1);
  });
  const wireBytes = 14 + 20 + 8 + 1_000 + 4 + 8 + 12;
  assert.is(rows[2]!.atNs - rows[1]!.atNs, ONE_WAY_NS + wireBytes * 8);
});

test('what was dropped is there, with who dropped it and why', async () => {
  const { rows } = await recorded({ ...UNLIMITED, lossProb: 1 }, (sites) => {
    const a = sites.station('left', 'a');
    sites.station('right', 'b');
    a.send(fromA());
    const multicastSource = new Uint8Array(fromA());
    multicastSource[6] = 0x03;
    a.send(multicastSource);
    sites.settle(2);
    sites.ask({ type: 'change-fiber', id: 0, direction: 'both', set: { link: 'down' } });
    a.send(fromA('late', 2));
    sites.settle(3);
  });
  const frames = rows.filter((r) => r.place !== 'events');
  assert.equal(words(frames).sort(), [
    'fiber-a out #1',
    'fiber-a out #3 link-down',
    'fiber-b in #1 loss',
    'left in #1',
    'left in #2 source-multicast',
    'left in #3',
  ]);
  assert.match(frames.find((r) => r.drop === 'loss')!.comment!, 'dropped: loss; the fiber lost it');
  assert.match(rows.find((r) => r.place === 'events')!.comment!, /the fiber changed: .*down/);
});

test('under loss, damage and copies, both ends of the fiber account for every frame', async () => {
  const frames = 200;
  let arrived = 0;
  const { rows } = await recorded(
    { ...UNLIMITED, lossProb: 0.2, duplicateProb: 0.1, corruptProb: 0.1, queueBytes: 4_096 },
    (sites) => {
      const [a, b] = [sites.station('left', 'a'), sites.station('right', 'b')];
      for (let i = 0; i < frames; i++) {
        a.send(i % 5 === 0 ? plain(i) : fromA(`frame ${i}`, i));
        if (i % 50 === 49) sites.settle(i + 1);
      }
      sites.settle(frames);
      arrived = b.received().length;
    },
  );
  const idsAt = (place: string): Set<number | null> =>
    new Set(rows.filter((r) => r.place === place).map((r) => r.packetId));
  const ids = new Set(Array.from({ length: frames }, (_, i) => i + 1));
  for (const place of ['left', 'fiber-a', 'fiber-b'])
    assert.equal([...idsAt(place)].sort(), [...ids].sort(), place);
  const out = rows.filter((r) => r.place === 'right');
  assert.is(out.length, arrived);
  const drops = rows.filter((r) => r.place === 'fiber-b' && r.drop !== null);
  assert.is(rows.filter((r) => r.place === 'fiber-b').length, drops.length + out.length);
  assert.ok(drops.some((r) => r.drop === 'loss') && drops.some((r) => r.drop === 'fcs'));
});

/** A frame that no checksum covers. */
function plain(i: number): Uint8Array {
  const frame = new Uint8Array(60).fill(i);
  frame.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5]);
  return frame;
}

test('a receiver whose queue is gone is a drop at its port', async () => {
  const { rows } = await recorded(UNLIMITED, (sites) => {
    const a = sites.station('left', 'a');
    sites.station('right', 'b');
    sites.hangUp('right');
    for (let i = 0; i < 8; i++) a.send(fromA('x', i));
    sites.settle(8);
  });
  assert.ok(
    rows.some((r) => r.place === 'right' && r.drop === 'gone'),
    words(rows).join('\n'),
  );
});

test('a filter leaves out the rest and counts it', async () => {
  const { rows, report, statistics } = await recorded(
    UNLIMITED,
    (sites) => {
      const a = sites.station('left', 'a');
      sites.station('right', 'b');
      a.send(fromA());
      a.send(
        arpFrame(BROADCAST_MAC, A, {
          operation: 1,
          senderMac: A,
          senderIp: IP_A,
          targetMac: 0,
          targetIp: IP_B,
        }),
      );
      sites.settle(2);
    },
    { filter: 'site b and proto arp' },
  );
  assert.equal(words(rows), ['fiber-b in #2', 'right out #2']);
  assert.is(report.filtered, 6);
  const received = statistics.map((s) => [s.received, s.droppedByFilter]);
  assert.equal(received, [
    [2, 2],
    [2, 1],
    [2, 2],
    [2, 1],
  ]);
});

test('what finds no room is counted in the file, and the fabric carries it all the same', async () => {
  let arrived = 0;
  const { report, statistics, rows } = await recorded(
    UNLIMITED,
    (sites) => {
      const [a, b] = [sites.station('left', 'a'), sites.station('right', 'b')];
      for (let i = 0; i < 100; i++) {
        a.send(fromA('x'.repeat(1_000), i));
        if (i % 20 < 19) continue;
        sites.settle(i + 1);
        arrived += b.received().length;
      }
    },
    { ringBytes: 2 ** 16 },
  );
  assert.is(arrived, 100);
  assert.is(rows.length + report.unrecorded, 400);
  assert.ok(report.unrecorded > 300, `${report.unrecorded}`);
  const missed = statistics.reduce((sum, s) => sum + s.droppedByInterface!, 0);
  assert.is(missed, report.unrecorded);
  assert.match(statistics[0]!.comment!, /\d+ frames were not recorded/);
});

test('records lie in the ring in one piece, wrap around, and come out in the order of their stamps', async () => {
  const memory = newRingMemory(4_096);
  const writer = new RingWriter(memory);
  const reader = new RingReader(memory);
  let expected = 0;
  for (let i = 0; i < 500; i++) {
    const data = new Uint8Array((i * 37) % 900).fill(i);
    assert.ok(writer.frame(3, 1, i, 2 * i, frameOf(data), numberOfReason('loss'), data.length, i));
    const position = reader.scan();
    assert.equal(
      [
        reader.interfaceId(position),
        reader.atNs(position),
        reader.packetId(position),
        reader.unrecorded(position),
      ],
      [3, i, 2 * i, i],
    );
    const { start, length } = reader.frame(position);
    assert.equal(reader.bytes.slice(start, start + length), data);
    expected++;
    reader.free(-1);
    assert.is(reader.scan(), -1);
  }
  assert.is(expected, 500);
});

test('what is stamped out of order is written in order, and what is recent waits', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'longhaul-recording-'));
  try {
    const memory = newRingMemory(2 ** 16);
    const path = join(dir, 'r.pcapng');
    const recorder = new Recorder(memory, { path }, { seconds: 1, nanoseconds: 0 }, 0);
    const writer = new RingWriter(memory);
    writer.text(2, 0, 0, 'left\nsite a: x');
    for (const atNs of [5e6, 3e6, 4e6, 90e6])
      writer.frame(0, 1, atNs, 1, frameOf(new Uint8Array(60)), 0, 60, 0);
    recorder.comment(3.5e6, 'between');
    recorder.drain(250e6);
    writer.frame(0, 1, 60e6, 1, frameOf(new Uint8Array(60)), 0, 60, 0);
    recorder.finish(null);
    const { rows } = await rowsOf(path);
    assert.equal(
      rows.map((r) => r.atNs + 3e6),
      [3e6, 3.5e6, 4e6, 5e6, 60e6, 90e6],
    );
    assert.is(rows[1]!.comment, 'between');
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('--wire: a super-frame is cut into the packets that it stands for, and they have its number', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'longhaul-recording-'));
  try {
    const memory = newRingMemory(2 ** 16);
    const path = join(dir, 'r.pcapng');
    const recorder = new Recorder(memory, { path, wire: true }, { seconds: 1, nanoseconds: 0 }, 0);
    const writer = new RingWriter(memory);
    writer.text(2, 0, 0, 'left\nsite a: x');
    const frame = superFrame(2_500);
    writer.frame(0, 1, 0, 9, frame, 0, frame.length, 0);
    recorder.finish(null);
    const { rows } = await rowsOf(path);
    assert.equal(
      rows.map(({ bytes, packetId }) => [bytes.length, packetId]),
      [
        [1_054, 9],
        [1_054, 9],
        [554, 9],
      ],
    );
    // Sequence numbers go on, and the IP lengths are those of the packets.
    const view = (row: Row): DataView => new DataView(row.bytes.buffer, row.bytes.byteOffset);
    assert.equal(
      rows.map((row) => [view(row).getUint32(38), view(row).getUint16(16)]),
      [
        [100, 1_040],
        [1_100, 1_040],
        [2_100, 540],
      ],
    );
  } finally {
    rmSync(dir, { recursive: true });
  }
});

/** TCP over IPv4 with 1000 bytes a packet. */
function superFrame(payloadBytes: number) {
  const data = new Uint8Array(54 + payloadBytes);
  data.set([0x08, 0x00, 0x45, 0], 12);
  const view = new DataView(data.buffer);
  view.setUint16(16, 40 + payloadBytes);
  data[23] = 6;
  view.setUint32(38, 100);
  data[46] = 0x50;
  const offload = { flags: 1, gsoType: GSO_TCPV4, hdrLen: 54, gsoSize: 1_000, csumStart: 34, csumOffset: 16 };
  return { data, start: 0, length: data.length, offload };
}

test.run();
