/**
 * The guest goes on at the source. Before COMMIT every trouble leads here; after it, the destination's NEVER alone.
 *
 *   any phase before COMMIT ─► over           COMMIT just being written ─► withdrawing ─► returning ─► over
 *   committed, in-doubt ─NACK─► returning ─ENDED recorded─► over
 */
import type { MessageType } from './messages.js';
import { NEVER_NS, type SourceState } from './source-state.js';

/** Back to the source; only before COMMIT. */
export function giveUp(s: SourceState, code: string, text: string, tellPeer = true): void {
  const phase = s.phase;
  if (tellPeer && phase !== 'idle') s.send({ type: 'abort', code, text });
  if (phase === 'pausing' || phase === 'saving' || phase === 'final-flight' || phase === 'committing') {
    resumeGuest(s);
  }
  if (s.commitPending) {
    s.ending = { code, text };
    s.enter('withdrawing', NEVER_NS);
  } else {
    s.finish('aborted', code, text);
  }
}

/** The destination will never start it: the guest is ours again. */
export function returnGuest(s: SourceState, code: string, text: string): void {
  s.ending = { code, text };
  resumeGuest(s);
  recordEnd(s, 'returning');
}

export function resumeGuest(s: SourceState): void {
  s.freeGuest();
  s.reportFrames();
  s.do({ type: 'resume-guest' });
  s.finalSent = false;
  s.framesForwarded = 0;
  const frames = s.frames.takeAll();
  if (frames.length > 0) s.do({ type: 'deliver-late-frames', frames });
}

export function recordEnd(s: SourceState, phase: 'ending' | 'returning'): void {
  s.enter(phase, NEVER_NS);
  s.do({ type: 'record', record: 'ENDED' });
}

/** A message that this phase does not expect: the way back while there is one. */
export function unexpected(s: SourceState, type: MessageType): void {
  const text = `${type} came in phase ${s.phase}`;
  if (s.beforeCommit()) giveUp(s, 'VMOTION_MESSAGE_UNEXPECTED', text);
  else s.note('VMOTION_MESSAGE_UNEXPECTED', text);
}
