/** The sample captures: made anew they are the same bytes, and say what stands beside them. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { openCapture } from '../../src/capture/files/index.js';
import { showCapture } from '../../src/dissect/index.js';
import { suite } from '../suite.js';
import { CAPTURES, decodeOf } from './expected.js';
import { SCENES, writeScene } from './scenes.js';

const test = suite('captures/samples');
const dir = mkdtempSync(join(tmpdir(), 'longhaul-samples-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

for (const scene of SCENES) {
  test(`${scene.name}: made anew it is the same, and reads as it says`, async () => {
    const path = join(dir, `${scene.name}.pcapng`);
    writeScene(scene, path);
    const committed = join(CAPTURES, `${scene.name}.pcapng`);
    assert.ok(readFileSync(path).equals(readFileSync(committed)), 'run node dist/test/captures/generate.js');
    assert.fixture(await decodeOf(committed), readFileSync(join(CAPTURES, `${scene.name}.txt`), 'utf8'));
  });
}

test('a frame takes 400 µs and its serialisation from one end of the fiber to the other', async () => {
  const lines: { id: number; name: string; atNs: number }[] = [];
  await showCapture(await openCapture(join(CAPTURES, 'arp-icmp.pcapng')), (l) => {
    if (l.packetId !== null) lines.push({ id: l.packetId, name: l.interfaceName, atNs: l.atNs });
  });
  const at = (id: number, name: string): number => lines.find((l) => l.id === id && l.name === name)!.atNs;
  // 60 bytes of ARP, with preamble, FCS and gap 84: 67.2 ns at 10 Gbit/s
  // a fraction of a nanosecond is never early.
  assert.is(at(1, 'fiber-b') - at(1, 'fiber-a'), 400_068);
});

test('the lost segments of the transfer are in the capture, with their reason, and came a second time', async () => {
  const dropped: string[] = [];
  await showCapture(await openCapture(join(CAPTURES, 'tcp-loss.pcapng')), (l) => {
    if (l.dropped !== null) dropped.push(`${l.interfaceName} ${l.dropped} ${/seq \d+/.exec(l.text)![0]}`);
  });
  assert.equal(dropped, ['fiber-b loss seq 9345', 'fiber-b loss seq 16585']);
});

test('the migration is read whole: messages in order, pages of each round, the announcement', async () => {
  const { migrations } = await showCapture(await openCapture(join(CAPTURES, 'migration.pcapng')), () => {});
  assert.is(migrations.length, 1);
  const m = migrations[0]!;
  assert.is(m.id, '5eed00000000000000000000000000a1');
  assert.equal(
    m.messages.map(({ type, from }) => `${from[0]} ${type}`),
    [
      's offer',
      'd accept',
      's ping',
      'd pong',
      'd round-done',
      's arm',
      'd ready',
      'd round-done',
      's final',
      'd started',
      'd hashes',
      's ended',
    ],
  );
  assert.equal(
    [...m.rounds.values()].map((r) => [r.round, r.pages, r.zeroPages, r.ends]),
    [
      [1, 3, 5, 1],
      [2, 1, 0, 1],
      [3, 1, 0, 1],
    ],
  );
  assert.is(m.announcedNs, 16_800_000);
  assert.equal(m.unreadable, []);
  assert.is(m.times?.startedNs, 16_790_000);
});

test.run();
