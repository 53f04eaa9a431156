/**
 * A process of its own, so that its peak of memory is that of reading one capture: `read-file.js FILE [plain]`.
 * Prints one JSON object. `plain` only reads the bytes, in pieces of the same size: what any reader costs at least.
 */
import { CHUNK_BYTES, ChunkSource } from '../../src/capture/files/chunk-source.js';
import { openCapture } from '../../src/capture/files/index.js';
import { nowNs } from '../../src/sys/index.js';

const [path, plain] = process.argv.slice(2);
const startNs = nowNs();
let packets = 0;
let bytes = 0;
let lastNs = 0;
if (plain === undefined) {
  const reader = await openCapture(path!);
  for await (const batch of reader.batches()) {
    for (const packet of batch) {
      packets++;
      bytes += packet.bytes.length;
      lastNs = packet.atNs;
    }
  }
} else {
  const source = await ChunkSource.open(path!);
  const chunk = new Uint8Array(CHUNK_BYTES);
  for (let n = await source.fill(chunk, 0); n > 0; n = await source.fill(chunk, 0)) bytes += n;
  await source.close();
}
const seconds = (nowNs() - startNs) / 1e9;
const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
const cpuSeconds = (userCPUTime + systemCPUTime) / 1e6;
process.stdout.write(
  JSON.stringify({ packets, bytes, lastNs, seconds, cpuSeconds, peakBytes: maxRSS * 1024 }),
);
