/**
 * The source's pre-copy rounds, from the first one to the pause call.
 *
 *   tracking ─harvested─► round ─sent, ROUND_DONE─► harvesting ─policy─► round, or
 *   last-round (ARM) ─sent, ROUND_DONE, READY─► pausing
 */
import { formatNs, PageSet } from '../core/index.js';
import type { ConvergencePolicy, ConvergenceVerdict } from './convergence.js';
import { ROUND_MAX } from './messages.js';
import { encodePageSet } from './page-set-codec.js';
import type { SourceEvent } from './source-contract.js';
import type { SourceState } from './source-state.js';
import { fail } from './source-trouble.js';
import { giveUp, unexpected } from './source-way-back.js';

/** The connection is lost: rounds go on over the next one. @param owed what is due besides the round in flight */
export function wait(s: SourceState, owed: PageSet): void {
  s.owed = owed.clone();
  s.ready = false;
  s.missing = s.hot = s.dirty = s.state = null;
  s.left = new PageSet(s.options.pages);
  s.enter('reconnecting', s.precopyEndNs - s.nowNs);
}

export function beginRound(
  s: SourceState,
  phase: 'round' | 'last-round' | 'final-flight',
  pages: PageSet,
): void {
  s.round++;
  s.sent = s.doneAtPeer = false;
  s.sending = pages;
  s.sendingRound = s.round;
  s.log.began(s.nowNs, s.round);
  if (phase === 'final-flight') s.enter(phase, s.options.timers.finalFlightNs);
  else s.enter(phase, s.precopyEndNs - s.nowNs);
  if (phase === 'last-round') s.send({ type: 'arm', round: s.round, left: encodePageSet(leftByArm(s)) });
  if (phase !== 'final-flight') {
    const count = pages.count();
    const text = `round ${s.round}: ${count} pages`;
    s.do({
      type: 'report',
      event: { type: 'round-begin', atNs: s.nowNs, round: s.round, pages: count, text },
    });
  }
  const final = phase === 'final-flight';
  s.do({ type: 'send-pages', round: s.round, pages, final, missing: final ? s.missing : null });
}

/** What the destination has a stale version of: in post-copy it has nothing yet. */
function leftByArm(s: SourceState): PageSet {
  return s.log.mode === 'hybrid' ? s.left : new PageSet(s.options.pages);
}

export function roundSent(s: SourceState, e: Extract<SourceEvent, { type: 'round-sent' }>): void {
  if (e.round !== s.round || s.sent || (s.phase !== 'round' && s.phase !== 'last-round')) return;
  s.sent = true;
  s.sentPages = e.pages + e.zeroPages;
  s.log.sent(e.pages, e.zeroPages, e.bytes);
  s.deadlineNs = s.nowNs + s.options.timers.roundDoneNs;
  roundMayEnd(s);
}

export function roundDone(s: SourceState, round: number, pages: number): void {
  if (round !== s.round || !s.sent || s.doneAtPeer) return unexpected(s, 'round-done');
  if (pages !== s.sentPages) {
    return fail(s, 'VMOTION_ROUND_COUNT', `round ${round}: ${s.sentPages} pages sent, ${pages} arrived`);
  }
  s.doneAtPeer = true;
  s.log.done(s.nowNs);
  if (s.phase === 'last-round') s.deadlineNs = s.nowNs + s.options.timers.readyNs;
  roundMayEnd(s);
}

export function roundMayEnd(s: SourceState): void {
  if (!s.sent || !s.doneAtPeer) return;
  if (s.phase === 'round') {
    s.enter('harvesting', s.options.timers.localNs);
    s.do({ type: 'harvest' });
  } else if (s.ready) {
    s.instants.pauseCalledNs = s.nowNs;
    s.enter('pausing', s.options.timers.localNs);
    s.do({ type: 'pause-guest' });
  }
}

export function decide(s: SourceState, dirty: PageSet, dirtyPages: number): void {
  const verdict = reportRound(s, dirtyPages, s.options.policy)!;
  if (!s.connected) {
    s.sending = new PageSet(s.options.pages);
    return wait(s, dirty);
  }
  if (verdict.action === 'give-up') return giveUp(s, 'VMOTION_NO_CONVERGENCE', verdict.reason);
  if (s.nowNs >= s.precopyEndNs) return precopyLimit(s);
  if (verdict.action === 'slow') {
    s.log.slowdown = verdict.slowdown ?? 0;
    s.do({ type: 'slow-guest', share: s.log.slowdown });
  }
  // Three rounds are still to come after this one; the number of rounds is a field of 16 bits.
  const last = verdict.action === 'switch' || verdict.action === 'post-copy' || s.round >= ROUND_MAX - 3;
  if (!last) return beginRound(s, 'round', dirty);
  s.flightPagesMax = verdict.flightPagesMax ?? Number.POSITIVE_INFINITY;
  if (s.log.mode === 'hybrid') {
    s.wanted = s.heat.hot(dirty.pages);
    // A round that does not pay is not made: what it would carry would be dropped again, in the pause.
    s.left = verdict.action === 'post-copy' ? dirty : s.wanted;
  }
  const pages = dirty.clone();
  pages.subtract(s.left);
  beginRound(s, 'last-round', pages);
}

export function reportRound(
  s: SourceState,
  dirtyPages: number,
  policy: ConvergencePolicy | null,
): ConvergenceVerdict | null {
  const stats = s.log.harvested(s.nowNs, dirtyPages);
  const verdict = policy?.decide(s.log.history) ?? null;
  const told = verdict
    ? { ...stats, predictedPauseNs: verdict.predictedPauseNs, etaNs: verdict.etaNs }
    : stats;
  const text = verdict
    ? `round ${stats.round}: ${dirtyPages} pages dirty; ${verdict.action}: ${verdict.outlook ?? verdict.reason}`
    : `round ${stats.round}: ${dirtyPages} pages dirty at the pause`;
  s.do({ type: 'report', event: { type: 'round', atNs: s.nowNs, stats: told, verdict, text } });
  return verdict;
}

export function precopyLimit(s: SourceState): void {
  const text = `${formatNs(s.options.timers.precopyNs)} of pre-copy are over after ${s.round} rounds`;
  giveUp(s, 'VMOTION_PRECOPY_LIMIT', text);
}
