/**
 * The source in doubt: COMMIT stands, and nobody has answered. It stays paused until somebody does.
 *
 *   committed ─lost, timeout─► in-doubt ─STARTED, ANSWER running─► serving, ending        ─NACK, ANSWER never─► returning
 *   serving, and the destination is gone ─an operator's never─► returning
 */
import type { Answer } from './messages.js';
import { resume, startedThere } from './source-postcopy.js';
import { freedByWord } from './source-proof.js';
import { NEVER_NS, type SourceState } from './source-state.js';
import { giveUp, returnGuest, unexpected } from './source-way-back.js';

export function doubt(s: SourceState, code: string, text: string): void {
  s.enter('in-doubt', NEVER_NS);
  s.do({ type: 'finished', outcome: 'in-doubt', code, text });
}

export function answered(s: SourceState, m: Answer): void {
  if ((m.verdict === 'never' || m.verdict === 'unknown') && s.beforeCommit())
    return giveUp(
      s,
      'VMOTION_CONNECTION_LOST',
      'the destination knows nothing of this migration any more',
      false,
    );
  if (s.phase !== 'in-doubt' || m.migrationId !== s.options.migrationId) return unexpected(s, 'answer');
  if (m.verdict === 'running' || m.verdict === 'never') settle(s, m.verdict, 'the destination has answered');
  else if (m.verdict === 'undecided' && s.asked) resume(s);
  else s.note('VMOTION_RESOLVED', `the destination answers ${m.verdict}: still in doubt`);
}

export function settle(s: SourceState, verdict: 'running' | 'never', text: string): void {
  if (verdict === 'never') return returnGuest(s, 'VMOTION_RESOLVED', text);
  if (!s.incomplete) return freedByWord(s, text);
  startedThere(s);
  resume(s);
}

/** A word on a guest that had started at the destination and lacks pages: `never` only when nobody there is served. */
export function settleServing(s: SourceState, verdict: 'running' | 'never', text: string): void {
  if (verdict === 'running') return freedByWord(s, text);
  if (!s.connected) return returnGuest(s, 'VMOTION_RESOLVED', text);
  s.note('VMOTION_RESOLVED', 'the destination is connected and runs the guest: it cannot run here');
}

export function nacked(s: SourceState, code: string, text: string): void {
  if (s.beforeCommit()) return giveUp(s, code, text, false);
  if (s.phase === 'committed' || s.phase === 'in-doubt') return returnGuest(s, code, text);
  // Behind STARTED a NACK contradicts itself; while the guest returns it only says it again.
  if (s.phase !== 'returning' && s.phase !== 'withdrawing') unexpected(s, 'nack');
}
