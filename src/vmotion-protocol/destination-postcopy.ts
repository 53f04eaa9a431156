/**
 * The destination while its guest runs: pages are filled in, the source is told when all have come.
 *
 *   starting ─guest-started─► filling ─all-present─► running ─ENDED─► over
 */
import type { DestinationState } from './destination-state.js';

export function allPresent(s: DestinationState): void {
  if (!s.incomplete) return;
  s.incomplete = false;
  if (s.phase !== 'filling') return; // the last page was faster than the guest's start
  whole(s);
}

/** The guest runs and lacks nothing. */
export function whole(s: DestinationState): void {
  s.enter('running', s.timers.endedNs);
  if (s.postCopied) sayComplete(s);
  if (s.connected) s.do({ type: 'send-hashes' });
}

export function sayComplete(s: DestinationState): void {
  const { migrationId, epoch } = s.offer!;
  s.send({ type: 'complete', migrationId, epoch });
}
