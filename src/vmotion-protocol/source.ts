/**
 * The source of a migration: pre-copy rounds, the switchover, post-copy. Sans-IO: events in, actions out.
 * Page bytes never pass through it, only sets of pages and counts. Rules 1–7 of docs/design.md, "Protocol".
 *
 *   idle ─start─► offering ─ACCEPT─► probing ─PONGs─► tracking ─harvested─► round ◄────────── continue ┐
 *                    │REFUSE                                                 │ sent, ROUND_DONE        │
 *                    ▼                                                       ▼                         │
 *                  over                                                  harvesting ─harvested, policy─┤
 *                                                                                                      │ switch
 *   ┌── ARM + last round: sent, ROUND_DONE, READY ◄──────────────────────────────── last-round ◄───────┘
 *   ▼
 *   pausing ─guest-paused─► saving ─harvested, state-saved─► final-flight ─round-sent─► committing
 *                                                                                          │ COMMIT recorded
 *                        resume, over ◄─ENDED recorded─ returning ◄─NACK─┐                 ▼ FINAL
 *                                                           ▲            ├──────────── committed
 *                                              NACK, ANSWER │            │                 │ STARTED
 *                                                       in-doubt ◄─lost, timeout           ▼
 *                                                           └──── STARTED, ANSWER ──────► pages missing? ──no──┐
 *                                                                                          │ yes               ▼
 *                                                                     lost: waits for ever serving ─COMPLETE─► ending
 *                                                                     reconnected: RESUME   └─◄─LACKS            │ ENDED recorded
 *                                                                                                                ▼
 *                                                                                              over ◄─HASHES─ proving
 *
 * From `round` to `final-flight` a lost connection leads to `reconnecting`, with the guest running, and from there over a
 * new one back to `round`; `source-link.ts` has it, and what the states behind `committed` do then.
 * Up to `committing` any other loss, timeout, cancel or violation leads back: ABORT, the guest resumes, over. If
 * COMMIT is just being written then, the guest resumes at once all the same (without FINAL nobody else can
 * start it) and `withdrawing` waits for the record, to close it with ENDED. From `committed` on the
 * guest resumes only on the destination's NEVER, or on an operator's.
 * Post-copy and hybrid: FINAL names the pages that the destination lacks; the guest stands, so their content is final,
 * and serving them begins behind FINAL without waiting for STARTED. Post-copy makes one round of no pages.
 * Here an event finds the function that answers it; `source-state.ts` is what the phases share, and each phase has a
 * file: offer, rounds, switchover, postcopy, proof, doubt, way-back. Left out: authentication (the transport's).
 */
import type { Machine } from '../core/index.js';
import type { Message, MigrationMode } from './messages.js';
import type { SourceAction, SourceEvent, SourceOptions, SourcePhase } from './source-contract.js';
import { answered, nacked, settle, settleServing } from './source-doubt.js';
import { connectionLost, lacksCame, peerGone, reconnected } from './source-link.js';
import { accepted, offer, pong } from './source-offer.js';
import { alarm } from './source-postcopy.js';
import { endRecorded, guestIsAway, hashesCame, withoutProof } from './source-proof.js';
import { precopyLimit, roundDone, roundMayEnd, roundSent } from './source-rounds.js';
import { SourceState } from './source-state.js';
import {
  commitRecorded,
  flightSent,
  guestPaused,
  harvested,
  lateFrame,
  started,
  stateSaved,
} from './source-switchover.js';
import { fail, recordFailed, violation } from './source-trouble.js';
import { giveUp, unexpected } from './source-way-back.js';

export class Source implements Machine<SourceEvent, SourceAction> {
  readonly #s: SourceState;

  /** @throws ConfigError VMOTION_CONFIG_RANGE */
  constructor(options: SourceOptions) {
    this.#s = new SourceState(options);
  }

  get phase(): SourcePhase {
    return this.#s.phase;
  }

  /** All that decides what it does next: for those who compare or print machines, not to be written. */
  get state(): Readonly<SourceState> {
    return this.#s;
  }

  /** How the memory moves; what both sides agreed on once ACCEPT has come. */
  get mode(): MigrationMode {
    return this.#s.log.mode;
  }

  /** The minor version that both sides speak; of account once ACCEPT has come. */
  get minor(): number {
    return this.#s.minor;
  }

  /** The codec that both sides have agreed on; empty before ACCEPT, and where there is none. */
  get codec(): string {
    return this.#s.codec;
  }

  nextWakeNs(): number {
    return this.#s.deadlineNs;
  }

