/**
 * The destination will not start this guest: NEVER on record first, then NACK. Rules 2 and 7 of docs/design.md, "Protocol".
 *
 *   receiving, verifying, loading ─trouble─► renouncing ─NEVER recorded─► over
 */
import { refuse } from './destination-offer.js';
import { type DestinationState, NEVER_NS, type Reason } from './destination-state.js';
import type { MessageType } from './messages.js';

/** NEVER: on record first, then NACK. */
export function renounce(s: DestinationState, reason: Reason): void {
  s.reason = reason;
  s.enter('renouncing', NEVER_NS);
  s.do({ type: 'record', record: 'NEVER' });
}

export function neverRecorded(s: DestinationState): void {
  if (s.phase !== 'renouncing') return;
  s.decision = 'NEVER';
  if (s.offer === null) return answerNever(s);
  if (!s.sourceAborted) nack(s);
  s.do({ type: 'discard' });
  // An aborted source sends neither FINAL nor ENDED: nobody will ask for the record.
  if (s.sourceAborted) s.do({ type: 'forget-records' });
  s.finish(s.final === null ? 'aborted' : 'never', s.reason.code, s.reason.text);
}

/** Asked for a migration that this host knew nothing of: now it is on record that it never will. */
function answerNever(s: DestinationState): void {
  const { migrationId } = s.askedBy!;
  s.send({ type: 'answer', migrationId, verdict: 'never' });
  s.finish('never', s.reason.code, s.reason.text);
}

export function nack(s: DestinationState): void {
  const { code, text } = s.reason;
  // Without an offer the decision was made for one who asked.
  const { migrationId } = (s.offer ?? s.askedBy)!;
  s.send({ type: 'nack', migrationId, code, text });
}

export function recordFailed(s: DestinationState, record: 'RUNNING' | 'NEVER', text: string): void {
  if (record === 'RUNNING' && s.phase === 'deciding') {
    renounce(s, { code: 'VMOTION_RECORD_FAILED', text: `RUNNING was not recorded: ${text}` });
  } else if (record === 'NEVER' && s.phase === 'renouncing') {
    // Without the record no NACK may leave: the source stays in doubt, and the guest runs nowhere.
    if (s.offer !== null) s.do({ type: 'discard' });
    s.finish('never', 'VMOTION_RECORD_FAILED', `NEVER was not recorded: ${text}`);
  }
}

/** Not accepted yet: there is nothing to renounce. */
export function leave(s: DestinationState, code: string, text: string): void {
  if (s.phase === 'preparing') s.do({ type: 'discard' });
  s.finish('aborted', code, text);
}

/** The source keeps the guest. Sent before COMMIT only; should it come later, NEVER is still safe while undecided. */
export function aborted(s: DestinationState, { code, text }: Reason): void {
  if (s.phase === 'idle' || s.phase === 'preparing') return leave(s, code, text);
  if (s.undecided()) {
    s.sourceAborted = true;
    renounce(s, { code, text });
  } else s.note(code, `the source aborts too late: ${text}`);
}

export function violation(s: DestinationState, { code, text }: Reason): void {
  if (code === 'VMOTION_MESSAGE_UNKNOWN') return s.send({ type: 'reject', code, text });
  if (s.phase === 'idle' || s.phase === 'preparing') refuse(s, { code, text });
  else if (s.phase === 'receiving') renounce(s, { code, text });
  else s.note(code, text);
}

export function unexpected(s: DestinationState, type: MessageType): void {
  violation(s, { code: 'VMOTION_MESSAGE_UNEXPECTED', text: `${type} came in phase ${s.phase}` });
}

export function cancel(s: DestinationState, text: string): void {
  const reason: Reason = { code: 'VMOTION_CANCELLED', text };
  if (s.phase === 'idle' || s.phase === 'preparing') refuse(s, reason);
  else if (s.undecided()) renounce(s, reason);
  else s.note(reason.code, `too late to cancel: ${text}`);
}
