/**
 * The destination while its guest runs: pages are filled in, the source is told when all have come.
 *
 *   starting ─guest-started─► filling ─all-present─► running ─ENDED─► over
 */
import type { PageSet } from '../core/index.js';
import { unexpected } from './destination-never.js';
import type { DestinationState } from './destination-state.js';
import type { Resume } from './messages.js';
import { encodePageSet } from './page-set-codec.js';

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
  s.do({ type: 'send-hashes' });
  // In post-copy the source keeps its memory until it is told: it will come back to ask.
  if (!s.connected && !s.postCopied) sourceNotTold(s);
}

function sourceNotTold(s: DestinationState): void {
  s.finish('running', 'VMOTION_CONNECTION_LOST', 'the source was not told');
}

function sayComplete(s: DestinationState): void {
  const { migrationId, epoch } = s.offer!;
  s.send({ type: 'complete', migrationId, epoch });
}

export function resumed(s: DestinationState, m: Resume): void {
  const { migrationId, epoch } = s.offer!;
  if (m.migrationId !== migrationId || m.epoch !== epoch) return unexpected(s, 'resume');
  if (s.incomplete) return s.do({ type: 'tell-missing' });
  sayComplete(s);
  if (s.phase === 'running') s.do({ type: 'send-hashes' });
}

export function missingTold(s: DestinationState, missing: PageSet): void {
  const { migrationId } = s.offer!;
  s.send({ type: 'lacks', migrationId, missing: encodePageSet(missing) });
}
