/** A move that QEMU made, as a row of the result. Pure. */
import type { QemuMigrationReport } from '../../qemu/index.js';
import type { Site } from '../config/experiment.js';
import type { ClientResult, MigrationResult } from '../result.js';

export interface QemuMoveContext {
  readonly index: number;
  readonly from: Site;
  readonly to: Site;
  readonly epochNs: number;
  readonly mode: 'precopy' | 'postcopy';
  /** Wire bytes that the source's vmk port put into the fabric during the move. */
  readonly bytesOnWire: number;
  readonly segments: { readonly sent: number; readonly resent: number } | null;
  /** Living QEMUs whose guest runs. */
  readonly copiesRunning: number | null;
  /** The guest found a page changed, by now; it counts where the memories were not compared. */
  readonly complained: boolean;
  readonly clients: readonly ClientResult[];
}

export function qemuMoveResult(r: QemuMigrationReport, c: QemuMoveContext): MigrationResult {
  const completed = r.outcome === 'completed';
  const totalNs = r.endNs - r.startNs;
  const ram = r.source.ram;
  return {
    index: c.index,
    from: c.from,
    to: c.to,
    outcome: r.outcome,
    guestAt: completed ? c.to : r.outcome === 'stayed' ? c.from : null,
    reason: completed ? null : { code: r.code, text: r.text },
    mode: c.mode,
    startNs: r.startNs - c.epochNs,
    totalNs,
    pauseNs: completed && r.stopNs > 0 && r.resumeNs > 0 ? Math.max(0, r.resumeNs - r.stopNs) : null,
    pauseParts: null,
    announceNs: null,
    blockedNs: null,
    postcopy: null,
    pipeline: null,
    rounds: [],
    pagesSent: ram?.normalPages ?? 0,
    zeroPages: ram?.duplicatePages ?? 0,
    pagesInPause: ram === null || ram.pageBytes === 0 ? 0 : Math.round(ram.downtimeBytes / ram.pageBytes),
    bytesOnWire: c.bytesOnWire,
    throughputBps: totalNs > 0 ? (8e9 * c.bytesOnWire) / totalNs : 0,
    transport: null,
    framesForwarded: 0,
    copiesRunning: c.copiesRunning,
    linkBreaks: 0,
    pagesResent: 0,
    memoryIdentical: r.memory !== null ? r.memory.differing.length === 0 : c.complained ? false : null,
    qemu: {
      status: r.source.status,
      totalNs: r.source.totalNs,
      setupNs: r.source.setupNs,
      downtimeNs: r.source.downtimeNs,
      stopToResumeByStampNs: r.stopToResumeByStampNs,
      transferredBytes: ram?.transferredBytes ?? 0,
      normalPages: ram?.normalPages ?? 0,
      duplicatePages: ram?.duplicatePages ?? 0,
      dirtySyncs: ram?.dirtySyncs ?? 0,
      downtimeBytes: ram?.downtimeBytes ?? 0,
      postcopyBytes: ram?.postcopyBytes ?? 0,
      postcopyRequests: ram?.postcopyRequests ?? 0,
      segmentsSent: c.segments?.sent ?? null,
      segmentsResent: c.segments?.resent ?? null,
    },
    clients: [...c.clients],
  };
}
