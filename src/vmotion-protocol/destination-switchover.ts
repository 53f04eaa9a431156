/**
 * The destination from the first round to the guest's start. Rules 4 and 7 of docs/design.md, "Protocol".
 *
 *   receiving ─FINAL, flight applied─► verifying ─ok─► loading ─state-loaded─► deciding ─RUNNING─► starting
 */

import { resumed } from './destination-link.js';
import { nack, renounce, unexpected, violation } from './destination-never.js';
import { whole } from './destination-postcopy.js';
import { type DestinationState, NEVER_NS } from './destination-state.js';
import type { Arm, Final } from './messages.js';
import { decodePageSet } from './page-set-codec.js';

export function roundApplied(s: DestinationState, round: number, pages: number): void {
  if (round !== s.round + 1) {
    return renounce(s, { code: 'VMOTION_PAGE_ROUND', text: `round ${round} came after ${s.round}` });
  }
  s.round = round;
  // Behind the armed round only the final flight follows, and STARTED is the answer to that.
  if (s.armRound > 0 && round > s.armRound) {
    s.flightPages = pages;
    mayVerify(s);
  } else {
    s.send({ type: 'round-done', round, pages });
  }
}

export function armOrdered(s: DestinationState, { round, left: bytes }: Arm): void {
  // The round's END travels on other links: a round of few pages may be applied before its ARM is here.
  if (s.armRound > 0 || round < s.round) return unexpected(s, 'arm');
  const left = decodePageSet(s.options.pages, bytes);
  if (left === null || (s.mode === 'pre-copy' && left.next(0) >= 0))
    return violation(s, {
      code: 'VMOTION_MESSAGE_FIELD',
      text: 'ARM: left is not a set of pages to drop',
    });
  s.armRound = round;
  s.do({ type: 'arm', round, left });
}

export function finalCame(s: DestinationState, m: Final): void {
  if (s.decision === 'NEVER') return nack(s);
  if (s.phase === 'renouncing') return; // its NACK leaves when NEVER is on record
  if (s.phase !== 'receiving' || s.final !== null) return unexpected(s, 'final');
  s.final = m;
  s.times.finalReceivedNs = s.nowNs;
  const { migrationId, epoch, stateBytesMax } = s.offer!;
  const fits = m.migrationId === migrationId && m.epoch === epoch && m.state.length <= stateBytesMax;
  if (!fits || !s.ready || m.round !== s.armRound + 1) {
    const text = 'FINAL is of another migration, epoch or round than was offered and armed';
    return renounce(s, { code: 'VMOTION_FINAL_MISMATCH', text });
  }
  s.missing = decodePageSet(s.options.pages, m.missing);
  s.incomplete = s.postCopied = s.missing !== null && s.missing.next(0) >= 0;
  if (s.missing === null || (s.incomplete && s.mode === 'pre-copy')) {
    const text = 'FINAL: missing is not a set of pages that may be missing in this mode';
    return renounce(s, { code: 'VMOTION_FINAL_MISMATCH', text });
  }
  mayVerify(s);
}

function mayVerify(s: DestinationState): void {
  const final = s.final;
  if (final === null || s.flightPages < 0) return;
  if (s.flightPages !== final.pages) {
    const text = `the final flight has ${final.pages} pages, ${s.flightPages} arrived`;
    return renounce(s, { code: 'VMOTION_FINAL_MISMATCH', text });
  }
  s.times.appliedNs = s.nowNs;
  s.enter('verifying', s.timers.localNs);
  const { setHash, stateHash, state } = final;
  s.do({ type: 'verify', setHash, stateHash, state, missing: s.missing! });
  s.missing = null;
}

export function verified(s: DestinationState, ok: boolean, text: string): void {
  if (!ok) return renounce(s, { code: 'VMOTION_VERIFY_FAILED', text });
  s.enter('loading', s.timers.localNs);
  s.do({ type: 'load-state', state: s.final!.state });
}

export function decideRunning(s: DestinationState): void {
  s.times.verifiedNs = s.nowNs;
  s.enter('deciding', NEVER_NS);
  s.do({ type: 'record', record: 'RUNNING' });
}

export function runningRecorded(s: DestinationState): void {
  if (s.phase !== 'deciding') return;
  s.decision = 'RUNNING';
  s.times.recordedNs = s.nowNs;
  s.enter('starting', NEVER_NS);
  s.do({ type: 'start-guest' });
}

export function guestStarted(s: DestinationState, atNs: number): void {
  s.started = true;
  s.times.startedNs = atNs;
  const { migrationId, epoch } = s.offer!;
  s.enter('filling', s.timers.fillingAlarmNs);
  s.nicDirectNs = s.nowNs + s.timers.duplicateWindowNs;
  s.do({ type: 'announce' });
  for (const bytes of s.frames.takeAll()) s.do({ type: 'inject-frame', bytes });
  s.send({ type: 'started', migrationId, epoch, times: s.times });
  s.final = null;
  if (!s.incomplete) whole(s);
  else if (s.resumeDue !== null) resumed(s, s.resumeDue);
}
