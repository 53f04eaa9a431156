/**
 * What the source makes of a broken connection, and of a new one. Rule 6 of docs/design.md, "Protocol".
 *
 *   round, last-round, pausing, saving, final-flight ─lost─► reconnecting ─RESUME, LACKS─► round
 *                                  (a guest that stands goes on)   └─ pre-copy's limit ─► over, aborted
 *   committed ─lost─► in-doubt ─ASK─┬─ STARTED, ANSWER running ─► serving or ending, RESUME
 *                                   └─ ANSWER undecided ─► RESUME, LACKS: the final flight again, and FINAL
 *   serving ─lost─► serving ─RESUME, LACKS─► what lacks is served        ending, proving: RESUME, the hashes again
 *         └─ the destination's process is gone ─► an operator is asked for: the guest ran there
 *
 * The dirty log runs on meanwhile. What came of the broken round and was not written since is not sent again: LACKS
 * says what came, and what was written since is in the next harvest.
 */
import { PageSet } from '../core/index.js';
import type { Lacks } from './messages.js';
import { decodePageSet } from './page-set-codec.js';
import { doubt } from './source-doubt.js';
import { resume, serve } from './source-postcopy.js';
import { beginRound, wait } from './source-rounds.js';
import type { SourceState } from './source-state.js';
import { giveUp, resumeGuest } from './source-way-back.js';

const CODE = 'VMOTION_CONNECTION_LOST';

/** The control connection is of no more use. Attempts that fail while it is sought again are told in silence. */
export function connectionLost(s: SourceState, text: string): void {
  if (!s.connected) return;
  s.connected = false;
  s.asked = s.finalSent = false;
  if (s.lostSinceNs < 0) {
    s.lostSinceNs = s.nowNs;
    s.note(CODE, `${text}, in phase ${s.phase}`);
  }
  switch (s.phase) {
    case 'round':
      return wait(s, new PageSet(s.options.pages));
    case 'last-round':
      return wait(s, s.left);
    case 'pausing':
    case 'saving':
    case 'final-flight':
      return takeBack(s);
    case 'committed':
      return doubt(s, CODE, text);
    case 'idle':
    case 'offering':
    case 'probing':
    case 'tracking':
    case 'committing':
      return giveUp(s, CODE, text);
    default: // the harvest's round finds that nobody is there; what stands behind COMMIT waits for a new connection
  }
}

/** The pause is taken back: what it would have sent is owed. */
function takeBack(s: SourceState): void {
  const owed = s.left.clone();
  if (s.missing !== null) owed.union(s.missing);
  if (s.phase !== 'final-flight') {
    if (s.dirty !== null) owed.union(s.dirty);
    s.sending = new PageSet(s.options.pages);
  }
  resumeGuest(s);
  wait(s, owed);
}

/** What the destination had of the memory went with it. What it decided stands in its records: a doubt stays one. */
export function peerGone(s: SourceState, text: string): void {
  if (s.phase === 'reconnecting') giveUp(s, CODE, text);
  if (s.phase !== 'serving' || s.saidGone) return;
  s.saidGone = true;
  const end = `${text}, and the guest that had started there with it; it still stands here as it was in the pause`;
  s.do({ type: 'finished', outcome: 'in-doubt', code: CODE, text: end });
}

export function reconnected(s: SourceState): void {
  if (s.connected) return;
  s.connected = true;
  switch (s.phase) {
    case 'in-doubt':
      s.asked = true;
      return s.send({ type: 'ask', migrationId: s.options.migrationId, storeId: s.peerStoreId });
    case 'serving':
    case 'reconnecting':
    case 'ending':
    case 'proving':
      return resume(s);
    default:
  }
}

export function lacksCame(s: SourceState, m: Lacks): void {
  const missing = decodePageSet(s.options.pages, m.missing);
  if (missing === null) return s.note('VMOTION_MESSAGE_FIELD', 'LACKS is not a set of pages');
  if (s.phase === 'serving') return serveAgain(s, missing);
  if (m.round !== s.sendingRound) missing.addRange(0, s.options.pages);
  const came = s.sending.clone();
  came.subtract(missing);
  s.sending.subtract(came);
  s.linkIsBack(`${came.count()} pages of the broken round had come`);
  if (s.phase === 'in-doubt') return sendFlightAgain(s);
  const { sending } = s;
  sending.union(s.owed);
  if (s.log.mode !== 'post-copy') return beginRound(s, 'round', sending);
  s.left = PageSet.full(s.options.pages);
  beginRound(s, 'last-round', new PageSet(s.options.pages));
}

/** Only what the destination was told that it lacks can be lacking. */
function serveAgain(s: SourceState, lacks: PageSet): void {
  const beyond = lacks.clone();
  beyond.subtract(s.missing!);
  if (beyond.next(0) >= 0) return s.note('VMOTION_MESSAGE_FIELD', 'LACKS names pages that were not missing');
  s.linkIsBack(`the destination lacks ${lacks.count()} pages`);
  s.deadlineNs = s.nowNs + s.options.timers.servingAlarmNs;
  serve(s, lacks, null);
}

/** The destination has decided nothing, and waits for what it lacks of the final flight and for FINAL. */
function sendFlightAgain(s: SourceState): void {
  s.sendingRound = ++s.round;
  s.sent = false;
  s.do({ type: 'send-pages', round: s.round, pages: s.sending, final: true, missing: s.missing });
}
