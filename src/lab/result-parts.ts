/** The parts of a result, from what hosts, clients and the fabric reported. Pure. */
import type { FabricSnapshot } from '../fabric/index.js';
import { accountingCloses, DROP_REASONS, type LaneCounters } from '../fiber/index.js';
import type { SessionSnapshot } from '../guest/index.js';
import type { MigrationOrders, MissingFigures, SourceReport } from '../host/index.js';
import { type MigrationMode, pausePartsOf } from '../vmotion-protocol/index.js';
import type { ProbeResult } from './client/protocol.js';
import { type Experiment, MODES, type Site } from './config/experiment.js';
import { pipelineResult } from './pipeline-result.js';
import type {
  BridgeAccount,
  ClientResult,
  FabricResult,
  LaneAccount,
  MigrationResult,
  RttResult,
  SessionKind,
} from './result.js';

/** The 2009 experiment asked for a round trip just under 1 ms. */
const RTT_TARGET_NS = 1_000_000;

/** The p-quantile by the nearest-rank method; NaN of nothing. @param sorted ascending */
function quantile(sorted: ArrayLike<number>, p: number): number {
  return sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)] ?? Number.NaN;
}

export function rttResult(probe: ProbeResult): RttResult | null {
  const sorted = Float64Array.from(probe.rttsNs).sort();
  if (sorted.length === 0) return null;
  return {
    method: probe.method,
    targetNs: RTT_TARGET_NS,
    minNs: sorted[0]!,
    p50Ns: quantile(sorted, 0.5),
    p99Ns: quantile(sorted, 0.99),
    maxNs: sorted[sorted.length - 1]!,
    count: sorted.length,
    lost: probe.lost,
  };
}

/** @param epochNs instants of the result count from here */
export function clientResult(
  site: Site,
  kind: SessionKind,
  s: SessionSnapshot,
  epochNs: number,
): ClientResult {
  const median = (values: Float64Array): number | null =>
    values.length === 0 ? null : quantile(values.slice().sort(), 0.5);
  return {
    site,
    kind,
    sent: s.sent,
    answered: s.answered,
    lost: s.lost,
    duplicated: s.duplicated,
    wrong: s.wrong,
    bytesWrong: s.bytesWrong,
    resets: s.resets,
    longestGapNs: s.longestGapNs,
    longestGapStartNs: Math.max(0, s.longestGapStartNs - epochNs),
    rttBeforeP50Ns: median(s.rttBeforeNs),
    rttAfterP50Ns: median(s.rttAfterNs),
    rttCourse: s.rttCourse === null ? null : { ...s.rttCourse, startNs: s.rttCourse.startNs - epochNs },
  };
}

function laneAccount(c: LaneCounters): LaneAccount {
  return {
    framesIn: c.offered.frames,
    packetsIn: c.offered.packets,
    bytesIn: c.offered.wireBytes,
    framesOut: c.delivered.frames,
    packetsOut: c.delivered.packets,
    bytesOut: c.delivered.wireBytes,
    drops: Object.fromEntries(DROP_REASONS.map((reason) => [reason, c.dropped[reason].packets])),
    packetsHeld: c.queued.packets + c.inFlight.packets,
    packetsDuplicated: c.duplicated.packets,
    packetsCorrupted: c.corrupted.packets,
    queuePeakBytes: c.queuePeakBytes,
  };
}

function bridgeAccount(b: FabricSnapshot['bridges']['a']): BridgeAccount {
  return {
    framesIn: b.framesIn,
    framesForwarded: b.forwarded + b.flooded + b.suppressed,
    framesFlooded: b.flooded,
    drops: { ...b.drops },
    macMoves: b.macs.moved,
  };
}

export function fabricResult(s: Pick<FabricSnapshot, 'fiber' | 'bridges'>): FabricResult {
  const bridgeCloses = (b: BridgeAccount): boolean =>
    b.framesIn === b.framesForwarded + Object.values(b.drops).reduce((sum, n) => sum + n, 0);
  const bridges = { a: bridgeAccount(s.bridges.a), b: bridgeAccount(s.bridges.b) };
  return {
    closes:
      accountingCloses(s.fiber.aToB) &&
      accountingCloses(s.fiber.bToA) &&
      bridgeCloses(bridges.a) &&
      bridgeCloses(bridges.b),
    fiber: { aToB: laneAccount(s.fiber.aToB), bToA: laneAccount(s.fiber.bToA) },
    bridges,
  };
}

/** How the protocol calls what a person names in one word. */
export const MODE_NAMES = {
  precopy: 'pre-copy',
  postcopy: 'post-copy',
  hybrid: 'hybrid',
} as const satisfies Record<Experiment['migration']['mode'], MigrationMode>;

/** How pages are made shorter, and what an operator knows of the link: the rate of its slowest span. */
export function pipelineOrders(e: Experiment, from: Site): MigrationOrders['pipeline'] {
  const { compress, delta, dedup } = e.migration;
  const direction = from === 'a' ? 'aToB' : 'bToA';
  const rateBps = Math.min(...e.fiber.spans.map((s) => s[direction].rateBps ?? Number.POSITIVE_INFINITY));
  return { compress, delta, dedup, linkRateBps: Number.isFinite(rateBps) ? rateBps : null };
}

