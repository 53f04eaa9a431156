/**
 * What the destination makes of a broken connection, of a new one, and of what a source asks over it. Rules 3 and 6 of
 * docs/design.md, "Protocol".
 *
 *   RESUME in receiving                streams begin anew; LACKS says what did not come of the round in flight
 *             verifying … starting     answered behind STARTED, or by NACK
 *             filling                  streams begin anew; LACKS says what the guest lacks
 *             running                  COMPLETE, and the hashes again
 *             of a migration not known  ANSWER from the records, or unknown; nothing is decided
 *   ASK    of a guest that runs here   STARTED again; of one that is being decided: ANSWER undecided
 *          of anything else            ANSWER from the records; nothing on record: NEVER is recorded first
 */
import type { PageSet } from '../core/index.js';
import { leave, renounce, unexpected } from './destination-never.js';
import { sayComplete } from './destination-postcopy.js';
import { type DestinationState, NEVER_NS } from './destination-state.js';
import type { Ask, Resume } from './messages.js';
import { encodePageSet } from './page-set-codec.js';
import { answerAsk } from './resolve.js';

export function connectionLost(s: DestinationState, text: string): void {
  if (!s.connected) return;
  s.connected = false;
  const code = 'VMOTION_CONNECTION_LOST';
  switch (s.phase) {
    case 'idle':
    case 'preparing':
      return leave(s, code, text);
    case 'receiving':
      s.deadlineNs = s.nowNs + s.timers.absentNs;
      return s.note(code, `${text}; what has come is kept`);
    case 'running':
      return s.note(code, `${text}; the source may not know that all has come`);
    case 'filling':
      return s.note(code, `${text}; the guest runs on and waits for the pages it touches`);
    default: // FINAL is whole: decide alone
  }
}

/** Another migration of this guest is offered, while the source of this one is away. */
export function superseded(s: DestinationState, text: string): void {
  if (s.undecided()) renounce(s, { code: 'VMOTION_SUPERSEDED', text });
  else if (s.phase === 'running') s.finish('running', 'VMOTION_SUPERSEDED', text);
}

export function resumed(s: DestinationState, m: Resume): void {
  if (s.offer === null) return unknownResumed(s, m);
  if (m.migrationId !== s.offer.migrationId || m.epoch !== s.offer.epoch) return unexpected(s, 'resume');
  switch (s.phase) {
    case 'receiving':
      return takeUpRounds(s, m);
    case 'verifying':
    case 'loading':
    case 'deciding':
    case 'starting':
      s.resumeDue = m;
      return;
    case 'filling':
      s.do({ type: 'take-up', round: m.round, final: false });
      return s.do({ type: 'tell-missing' });
    case 'running':
      sayComplete(s);
      return s.do({ type: 'send-hashes' });
    default:
  }
}

/** RESUME names no store of records, so nothing is decided by it: a source in doubt asks. */
function unknownResumed(s: DestinationState, { migrationId }: Resume): void {
  const recorded = s.options.decisionOf?.(migrationId) ?? null;
  const verdict = recorded === null ? 'unknown' : recorded === 'RUNNING' ? 'running' : 'never';
  s.send({ type: 'answer', migrationId, verdict });
}

/** Rounds go on, or the final flight comes again. In rounds the guest runs at the source: it needs no frame of ours. */
function takeUpRounds(s: DestinationState, m: Resume): void {
  s.round = m.round - 1;
  s.final = null;
  s.missing = null;
  s.incomplete = s.postCopied = false;
  s.flightPages = -1;
  const kept = s.frames.takeAll();
  if (m.final) {
    s.armRound = s.round;
    s.deadlineNs = s.nowNs + s.timers.finalNs;
    // The source forwards again what it kept, and that is all but group frames.
    for (const bytes of kept) if ((bytes[0]! & 1) !== 0) s.frames.push(bytes);
  } else {
    s.armRound = 0;
    s.ready = false;
    s.deadlineNs = s.nowNs + s.timers.precopyNs;
  }
  s.do({ type: 'take-up', round: m.round, final: m.final });
  s.do({ type: 'tell-missing' });
}

export function missingTold(s: DestinationState, round: number, missing: PageSet): void {
  if (s.offer === null) return; // nobody has asked
  const { migrationId } = s.offer;
  s.send({ type: 'lacks', migrationId, round, missing: encodePageSet(missing) });
}

export function asked(s: DestinationState, m: Ask): void {
  const { storeId, decisionOf } = s.options;
  const ours = m.migrationId === s.offer?.migrationId;
  if (ours && m.storeId === storeId && s.started) {
    const { migrationId, epoch } = s.offer!;
    return s.send({ type: 'started', migrationId, epoch, times: s.times });
  }
  const live = ours && s.phase !== 'over';
  // RUNNING is on record before the guest starts: STARTED follows.
  const recorded = decisionOf?.(m.migrationId) ?? null;
  const decision = ours ? (s.phase === 'starting' ? null : s.decision) : recorded;
  const verdict = answerAsk(m, { storeId, decision, live });
  if (verdict === 'record-never') return decideNever(s, m);
  s.send({ type: 'answer', migrationId: m.migrationId, verdict });
}

/** This host was never offered it, or has forgotten: from now on it will never start it. */
function decideNever(s: DestinationState, m: Ask): void {
  if (s.phase !== 'idle') return;
  s.askedBy = m;
  s.reason = { code: 'VMOTION_RESOLVED', text: 'asked for a migration that is not known here' };
  s.enter('renouncing', NEVER_NS);
  s.do({ type: 'record', record: 'NEVER' });
}
