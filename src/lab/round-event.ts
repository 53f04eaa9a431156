/** A round as whoever watches a run is told of it, whether hosts made it or a simulated world. */
import { PAGE_SIZE } from '../core/index.js';
import type { RoundReport } from '../host/index.js';
import type { RunEvent } from './run-events.js';

/** @param migration number of the move, from 0 @param memoryBytes of the guest */
export function roundEvent(migration: number, memoryBytes: number, round: RoundReport): RunEvent {
  return {
    type: 'round',
    migration,
    round: round.round,
    pagesSent: round.pagesSent + round.zeroPages,
    pagesTotal: memoryBytes / PAGE_SIZE,
    bytes: round.bytes,
    throughputBps: round.throughputBps,
    predictedPauseNs: round.predictedPauseNs ?? Number.NaN,
    etaNs: round.etaNs ?? Number.POSITIVE_INFINITY,
    confidence: round.confidence,
    verdict: round.verdict,
  };
}
