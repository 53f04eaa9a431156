/**
 * The pause in its parts. Both hosts stamp instants of one clock (CLOCK_MONOTONIC since the lab's
 * epoch); the source puts them together when STARTED tells it the destination's. SPEC.md, "Pause parts",
 * says what each one includes.
 *
 *   pause call ─stop─ parked ─harvest─ harvested ─saveState─ saved ─send─ handed over ─recordCommit─ recorded
 *     ─(FINAL)─ propagate ─ received ─apply─ applied ─verify─ verified ─recordRunning─ recorded ─start─ runs
 */
import type { StartedTimes } from './messages.js';

/** Instants at the source, nanoseconds. */
export interface PauseInstants {
  readonly pauseCalledNs: number;
  readonly guestPausedNs: number;
  readonly harvestedNs: number;
  readonly stateSavedNs: number;
  /** The final flight was handed to the transport. */
  readonly pagesSentNs: number;
  readonly commitRecordedNs: number;
  readonly finalSentNs: number;
}

/** Durations in nanoseconds; they sum to the pause, from the pause call to the guest's first instruction. */
export interface PauseParts {
  readonly stopNs: number;
  readonly harvestNs: number;
  readonly saveStateNs: number;
  readonly recordCommitNs: number;
  readonly sendNs: number;
  readonly propagateNs: number;
  readonly applyNs: number;
  readonly verifyNs: number;
  readonly recordRunningNs: number;
  readonly startNs: number;
}

export function pausePartsOf(source: PauseInstants, destination: StartedTimes): PauseParts {
  // State may be saved before the harvest is done: then its part is what the harvest did not hide.
  const savedNs = Math.max(source.harvestedNs, source.stateSavedNs);
  // FINAL may have arrived before the thread that sent it was scheduled again to stamp the instant.
  const finalSentNs = Math.min(source.finalSentNs, destination.finalReceivedNs);
  return {
    stopNs: source.guestPausedNs - source.pauseCalledNs,
    harvestNs: source.harvestedNs - source.guestPausedNs,
    saveStateNs: savedNs - source.harvestedNs,
    recordCommitNs: source.commitRecordedNs - source.pagesSentNs,
    sendNs: source.pagesSentNs - savedNs + (finalSentNs - source.commitRecordedNs),
    propagateNs: destination.finalReceivedNs - finalSentNs,
    applyNs: destination.appliedNs - destination.finalReceivedNs,
    verifyNs: destination.verifiedNs - destination.appliedNs,
    recordRunningNs: destination.recordedNs - destination.verifiedNs,
    startNs: destination.startedNs - destination.recordedNs,
  };
}
