/**
 * The source while the guest runs at the destination and lacks pages: it serves them, and keeps them until COMPLETE.
 *
 *   STARTED ─► serving ─COMPLETE─► ending        lost: waits for ever; reconnected: RESUME ─► LACKS, served again
 */
import type { PageSet } from '../core/index.js';
import type { Lacks } from './messages.js';
import { decodePageSet } from './page-set-codec.js';
import { guestIsAway } from './source-proof.js';
import type { SourceState } from './source-state.js';

/** It runs at the destination: nothing kept for its return is needed any more. */
export function startedThere(s: SourceState): void {
  s.reportFrames();
  s.frames.takeAll();
  if (s.missing === null) return guestIsAway(s);
  s.enter('serving', s.options.timers.servingAlarmNs);
}

export function serve(s: SourceState, pages: PageSet, hot: PageSet | null): void {
  s.round++;
  const pushFromNs = s.nowNs + s.log.rttMinNs;
  s.do({ type: 'serve-pages', round: s.round, pushFromNs, pages: pages.clone(), hot });
}

export function resume(s: SourceState): void {
  s.deadlineNs = s.nowNs + s.options.timers.servingAlarmNs;
  const { migrationId, epoch } = s.options;
  s.send({ type: 'resume', migrationId, epoch });
}

/** Only what the destination was told that it lacks can be lacking. */
export function lacksCame(s: SourceState, m: Lacks): void {
  const lacks = decodePageSet(s.options.pages, m.missing);
  const beyond = lacks?.clone();
  beyond?.subtract(s.missing!);
  if (lacks === null || beyond!.next(0) >= 0)
    return s.note('VMOTION_MESSAGE_FIELD', 'LACKS names pages that were not missing');
  serve(s, lacks, null);
}

/** The guest's threads may be standing at pages that do not come. */
export function alarm(s: SourceState): void {
  s.deadlineNs = s.nowNs + s.options.timers.servingAlarmNs;
  const link = s.connected ? 'the link stands' : 'the link is broken';
  s.note('VMOTION_POSTCOPY_STALLED', `pages are still being served, ${link}: the guest may be stalled`);
}
