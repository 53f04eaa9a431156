/**
 * `npm run bench:replay -- [--quick] [--out FILE]`
 *
 * How exactly a replay leaves: 100,000 packets in 60 s as they were captured, and twice as fast in two loops, through the
 * fabric; tcpreplay on the same capture beside it (tcpreplay.ts). Ours are the instants just before each write, those of
 * tcpreplay the kernel's stamps behind its interface: a write takes some 2 µs more. Errors are the distance to each
 * packet's instant, counted from the first. A virtual machine that has no processor for a moment sends nothing in it:
 * how long that was is beside the figures.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCapture, openCapture } from '../../src/capture/files/index.js';
import { LINK_ETHERNET } from '../../src/capture/index.js';
import { replayOptions } from '../../src/cli/replay.js';
import { messageOf, Rng } from '../../src/core/index.js';
import { udpFrame } from '../../src/l2/index.js';
import { replay } from '../../src/replay/index.js';
import { isOnPath } from '../fabric/testbed.js';
import { Figures, say } from '../figures.js';
import { quickOrFull } from '../quick-or-full.js';
import { measureTcpreplay } from './tcpreplay.js';

const PACKETS = 100_000;
const SECONDS = 60;
const QUICK_SECONDS = 10;

const values = quickOrFull('npm run bench:replay');

/** Packets of mixed sizes whose distances are drawn from an exponential distribution, as independent senders have it. */
function writeCapture(path: string, packets: number, durationNs: number): void {
  const rng = new Rng('bench/replay');
  const writer = createCapture(path, {
    format: 'pcap-ns',
    epoch: { seconds: 1_700_000_000, nanoseconds: 0 },
  });
  const eth = writer.addInterface({ name: 'eth0', linkType: LINK_ETHERNET });
  const instants = [0];
  for (let i = 1; i < packets; i++) instants.push(instants[i - 1]! - Math.log(1 - rng.float()));
  const scale = durationNs / instants.at(-1)!;
  for (const [i, at] of instants.entries()) {
    const [from, to] = i % 4 === 3 ? [2, 1] : [1, 2];
    const payload = new Uint8Array([18, 180, 600, 1400][i % 4]!);
    new DataView(payload.buffer).setUint32(0, i);
    const bytes = udpFrame(
      {
        srcMac: 0x02_4c_48_00_00_00 + from,
        dstMac: 0x02_4c_48_00_00_00 + to,
        srcIp: 0x0a00_0000 + from,
        dstIp: 0x0a00_0000 + to,
        ipId: i & 0xffff,
      },
      4000,
      5000,
      payload,
    );
    writer.write({ interfaceId: eth, atNs: Math.round(at * scale), bytes, originalBytes: bytes.length });
  }
  writer.close();
}

/** How long this machine's processors were somebody else's since it started, ms of all of them: proc(5), /proc/stat. */
function stolenMs(): number {
  const ticks = readFileSync('/proc/stat', 'utf8').split('\n')[0]!.trim().split(/\s+/)[8] ?? '0';
  return Number(ticks) * 10;
}

const figures = new Figures('replay');
const dir = mkdtempSync(join(tmpdir(), 'longhaul-bench-replay-'));
const seconds = values.quick ? QUICK_SECONDS : SECONDS;
const file = join(dir, 'capture.pcap');
const signal = new AbortController().signal;
try {
  const packets = Math.round((PACKETS * seconds) / SECONDS);
  writeCapture(file, packets, seconds * 1e9);
  for (const [name, typed] of [
    ['replay.pacing', { pace: 'captured' }],
    ['replay.x2loop', { pace: 'x2', loop: '2', uniqueAddresses: true }],
  ] as const) {
    say(`── ${name}: ${packets} packets, ${seconds} s`);
    const before = stolenMs();
    const r = await replay(replayOptions(file, typed, openCapture), { signal, onNote: () => {} });
    const lost = (r.directions['a-b'].lost ?? 0) + (r.directions['b-a'].lost ?? 0);
    figures.add(`${name}.p50_us`, 'µs', [r.pacingErrorNs.p50 / 1e3]);
    figures.add(`${name}.p99_us`, 'µs', [r.pacingErrorNs.p99 / 1e3]);
    figures.add(`${name}.max_us`, 'µs', [r.pacingErrorNs.max / 1e3]);
    figures.add(`${name}.drift_us`, 'µs', [r.driftNs / 1e3]);
    figures.add(`${name}.lost`, 'packets', [lost]);
    figures.add(`${name}.stolen_ms`, 'ms', [stolenMs() - before]);
  }
  const lacking = ['tcpreplay', 'ip'].filter((p) => !isOnPath(p));
  if (lacking.length > 0) figures.skip('tcpreplay', `${lacking.join(' and ')} not on the PATH`);
  else {
    const before = stolenMs();
    await measureTcpreplay(figures, file, packets);
    figures.add('tcpreplay.pacing.stolen_ms', 'ms', [stolenMs() - before]);
  }
} catch (e) {
  figures.skip('replay', messageOf(e));
  process.exitCode = 1;
} finally {
  rmSync(dir, { recursive: true, force: true });
}
figures.finish(values.out);
