/**
 * `npm run bench:capture -- [--quick] [--dir DIR] [--out FILE]`
 *
 * How fast captures are read, and in how much memory: 1 GB of 1,200-byte packets, classic and pcapng, each in a
 * process of its own, beside reading the bytes alone. The file lies in the page cache: the disk is not measured.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createCapture } from '../../src/capture/files/index.js';
import { Rng } from '../../src/core/index.js';
import { Figures, say } from '../figures.js';

const READER = fileURLToPath(new URL('./read-file.js', import.meta.url));
const PACKET_BYTES = 1_200;
const GAP_NS = 1_000;

interface Reading {
  readonly packets: number;
  readonly bytes: number;
  readonly lastNs: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakBytes: number;
}

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    dir: { type: 'string', default: tmpdir() },
    out: { type: 'string' },
  },
});
const fileBytes = values.quick ? 1e8 : 1e9;
const turns = values.quick ? 3 : 5;
const dir = mkdtempSync(join(values.dir, 'longhaul-bench-'));
const figures = new Figures('capture');
try {
  for (const [name, format] of [
    ['capture.read', 'pcap-ns'],
    ['capture.readPcapng', 'pcapng'],
  ] as const) {
    const path = join(dir, 'x');
    const packets = write(path, format);
    const size = statSync(path).size;
    say(`${format}: ${packets} packets, ${size} bytes`);
    const readings: Reading[] = [];
    const plain: Reading[] = [];
    for (let turn = 0; turn < turns; turn++) {
      plain.push(read(path, 'plain'));
      const reading = read(path);
      // A reader that loses a packet, or its time, is not measured but wrong.
      if (reading.packets !== packets || reading.lastNs !== (packets - 1) * GAP_NS)
        throw new Error(JSON.stringify(reading));
      readings.push(reading);
    }
    figures.add(
      `${name}.mbps`,
      'MB/s',
      readings.map((r) => size / r.seconds / 1e6),
    );
    figures.add(
      `${name}.plainMbps`,
      'MB/s',
      plain.map((r) => size / r.seconds / 1e6),
    );
    figures.add(
      `${name}.cpu`,
      'cores',
      readings.map((r) => r.cpuSeconds / r.seconds),
    );
    figures.add(
      `${name}.peakMiB`,
      'MiB',
      readings.map((r) => r.peakBytes / 2 ** 20),
    );
  }
} finally {
  rmSync(dir, { recursive: true });
}
figures.finish(values.out);

/** @returns how many packets it has */
function write(path: string, format: 'pcapng' | 'pcap-ns'): number {
  const bytes = new Uint8Array(PACKET_BYTES);
  new Rng('bench/capture').fill(bytes);
  const writer = createCapture(path, { format, epoch: { seconds: 1_700_000_000, nanoseconds: 0 } });
  const interfaceId = writer.addInterface({ name: 'left', description: 'site a: client port, tap' });
  const packets = Math.floor(fileBytes / (PACKET_BYTES + 16));
  for (let i = 0; i < packets; i++) {
    writer.write({ interfaceId, atNs: i * GAP_NS, bytes, direction: 'in', packetId: i });
  }
  writer.close();
  return packets;
}

function read(path: string, ...more: string[]): Reading {
  return JSON.parse(execFileSync(process.execPath, [READER, path, ...more], { encoding: 'utf8' }));
}