  step(nowNs: number, event: SourceEvent, out: SourceAction[]): void {
    const s = this.#s;
    s.nowNs = nowNs;
    s.out = out;
    if (s.phase === 'over') return;
    switch (event.type) {
      case 'start':
        if (s.phase === 'idle') offer(s);
        break;
      case 'received':
        this.#received(event.message);
        break;
      case 'harvested':
        harvested(s, event.dirty, event.dirtyPages);
        break;
      case 'round-sent':
        if (s.phase === 'final-flight' || s.phase === 'in-doubt') flightSent(s, event);
        else roundSent(s, event);
        break;
      case 'guest-paused':
        if (s.phase === 'pausing') guestPaused(s);
        break;
      case 'state-saved':
        if (s.phase === 'saving') stateSaved(s, event.state, event.stateHash);
        break;
      case 'recorded':
        if (event.record === 'COMMIT') commitRecorded(s);
        else endRecorded(s);
        break;
      case 'record-failed':
        recordFailed(s, event.record, event.text);
        break;
      case 'late-frame':
        lateFrame(s, event.bytes);
        break;
      case 'connection-lost':
        connectionLost(s, event.text);
        break;
      case 'reconnected':
        reconnected(s);
        break;
      case 'peer-gone':
        peerGone(s, event.text);
        break;
      case 'resolved':
        if (s.phase === 'in-doubt') settle(s, event.verdict, event.text);
        else if (s.phase === 'serving') settleServing(s, event.verdict, event.text);
        break;
      case 'violation':
        violation(s, event.code, event.text);
        break;
      case 'cancel':
        if (s.beforeCommit()) giveUp(s, 'VMOTION_CANCELLED', event.text);
        else s.note('VMOTION_CANCELLED', `too late to cancel: ${event.text}`);
        break;
      case 'woke':
        if (nowNs >= s.deadlineNs) this.#expired();
        break;
    }
  }

  #received(m: Message): void {
    const s = this.#s;
    const { phase } = s;
    switch (m.type) {
      case 'accept':
        if (phase !== 'offering') return unexpected(s, m.type);
        return accepted(s, m);
      case 'refuse':
        if (phase !== 'offering') return unexpected(s, m.type);
        return s.finish('refused', m.code, m.text);
      case 'pong':
        if (phase !== 'probing') return unexpected(s, m.type);
        return pong(s, m.seq);
      case 'round-done':
        if (phase !== 'round' && phase !== 'last-round') return unexpected(s, m.type);
        return roundDone(s, m);
      case 'ready':
        if (phase !== 'last-round' || s.ready) return unexpected(s, m.type);
        s.ready = true;
        return roundMayEnd(s);
      case 'started':
        if (phase !== 'committed' && phase !== 'in-doubt') return unexpected(s, m.type);
        return started(s, m);
      case 'complete':
        if (m.migrationId !== s.options.migrationId) return unexpected(s, m.type);
        if (phase === 'ending' || phase === 'proving') return; // said again over a new connection
        return phase === 'serving' ? guestIsAway(s) : unexpected(s, m.type);
      case 'lacks':
        if (m.migrationId !== s.options.migrationId) return unexpected(s, m.type);
        if (phase !== 'serving' && phase !== 'reconnecting' && phase !== 'in-doubt')
          return unexpected(s, m.type);
        return lacksCame(s, m);
      case 'nack':
        if (m.migrationId !== s.options.migrationId) return unexpected(s, m.type);
        return nacked(s, m.code, m.text);
      case 'hashes':
        if (phase !== 'ending' && phase !== 'proving') return unexpected(s, m.type);
        return hashesCame(s, m);
      case 'answer':
        return answered(s, m);
      case 'abort': // a destination withdraws by NACK; after COMMIT only that counts
        if (s.beforeCommit()) return giveUp(s, m.code, m.text, false);
        return s.note(m.code, `the peer aborts after COMMIT: ${m.text}`);
      case 'reject':
        return s.note(m.code, m.text);
      default:
        return unexpected(s, m.type);
    }
  }

  #expired(): void {
    const s = this.#s;
    switch (s.phase) {
      case 'offering':
        return fail(s, 'VMOTION_ACCEPT_TIMEOUT', 'the destination did not answer the offer');
      case 'probing':
        return fail(s, 'VMOTION_PROBE_TIMEOUT', 'the destination did not answer a PING');
      case 'round':
      case 'last-round':
        if (!s.sent) return precopyLimit(s);
        if (!s.doneAtPeer) return fail(s, 'VMOTION_ROUND_STALLED', `round ${s.round} did not arrive`);
        return fail(s, 'VMOTION_READY_TIMEOUT', 'the destination did not get ready');
      case 'final-flight':
        return fail(s, 'VMOTION_FINAL_STALLED', 'the final flight did not leave');
      case 'committed':
        return fail(s, 'VMOTION_STARTED_TIMEOUT', 'the destination did not answer FINAL');
      case 'reconnecting':
        return precopyLimit(s);
      case 'serving':
        return alarm(s);
      case 'proving':
        return withoutProof(s);
      default:
        return fail(s, 'VMOTION_LOCAL_TIMEOUT', `a local step took too long in phase ${s.phase}`);
    }
  }
}