/** Everything a migration's row needs besides the source's own report. */
export interface MigrationContext {
  readonly index: number;
  readonly from: Site;
  readonly to: Site;
  readonly epochNs: number;
  /** First announcement at the destination, 0 when none left. */
  readonly announcedNs: number;
  /** What the destination said of missing pages; null in pre-copy. */
  readonly missing: MissingFigures | null;
  /** Packets that parity gave back at the destination. */
  readonly parityUsed: number;
  /** Wire bytes of vMotion traffic that the fiber took towards the destination. */
  readonly bytesOnWire: number;
  readonly clients: readonly ClientResult[];
  /** Hosts whose guest runs; null when a living host did not answer. */
  readonly copiesRunning: number | null;
}

const OUTCOMES = {
  completed: 'completed',
  refused: 'stayed',
  aborted: 'stayed',
  'in-doubt': 'in-doubt',
} as const;

function postcopyResult(report: SourceReport, missing: MissingFigures | null): MigrationResult['postcopy'] {
  const { served, destination } = report;
  if (served === null || missing === null || missing.pagesMissing === 0) return null;
  return {
    pagesMissing: missing.pagesMissing,
    pagesDemanded: served.demanded,
    pagesPushed: served.pushed,
    zeroPages: served.zero,
    pagesAgain: served.again,
    bytes: served.bytes,
    faults: missing.faults,
    durationNs: Math.max(0, missing.completeNs - destination!.startedNs),
  };
}

function transportResult(report: SourceReport, parityUsed: number): MigrationResult['transport'] {
  if (report.transport === null) return null;
  const { transport: name, packetsSent, packetsLost, ...rest } = report.transport;
  const seenLossProb = packetsSent > 0 ? packetsLost / packetsSent : 0;
  return { name, packetsSent, packetsLost, seenLossProb, ...rest, parityUsed };
}

export function migrationResult(report: SourceReport, c: MigrationContext): MigrationResult {
  const completed = report.outcome === 'completed' && report.destination !== null;
  const parts = completed ? pausePartsOf(report.source, report.destination!) : null;
  const firstRound = report.rounds[0];
  const lastRound = report.rounds[report.rounds.length - 1];
  const postcopy = completed ? postcopyResult(report, c.missing) : null;
  const roundsNs = firstRound && lastRound ? lastRound.endNs - firstRound.startNs : 0;
  const sendingNs = roundsNs + (postcopy?.durationNs ?? 0);
  const sum = (pick: (r: SourceReport['rounds'][number]) => number): number =>
    report.rounds.reduce((n, r) => n + pick(r), 0);
  const endNs =
    report.startedReceivedNs > 0 ? report.startedReceivedNs : (lastRound?.endNs ?? report.startNs);
  return {
    index: c.index,
    from: c.from,
    to: c.to,
    outcome: OUTCOMES[report.outcome],
    guestAt: report.outcome === 'completed' ? c.to : report.outcome === 'in-doubt' ? null : c.from,
    reason: report.outcome === 'completed' ? null : { code: report.code, text: report.text },
    mode: MODES.find((m) => MODE_NAMES[m] === report.mode) ?? null,
    startNs: report.startNs - c.epochNs,
    totalNs: endNs - report.startNs,
    pauseNs: completed ? report.destination!.startedNs - report.source.pauseCalledNs : null,
    pauseParts: parts,
    announceNs:
      completed && c.announcedNs > 0 ? Math.max(0, c.announcedNs - report.destination!.startedNs) : null,
    blockedNs: completed ? (c.missing?.blockedNs ?? 0) : null,
    postcopy,
    pipeline: pipelineResult(report.pipeline),
    rounds: report.rounds.map((r, i) => ({
      round: i,
      startNs: Math.max(0, r.startNs - c.epochNs),
      durationNs: r.endNs - r.startNs,
      dirtyPages: r.dirtyPages,
      pagesSent: r.pagesSent,
      zeroPages: r.zeroPages,
      bytes: r.bytes,
      throughputBps: r.throughputBps,
      dirtyRatePagesPerS: r.dirtyRatePagesPerS,
      predictedPauseNs: r.predictedPauseNs,
    })),
    pagesSent: sum((r) => r.pagesSent) + report.finalPages,
    zeroPages: sum((r) => r.zeroPages) + report.finalZeroPages,
    pagesInPause: report.finalPages + report.finalZeroPages,
    bytesOnWire: c.bytesOnWire,
    throughputBps: sendingNs > 0 ? (8e9 * c.bytesOnWire) / sendingNs : 0,
    transport: transportResult(report, c.parityUsed),
    framesForwarded: report.framesForwarded,
    copiesRunning: c.copiesRunning,
    linkBreaks: report.linkBreaks,
    pagesResent: report.pagesResent,
    memoryIdentical: report.memoryIdentical,
    qemu: null,
    clients: [...c.clients],
  };
}
