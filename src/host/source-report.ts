/** A source's last word where no source was there to say it: its process was killed, or started again. */
import type { SourceReport } from './ipc.js';

/** @param atNs of the report */
export function bareSourceReport(
  outcome: SourceReport['outcome'],
  code: string,
  text: string,
  startNs: number,
  atNs: number,
): SourceReport {
  return {
    outcome,
    code,
    text,
    mode: null,
    startNs,
    startedReceivedNs: atNs,
    source: {
      pauseCalledNs: 0,
      guestPausedNs: 0,
      harvestedNs: 0,
      stateSavedNs: 0,
      pagesSentNs: 0,
      commitRecordedNs: 0,
      finalSentNs: 0,
    },
    destination: null,
    rounds: [],
    finalPages: 0,
    finalZeroPages: 0,
    finalBytes: 0,
    served: null,
    linkBreaks: 0,
    pagesResent: 0,
    transport: null,
    framesForwarded: 0,
    memoryIdentical: null,
    pagesDiffering: 0,
  };
}
