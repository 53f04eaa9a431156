/** What each phase of the source makes of a loss, a violation, a message out of place, a record that failed. */
import type { VmotionErrorCode } from './errors.js';
import { doubt } from './source-doubt.js';
import { endRecorded, withoutProof } from './source-proof.js';
import type { SourceState } from './source-state.js';
import { giveUp } from './source-way-back.js';

/** Something went wrong that ends the migration, each phase in its way. */
export function fail(s: SourceState, code: VmotionErrorCode | (string & {}), text: string): void {
  if (s.beforeCommit()) return giveUp(s, code, text);
  switch (s.phase) {
    case 'committed':
      return doubt(s, code, text);
    case 'proving':
      s.note(code, text);
      return withoutProof(s);
    default: // ending, withdrawing, returning wait for a record; a doubt stays one; serving goes on
      s.note(code, text);
  }
}

export function violation(s: SourceState, code: string, text: string): void {
  // A message of a later minor version: say so and go on (version rule, messages.ts).
  if (code === 'VMOTION_MESSAGE_UNKNOWN') s.send({ type: 'reject', code, text });
  else fail(s, code, text);
}

export function recordFailed(s: SourceState, record: 'COMMIT' | 'ENDED', text: string): void {
  if (record === 'ENDED') {
    // The outcome stands; a restarted host asks its peer once more, that is all.
    s.note('VMOTION_RECORD_FAILED', `ENDED was not recorded: ${text}`);
    endRecorded(s);
    return;
  }
  s.commitPending = false;
  if (s.phase === 'committing') {
    giveUp(s, 'VMOTION_RECORD_FAILED', `COMMIT was not recorded: ${text}`);
  } else if (s.phase === 'withdrawing') {
    s.finish('aborted', s.ending.code, s.ending.text);
  }
}
