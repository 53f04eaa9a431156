import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { type CreateOptions, createCapture, openCapture } from '../../../src/capture/files/index.js';
import type { ReadPacket } from '../../../src/capture/index.js';
import { isLonghaulError } from '../../../src/core/index.js';
import { suite } from '../../suite.js';

const test = suite('capture/files/create-capture');
const EPOCH = { seconds: 1_700_000_000, nanoseconds: 999_999_999 };

async function inDirectory(body: (dir: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'longhaul-capture-'));
  try {
    await body(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

async function readAll(
  path: string,
): Promise<{ packets: ReadPacket[]; epoch: unknown; comments: readonly string[] }> {
  const reader = await openCapture(path);
  const packets: ReadPacket[] = [];
  for await (const batch of reader.batches()) packets.push(...batch);
  return { packets, epoch: reader.epoch, comments: reader.section.comments };
}

test('every format gives back stamps and bytes, as exact as it can hold them', async () => {
  await inDirectory(async (dir) => {
    const path = join(dir, 'x');
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<NonNullable<CreateOptions['format']>>('pcapng', 'pcap-ns', 'pcap-us'),
        fc.array(fc.record({ atNs: fc.nat(9e9), bytes: fc.uint8Array({ maxLength: 120 }) }), {
          minLength: 1,
          maxLength: 9,
        }),
        async (format, sent) => {
          const writer = createCapture(path, { format, epoch: EPOCH });
          const interfaceId = writer.addInterface({ name: 'left' });
          for (const packet of sent) writer.write({ interfaceId, ...packet });
          writer.close();
          assert.is(writer.bytes, statSync(path).size);
          const { packets } = await readAll(path);
          const cut = (ns: number): number => (format === 'pcap-us' ? Math.floor(ns / 1000) * 1000 : ns);
          const base = cut(sent[0]!.atNs + EPOCH.nanoseconds);
          assert.equal(
            packets.map(({ atNs, bytes }) => [atNs, [...bytes]]),
            sent.map(({ atNs, bytes }) => [cut(atNs + EPOCH.nanoseconds) - base, [...bytes]]),
          );
        },
      ),
      { numRuns: 60 },
    );
  });
});

test('a ring of files: each is whole in itself, the oldest go', async () => {
  await inDirectory(async (dir) => {
    const ring = { maxBytes: 65_536, files: 3 };
    const writer = createCapture(join(dir, 'r.pcapng'), { epoch: EPOCH, comments: ['seed 7'], ring });
    writer.addInterface({ name: 'left' });
    writer.addInterface({ name: 'right' });
    const bytes = new Uint8Array(1_000);
    for (let i = 0; i < 400; i++) writer.write({ interfaceId: 1, atNs: i, bytes, packetId: i });
    writer.close([
      { interfaceId: 1, received: 400, droppedByInterface: 0, droppedByFilter: 0, comment: null },
    ]);
    const names = readdirSync(dir).sort();
    assert.equal(names, ['r_00005.pcapng', 'r_00006.pcapng', 'r_00007.pcapng']);
    const ids: (number | null)[] = [];
    for (const name of names) {
      const { packets, comments } = await readAll(join(dir, name));
      assert.equal(comments, ['seed 7']);
      ids.push(...packets.map((p) => p.packetId));
    }
    assert.equal(
      ids,
      Array.from({ length: ids.length }, (_, i) => 400 - ids.length + i),
    );
  });
});

test('a ring by time begins a new file with the first packet after it', async () => {
  await inDirectory(async (dir) => {
    const writer = createCapture(join(dir, 'r.pcap'), {
      format: 'pcap-ns',
      epoch: EPOCH,
      ring: { maxNs: 1e9 },
    });
    for (const atNs of [0, 999_999_999, 1e9, 1.5e9, 3e9])
      writer.write({ interfaceId: 0, atNs, bytes: new Uint8Array(60) });
    writer.close();
    const counts = [];
    for (const name of readdirSync(dir).sort()) counts.push((await readAll(join(dir, name))).packets.length);
    assert.equal(counts, [2, 2, 1]);
  });
});

test('a snap length cuts what is kept and not what is told of its length', async () => {
  await inDirectory(async (dir) => {
    const writer = createCapture(join(dir, 's'), { epoch: EPOCH, snapBytes: 64 });
    const interfaceId = writer.addInterface({ name: 'left' });
    writer.write({ interfaceId, atNs: 0, bytes: new Uint8Array(1_500) });
    writer.close();
    const [packet] = (await readAll(join(dir, 's'))).packets;
    assert.equal([packet!.bytes.length, packet!.originalBytes], [64, 1_500]);
  });
});

test('settings out of range and places that cannot be written are refused before anything is made', () => {
  for (const [path, options, code] of [
    ['/nowhere/x', {}, 'CAPTURE_FILE'],
    ['-', { ring: { maxBytes: 1e6 } }, 'CAPTURE_OPTIONS'],
    ['/nowhere/x', { snapBytes: 10 }, 'CAPTURE_OPTIONS'],
    ['/nowhere/x', { ring: {} }, 'CAPTURE_OPTIONS'],
    ['/nowhere/x', { ring: { maxBytes: 100 } }, 'CAPTURE_OPTIONS'],
    ['/nowhere/x', { ring: { maxNs: 1e9, files: 1 } }, 'CAPTURE_OPTIONS'],
  ] as const) {
    assert.throws(
      () => createCapture(path, { epoch: EPOCH, ...options }),
      (e: unknown) => isLonghaulError(e, code),
    );
  }
});

test.run();
