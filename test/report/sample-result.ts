/** A result as a run writes it, with figures that tests can name. */
import { experimentFrom } from '../../src/lab/config/experiment-file.js';
import type { ClientResult, MigrationResult, PipelineResult, RunResult } from '../../src/lab/result.js';

export function sampleClient(change: Partial<ClientResult> = {}): ClientResult {
  return {
    site: 'a',
    kind: 'service',
    sent: 1500,
    answered: 1500,
    lost: 0,
    duplicated: 0,
    wrong: 0,
    bytesWrong: 0,
    resets: 0,
    longestGapNs: 3_200_000,
    longestGapStartNs: 1_000_000_000,
    rttBeforeP50Ns: 90_000,
    rttAfterP50Ns: 910_000,
    rttCourse: {
      startNs: 1_990_000_000,
      binNs: 100_000_000,
      count: [100, 100, 97, 0, 100],
      minNs: [80_000, 81_000, 82_000, 0, 900_000],
      meanNs: [90_000, 91_000, 95_000, 0, 910_000],
      maxNs: [120_000, 400_000, 3_200_000, 0, 1_000_000],
    },
    ...change,
  };
}

/** Move `index`: even ones go a→b, odd ones back. Its pause is 900 µs + 100 µs an index. */
export function sampleMigration(index: number, change: Partial<MigrationResult> = {}): MigrationResult {
  const there = index % 2 === 0;
  return {
    index,
    from: there ? 'a' : 'b',
    to: there ? 'b' : 'a',
    outcome: 'completed',
    guestAt: there ? 'b' : 'a',
    reason: null,
    mode: 'hybrid',
    startNs: 2_000_000_000 + index * 1_000_000_000,
    totalNs: 345_000_000,
    pauseNs: 900_000 + index * 100_000,
    pauseParts: {
      stopNs: 15_000,
      harvestNs: 130_000,
      saveStateNs: 5_000,
      recordCommitNs: 2_000,
      sendNs: 40_000 + index * 100_000,
      propagateNs: 450_000,
      applyNs: 120_000,
      verifyNs: 60_000,
      recordRunningNs: 3_000,
      startNs: 75_000,
    },
    announceNs: 30_000,
    blockedNs: 0,
    postcopy: null,
    qemu: null,
    pipeline: samplePipeline(),
    rounds: [
      {
        round: 0,
        startNs: 2_000_100_000,
        durationNs: 330_000_000,
        dirtyPages: 65_536,
        pagesSent: 49_152,
        zeroPages: 16_384,
        bytes: 201_500_000,
        throughputBps: 4.88e9,
        dirtyRatePagesPerS: 11_800,
        predictedPauseNs: 4_000_000,
      },
    ],
    pagesSent: 53_000,
    zeroPages: 16_384,
    pagesInPause: 30,
    bytesOnWire: 231_000_000,
    throughputBps: 5.36e9,
    transport: null,
    framesForwarded: 2,
    copiesRunning: 1,
    linkBreaks: 0,
    pagesResent: 0,
    memoryIdentical: true,
    clients: [
      sampleClient({
        kind: 'icmp',
        sent: 150,
        answered: 150,
        longestGapNs: 12_400_000,
        longestGapStartNs: 1_200_000_000,
        rttBeforeP50Ns: there ? 80_000 : 905_000,
        rttAfterP50Ns: there ? 905_000 : 80_000,
      }),
      sampleClient(there ? {} : { rttBeforeP50Ns: 910_000, rttAfterP50Ns: 90_000 }),
      sampleClient(
        there
          ? { site: 'b', rttBeforeP50Ns: 920_000, rttAfterP50Ns: 95_000 }
          : { site: 'b', rttBeforeP50Ns: 95_000, rttAfterP50Ns: 920_000 },
      ),
    ],
    ...change,
  };
}

/** On a fast link: zeros travel as a number, what else was tried did not pay. 4096 · pages = bytes + Σ savedBytes. */
function samplePipeline(): PipelineResult {
  const off = { tried: 0, hits: 0, savedBytes: 0, cpuNs: 0 };
  return {
    codec: 'lz4',
    pages: 69_384,
    bytes: 217_088_000,
    pagesByEncoding: { raw: 53_000, zero: 16_384, same: 0, delta: 0, compressed: 0 },
    zero: { tried: 69_384, hits: 16_384, savedBytes: 67_108_864, cpuNs: 0 },
    dedup: { ...off, tried: 1_800, cpuNs: 900_000 },
    delta: { ...off, tried: 128, cpuNs: 400_000 },
    compress: { ...off, tried: 900, cpuNs: 9_000_000 },
    misses: 0,
    cpuNs: 10_300_000,
    memoryBytes: 34_000_000,
  };
}

export function sampleResult(moves = 1, change: Partial<RunResult> = {}): RunResult {
  const lane = {
    framesIn: 20_000,
    packetsIn: 160_000,
    bytesIn: 235_000_000,
    framesOut: 20_000,
    packetsOut: 160_000,
    bytesOut: 235_000_000,
    drops: {},
    packetsHeld: 0,
    packetsDuplicated: 0,
    packetsCorrupted: 0,
    queuePeakBytes: 900_000,
  };
  const bridge = {
    framesIn: 40_000,
    framesForwarded: 39_998,
    framesFlooded: 12,
    drops: { 'same-port': 2 },
    macMoves: 1,
  };
  return {
    schema: 'longhaul/result/1',
    label: 'measured',
    peer: null,
    startedAt: '2026-01-02T03:04:05.678Z',
    durationNs: 6_000_000_000,
    seed: 7,
    revision: '0.1.0+e3ef308',
    machine: {
      cpu: 'Example CPU',
      cores: 2,
      memoryBytes: 8 * 2 ** 30,
      kernel: '6.18.0',
      arch: 'x64',
      node: 'v20.20.0',
      root: true,
      dirtyLog: 'kernel',
    },
    attach: 'netns',
    profile: 'metro-80km',
    experiment: experimentFrom({ seed: 7, migration: { repeat: moves } }),
    rtt: {
      method: 'raw-socket',
      targetNs: 1_000_000,
      minNs: 842_000,
      p50Ns: 868_000,
      p99Ns: 990_000,
      maxNs: 1_070_000,
      count: 250,
      lost: 0,
    },
    lateness: { p50Ns: 4_000, p99Ns: 38_000, p999Ns: 120_000, maxNs: 900_000, count: 1_234_567 },
    fabric: { closes: true, fiber: { aToB: lane, bToA: lane }, bridges: { a: bridge, b: bridge } },
    migrations: Array.from({ length: moves }, (_, i) => sampleMigration(i)),
    processors: { spanNs: 10e9, cores: 2, ownNs: 12e9, othersNs: 1e9, stolenNs: 0 },
    security: { secure: true, cipher: 'TLS 1.3, AES-256-GCM', durable: 'process', refused: {} },
    memoryPeaks: [
      { process: 'host a', peakBytes: 380 * 2 ** 20, limitBytes: 416 * 2 ** 20 },
      { process: 'fabric', peakBytes: 90 * 2 ** 20, limitBytes: null },
    ],
    notes: [],
    timeline: [{ atNs: 2_000_000_000, where: 'host a', what: 'offered' }],
    ...change,
  };
}
