import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { createCapture, openCapture } from '../../src/capture/files/index.js';
import { LINK_ETHERNET } from '../../src/capture/index.js';
import { diffText } from '../../src/cli/capture-diff.js';
import { type CaptureDiff, diffCaptures } from '../../src/dissect/index.js';
import { udpFrame } from '../../src/l2/index.js';
import { suite } from '../suite.js';

const test = suite('dissect/diff');

const dir = mkdtempSync(join(tmpdir(), 'longhaul-diff-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

interface Packet {
  readonly atNs: number;
  readonly bytes: Uint8Array;
  readonly packetId?: number;
  readonly interfaceId?: number;
}

let files = 0;

function written(packets: readonly Packet[], seconds = 1000): string {
  const path = join(dir, `${files++}.pcapng`);
  const writer = createCapture(path, { epoch: { seconds, nanoseconds: 0 } });
  for (const name of ['near', 'far']) writer.addInterface({ name, linkType: LINK_ETHERNET });
  for (const p of packets) writer.write({ interfaceId: 0, originalBytes: p.bytes.length, ...p });
  writer.close();
  return path;
}

const numbered = (n: number, from = 1, to = 2): Uint8Array =>
  udpFrame(
    { srcMac: from, dstMac: to, srcIp: 0x0a000000 + from, dstIp: 0x0a000000 + to, ipId: n },
    4000,
    5000,
    Uint8Array.of(n, n, n),
  );

const compare = (
  a: string,
  b: string,
  interfaceA: string | null = null,
  interfaceB: string | null = null,
): Promise<CaptureDiff> =>
  diffCaptures(
    () => openCapture(a),
    () => openCapture(b),
    { interfaceA, interfaceB, listed: 10 },
  );

const kinds = (d: CaptureDiff): string[] =>
  d.differences.map((x) => `${x.kind} ${x.numberA ?? '-'} ${x.numberB ?? '-'}`);

test('the same packets later: nothing differs, and the delay is exact', async () => {
  const a = written([0, 1, 2].map((n) => ({ atNs: n * 1000, bytes: numbered(n) })));
  const b = written([0, 1, 2].map((n) => ({ atNs: n * 1000 + 400_068, bytes: numbered(n) })));
  const d = await compare(a, b);
  assert.is(d.matched, 3);
  assert.equal(kinds(d), []);
  assert.is(d.delayNs.min, 400_068);
  assert.is(d.delayFloorNs, 0);
});

test('epochs of the two files count: an hour and a millisecond apart is what it is', async () => {
  const a = written([{ atNs: 0, bytes: numbered(1) }], 1000);
  const b = written([{ atNs: 1_000_000, bytes: numbered(1) }], 1030);
  const d = await compare(a, b);
  assert.is(d.delayNs.min, 30_001_000_000);
});

test('lost, added, duplicated, reordered: each by its number in its file', async () => {
  const a = written([1, 2, 3, 4].map((n) => ({ atNs: n, bytes: numbered(n) })));
  const b = written([1, 3, 2, 2, 9].map((n, i) => ({ atNs: 100 + i, bytes: numbered(n) })));
  const d = await compare(a, b);
  assert.equal(kinds(d).sort(), ['added - 5', 'duplicated - 4', 'lost 4 -', 'reordered 2 3']);
  assert.is(d.matched, 3);
  assert.match(diffText(d), /lost 1, added 1, duplicated 1, reordered 1, changed 0/);
});

test('two directions that interleave otherwise are not reordered', async () => {
  const a = written(
    [numbered(1, 1, 2), numbered(2, 2, 1), numbered(3, 1, 2)].map((bytes, i) => ({ atNs: i, bytes })),
  );
  const b = written(
    [numbered(2, 2, 1), numbered(1, 1, 2), numbered(3, 1, 2)].map((bytes, i) => ({ atNs: i, bytes })),
  );
  assert.is((await compare(a, b)).reordered, 0);
});

test('what a path rewrites is found again and named; a changed payload too', async () => {
  const routed = new Uint8Array(numbered(1));
  routed[0] = 9; // another MAC
  routed[22] = 63; // TTL
  routed[24] = routed[24]! + 1; // and its checksum
  const damaged = new Uint8Array(numbered(2));
  damaged[43] = damaged[43]! ^ 1;
  const a = written([1, 2].map((n) => ({ atNs: n, bytes: numbered(n) })));
  const b = written([routed, damaged].map((bytes, i) => ({ atNs: 10 + i, bytes })));
  const d = await compare(a, b);
  assert.is(d.lost + d.added, 0);
  assert.equal(
    d.differences.map((x) => x.changed),
    [['mac', 'ttl', 'checks'], ['payload']],
  );
  assert.equal(d.changedParts, { mac: 1, ttl: 1, checks: 1, payload: 1 });
});

test('equal packets are told apart by their ids, where there are any', async () => {
  const bytes = numbered(5);
  const ids = [11, 12, 13];
  const near = ids.map((packetId, i) => ({ atNs: i * 10, bytes, packetId, interfaceId: 0 }));
  const far = [13, 11].map((packetId, i) => ({ atNs: 100 + i, bytes, packetId, interfaceId: 1 }));
  const path = written([...near, ...far]);
  const d = await compare(path, path, 'near', 'far');
  assert.is(d.matchedBy, 'packet id');
  assert.equal(kinds(d).sort(), ['lost 2 -', 'reordered 1 5']);
  assert.is(d.delayNs.min, 80);
});

test('one recording, two interfaces: each way has its delay', async () => {
  const at = (atNs: number, packetId: number, interfaceId: number): Packet => ({
    atNs,
    bytes: numbered(packetId),
    packetId,
    interfaceId,
  });
  const path = written([at(0, 1, 0), at(100, 2, 1), at(400, 1, 1), at(530, 2, 0)]);
  const d = await compare(path, path, 'near', 'far');
  assert.equal([d.delayNs.count, d.delayNs.min, d.delayBackNs.count, d.delayBackNs.min], [1, 400, 1, 430]);
  assert.is(d.delayFloorNs, 0);
});

test('clocks that differ: the delay counts from the smallest', async () => {
  const a = written(
    [0, 1].map((n) => ({ atNs: n * 1000, bytes: numbered(n) })),
    5000,
  );
  const b = written(
    [0, 1].map((n) => ({ atNs: n * 1500, bytes: numbered(n) })),
    2000,
  );
  const d = await compare(a, b);
  assert.is(d.delayFloorNs, -3000e9);
  assert.is(d.delayNs.min, 0);
  assert.is(d.delayNs.max, 500);
});

test.run();
