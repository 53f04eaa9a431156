import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { openCapture } from '../../../src/capture/files/index.js';
import { isLonghaulError } from '../../../src/core/index.js';
import { suite } from '../../suite.js';
import { sampleLines } from '../read-sample.js';
import { BROKEN, FORMATS } from '../sample-captures.js';

const test = suite('capture/files/open-capture');
const CAPTURES = fileURLToPath(new URL('../../../../captures/', import.meta.url));

async function inDirectory(body: (dir: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'longhaul-capture-'));
  try {
    await body(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

for (const [folder, samples] of [
  ['formats', FORMATS],
  ['broken', BROKEN],
] as const) {
  test(`captures/${folder} are what their generator makes, and read as their texts say`, async () => {
    for (const [name, bytes] of samples) {
      const path = join(CAPTURES, folder, name);
      assert.ok(readFileSync(path).equals(bytes), `${name}: run dist/test/capture/write-samples.js`);
      const wanted = readFileSync(path.replace(/\.pcap(ng)?$/, '.txt'), 'utf8');
      assert.is(`${(await sampleLines(path, name)).join('\n')}\n`, wanted, name);
    }
  });
}

test('unless it is tolerant, damage is thrown after what came before it', async () => {
  for (const [name, packetsBefore] of [
    ['truncated-packet.pcap', 2],
    ['beyond-snap-length.pcap', 1],
    ['truncated-block.pcapng', 6],
    ['unknown-interface.pcapng', 1],
  ] as const) {
    const reader = await openCapture(join(CAPTURES, 'broken', name));
    let packets = 0;
    try {
      for await (const batch of reader.batches()) packets += batch.length;
      assert.unreachable(name);
    } catch (e) {
      assert.ok(isLonghaulError(e) && e.code.startsWith('CAPTURE_'), String(e));
      assert.is(e.details.offset, reader.damage!.offset);
      assert.match(e.hint ?? '', '--tolerant');
    }
    assert.is(packets, packetsBefore, name);
  }
});

test('a file that is not there, and a directory', async () => {
  for (const path of ['/nowhere/x.pcap', tmpdir()]) {
    const error = await openCapture(path).catch((e: unknown) => e);
    assert.ok(isLonghaulError(error, 'CAPTURE_FILE'), String(error));
  }
});

test('any bytes behind a good beginning end quietly or with their place, in bounded time', async () => {
  await inDirectory(async (dir) => {
    const path = join(dir, 'x.pcap');
    const heads = [...FORMATS.values()].map((file) => file.subarray(0, 24));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...heads), fc.uint8Array({ maxLength: 300 }), async (head, rest) => {
        writeFileSync(path, Buffer.concat([head, rest]));
        const lines = await sampleLines(path, 'x');
        assert.ok(lines.length <= 2 + rest.length);
      }),
      { numRuns: 150 },
    );
  });
});

test('a capture of many chunks is read whole, each packet where it lies, whatever straddles a chunk', async () => {
  await inDirectory(async (dir) => {
    for (const name of ['nanoseconds.pcap', 'two-interfaces.pcapng']) {
      const sample = FORMATS.get(name)!;
      // All but what stands before the first packet, over and over: 5 MiB that no chunk divides.
      const head = name.endsWith('ng') ? 208 : 24;
      const body = sample.subarray(head);
      const times = Math.ceil((5 * 2 ** 20) / body.length);
      const path = join(dir, name);
      writeFileSync(path, Buffer.concat([sample.subarray(0, head), ...new Array(times).fill(body)]));
      const once: string[] = [];
      const first = await openCapture(join(CAPTURES, 'formats', name));
      for await (const batch of first.batches())
        once.push(...batch.map((p) => Buffer.from(p.bytes).toString('hex')));
      const reader = await openCapture(path);
      let packets = 0;
      let batches = 0;
      for await (const batch of reader.batches()) {
        batches++;
        for (const packet of batch) {
          const k = packets++ % once.length;
          if (Buffer.from(packet.bytes).toString('hex') !== once[k])
            assert.unreachable(`${name}: packet ${packets}`);
        }
      }
      assert.is(packets, once.length * times);
      assert.ok(batches >= 5, `${batches} batches`);
      assert.is(reader.damage, null);
    }
  });
});

test('whoever has seen enough after the first packets leaves no file open', async () => {
  const path = join(CAPTURES, 'arp-icmp.pcapng');
  const before = readdirSync('/proc/self/fd').length;
  for await (const batch of (await openCapture(path)).batches()) if (batch.length > 0) break;
  assert.is(readdirSync('/proc/self/fd').length, before);
});

test.run();
