/**
 * The source's last steps: ENDED on record, the proof by page hashes, the end.
 *
 *   ending ─ENDED recorded─► proving ─HASHES of every page─► over
 */
import type { Hashes } from './messages.js';
import type { SourceState } from './source-state.js';
import { recordEnd } from './source-way-back.js';

const HASH_BYTES = 8;

/** All of it is at the destination. */
export function guestIsAway(s: SourceState): void {
  s.missing = s.state = null;
  recordEnd(s, 'ending');
  s.do({ type: 'release-guest' });
}

export function freedByWord(s: SourceState, text: string): void {
  s.ending = { code: 'VMOTION_RESOLVED', text };
  guestIsAway(s);
}

export function endRecorded(s: SourceState): void {
  if (s.phase === 'returning') {
    s.send({ type: 'ended', migrationId: s.options.migrationId });
    s.finish('aborted', s.ending.code, s.ending.text);
  } else if (s.phase === 'ending') {
    s.enter('proving', s.options.timers.proofNs);
    // Settled by a word instead of STARTED: then no hashes follow.
    if (s.ending.code === 'VMOTION_RESOLVED') complete(s);
    else proofMayEnd(s);
  }
}

export function hashesCame(s: SourceState, m: Hashes): void {
  if (m.firstPfn === 0) s.hashedPages = 0; // told anew over a new connection
  if (m.firstPfn !== s.hashedPages) {
    return s.note('VMOTION_PROOF_INCOMPLETE', `hashes of pfn ${m.firstPfn} came, ${s.hashedPages} was due`);
  }
  s.hashedPages += m.hashes.length / HASH_BYTES;
  proofMayEnd(s);
}

function proofMayEnd(s: SourceState): void {
  if (s.phase !== 'proving') return;
  if (s.hashedPages >= s.options.pages) complete(s);
}

export function complete(s: SourceState): void {
  s.send({ type: 'ended', migrationId: s.options.migrationId });
  s.finish('completed', s.ending.code, s.ending.text);
}

export function withoutProof(s: SourceState): void {
  if (s.ending.code === 'VMOTION_OK') {
    const text = `${s.hashedPages} of ${s.options.pages} page hashes came back`;
    s.ending = { code: 'VMOTION_PROOF_INCOMPLETE', text };
  }
  complete(s);
}
