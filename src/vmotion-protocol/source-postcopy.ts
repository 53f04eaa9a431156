/**
 * The source while the guest runs at the destination and lacks pages: it serves them, and keeps them until COMPLETE.
 *
 *   STARTED ─► serving ─COMPLETE─► ending        lost: waits for ever; reconnected: RESUME ─► LACKS, served again
 */
import type { PageSet } from '../core/index.js';
import { guestIsAway } from './source-proof.js';
import type { SourceState } from './source-state.js';

/** It runs at the destination: nothing kept for its return is needed any more. */
export function startedThere(s: SourceState): void {
  s.reportFrames();
  // What came while nobody was there to take it. What was on its way when the link broke may have arrived: it is not doubled.
  for (const frame of s.frames.takeAll().slice(s.framesForwarded)) forward(s, frame);
  if (!s.incomplete) return guestIsAway(s);
  s.enter('serving', s.options.timers.servingAlarmNs);
}

export function serve(s: SourceState, pages: PageSet, hot: PageSet | null): void {
  s.round++;
  const pushFromNs = s.nowNs + s.log.rttMinNs;
  s.do({ type: 'serve-pages', round: s.round, pushFromNs, pages: pages.clone(), hot });
}

/** What do you lack? What follows is a round of its own. */
export function resume(s: SourceState): void {
  const { migrationId, epoch } = s.options;
  s.asked = false;
  if (s.phase === 'proving') s.deadlineNs = s.nowNs + s.options.timers.proofNs;
  s.hashedPages = 0;
  s.send({ type: 'resume', migrationId, epoch, round: s.round + 1, final: s.phase === 'in-doubt' });
}

/** The guest's threads may be standing at pages that do not come. */
export function alarm(s: SourceState): void {
  s.deadlineNs = s.nowNs + s.options.timers.servingAlarmNs;
  const link = s.connected ? 'the link stands' : 'the link is broken';
  s.note('VMOTION_POSTCOPY_STALLED', `pages are still being served, ${link}: the guest may be stalled`);
}

/** Group frames reach the destination by the bridge anyway; here they are kept for a NACK only. */
export function forward(s: SourceState, frame: Uint8Array): void {
  if ((frame[0]! & 1) === 0) s.send({ type: 'frame', bytes: frame });
}
