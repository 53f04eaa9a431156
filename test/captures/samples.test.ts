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

test('the recorded migration reads as it says: messages in order, all pages, the announcement', async () => {
  const path = join(CAPTURES, 'migration.pcapng');
  assert.fixture(await decodeOf(path), readFileSync(join(CAPTURES, 'migration.txt'), 'utf8'));
  const { migrations, interfaces } = await showCapture(await openCapture(path), () => {});
  assert.equal(
    interfaces.map(({ name }) => name).filter((name) => name.startsWith('fiber')),
    ['fiber-a', 'fiber-b'],
  );
  assert.is(migrations.length, 1);
  const m = migrations[0]!;
  assert.equal(m.unreadable, []);
  assert.is(m.sealed, null);
  assert.is(m.links.length, 3, 'control, pages, demand');
  const said = m.messages.map(({ type }) => type).filter((type) => type !== 'frame' && !/p[io]ng/.test(type));
  const rounds = said.filter((type) => type === 'round-done').length;
  assert.ok(rounds >= 2);
  assert.equal(
    said.filter((type) => type !== 'round-done'),
    ['offer', 'accept', 'arm', 'ready', 'final', 'started', 'complete', 'hashes', 'ended'],
  );
  const first = m.rounds.get(1)!;
  assert.is(
    Object.values(first.pages).reduce((sum, n) => sum + n, 0),
    256,
  );
  const at = (type: string): number => m.messages.find((x) => x.type === type)!.atNs;
  assert.ok(at('final') < m.announcedNs! && m.announcedNs! < at('complete'));
});

test.run();
