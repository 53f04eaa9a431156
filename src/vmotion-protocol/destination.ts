/**
 * The destination of a migration. Sans-IO: events in, actions out. It decides RUNNING or NEVER once per
 * migration, and puts the decision on record before it acts on it. Rules 1–7 of docs/design.md, "Protocol".
 *
 *   idle ─OFFER─► preparing ─prepared─► receiving ──┐ rounds, ROUND_DONE; ARM, armed, READY
 *     │ REFUSE        │ REFUSE               ▲──────┘
 *     ▼               ▼                      │ FINAL and the final flight, in either order
 *    over            over                    ▼
 *                                        verifying ─ok─► loading ─state-loaded─► deciding
 *          ABORT, violation,                 │              │                       │ RUNNING recorded
 *          timeout before FINAL is whole     │ differs      │ refused               ▼
 *               │                            ▼              ▼                    starting ─guest-started─► announce,
 *               └─────────────────────► renouncing ◄── RUNNING not recorded ──┘                        STARTED
 *                                            │ NEVER recorded: NACK, discard                       missing? │
 *                                            ▼                                                      ┌──yes──┴─no─┐
 *                                          over ◄───────── ENDED, lost, timeout ── running ◄── filling           │
 *                                                                                  HASHES  all-present:          │
 *                                                                                    ▲     COMPLETE              │
 *                                                                                    └───────────────────────────┘
 *
 * A lost connection changes no state from `receiving` on: what came is kept, and the source comes back (`destination-link.ts`).
 * In `filling` the guest runs and waits for pages that it touches. Nothing ends that but the last page: a lost
 * connection raises an alarm, and over a new one RESUME is answered with LACKS.
 * Once FINAL and its pages are whole, the connection is of no account: the source has committed, so the
 * guest is started here or on record as never to be. A FINAL that comes after NEVER is answered by NACK again.
 * Here an event finds the function that answers it; `destination-state.ts` is what the phases share.
 * Left out: authentication (the transport's).
 */
import type { Machine } from '../core/index.js';
import type {
  DestinationAction,
  DestinationEvent,
  DestinationOptions,
  DestinationPhase,
} from './destination-contract.js';
import { frame, nicDirect } from './destination-frames.js';
import { asked, connectionLost, missingTold, resumed, superseded } from './destination-link.js';
import {
  aborted,
  cancel,
  neverRecorded,
  recordFailed,
  renounce,
  unexpected,
  violation,
} from './destination-never.js';
import { accept, offered, prepareFailed, refuse } from './destination-offer.js';
import { allPresent } from './destination-postcopy.js';
import { DestinationState, NEVER_NS } from './destination-state.js';
import {
  armOrdered,
  decideRunning,
  finalCame,
  guestStarted,
  roundApplied,
  runningRecorded,
  verified,
} from './destination-switchover.js';
import type { Message } from './messages.js';

export class Destination implements Machine<DestinationEvent, DestinationAction> {
  readonly #s: DestinationState;

  /** @throws ConfigError VMOTION_CONFIG_RANGE */
  constructor(options: DestinationOptions) {
    this.#s = new DestinationState(options);
  }

  get phase(): DestinationPhase {
    return this.#s.phase;
  }

  /** All that decides what it does next: for those who compare or print machines, not to be written. */
  get state(): Readonly<DestinationState> {
    return this.#s;
  }

  nextWakeNs(): number {
    return Math.min(this.#s.deadlineNs, this.#s.nicDirectNs);
  }

  step(nowNs: number, event: DestinationEvent, out: DestinationAction[]): void {
    const s = this.#s;
    s.nowNs = nowNs;
    s.out = out;
    const { phase } = s;
    switch (event.type) {
      case 'received':
        this.#received(event.message);
        break;
      case 'prepared':
        if (phase === 'preparing') accept(s);
        break;
      case 'prepare-failed':
        if (phase === 'preparing') prepareFailed(s, event);
        break;
      case 'round-applied':
        if (phase === 'receiving') roundApplied(s, event.round, event.pages, event.missed);
        break;
      case 'armed':
        if (phase === 'receiving' && s.armRound > 0 && !s.ready) {
          s.ready = true;
          s.deadlineNs = nowNs + s.timers.finalNs;
          s.send({ type: 'ready' });
        }
        break;
      case 'verified':
        if (phase === 'verifying') verified(s, event.ok, event.text);
        break;
      case 'state-loaded':
        if (phase === 'loading') decideRunning(s);
        break;
      case 'state-refused':
        if (phase === 'loading') renounce(s, { code: 'VMOTION_STATE_REFUSED', text: event.text });
        break;
      case 'recorded':
        if (event.record === 'RUNNING') runningRecorded(s);
        else neverRecorded(s);
        break;
      case 'record-failed':
        recordFailed(s, event.record, event.text);
        break;
      case 'guest-started':
        if (phase === 'starting') guestStarted(s, event.atNs);
        break;
      case 'all-present':
        allPresent(s);
        break;
      case 'reconnected':
        s.connected = true;
        break;
      case 'missing-told':
        missingTold(s, event.round, event.missing);
        break;
      case 'nic-frame':
        frame(s, 'flooded', event.bytes);
        break;
      case 'connection-lost':
        connectionLost(s, event.text);
        break;
      case 'superseded':
        superseded(s, event.text);
        break;
      case 'violation':
        violation(s, event);
        break;
      case 'cancel':
        cancel(s, event.text);
        break;
      case 'woke':
        if (nowNs >= s.nicDirectNs) nicDirect(s);
        if (nowNs >= s.deadlineNs) this.#expired();
        break;
    }
  }

  #received(m: Message): void {
    const s = this.#s;
    switch (m.type) {
      case 'offer':
        return s.phase === 'idle' ? offered(s, m) : unexpected(s, m.type);
      case 'ping':
        return s.send({ type: 'pong', seq: m.seq });
      case 'arm':
        return s.phase === 'receiving' ? armOrdered(s, m) : unexpected(s, m.type);
      case 'final':
        return finalCame(s, m);
      case 'resume':
        return resumed(s, m);
      case 'frame':
        return frame(s, 'forwarded', m.bytes);
      case 'ended':
        return this.#ended(m.migrationId);
      case 'abort':
        return aborted(s, m);
      case 'ask':
        return asked(s, m);
      case 'reject':
        return s.note(m.code, m.text);
      default:
        return unexpected(s, m.type);
    }
  }

  #ended(migrationId: string): void {
    const s = this.#s;
    if (migrationId !== s.offer?.migrationId || s.decision === null) return unexpected(s, 'ended');
    s.do({ type: 'forget-records' });
    if (s.phase === 'running') s.finish('running', 'VMOTION_OK', '');
  }

  #expired(): void {
    const s = this.#s;
    const code = 'VMOTION_LOCAL_TIMEOUT';
    switch (s.phase) {
      case 'preparing':
        return refuse(s, { code, text: 'the memory was not prepared in time' });
      case 'receiving': {
        const text = !s.connected
          ? 'the source did not come back'
          : s.ready
            ? 'FINAL or its pages did not come'
            : 'the source did not come to an end';
        return renounce(s, { code: 'VMOTION_FINAL_STALLED', text });
      }
      case 'verifying':
      case 'loading':
        return renounce(s, { code, text: `a local step took too long in phase ${s.phase}` });
      case 'filling': {
        s.deadlineNs = s.nowNs + s.timers.fillingAlarmNs;
        const link = s.connected ? 'the link stands' : 'the link is broken';
        return s.note(
          'VMOTION_POSTCOPY_STALLED',
          `pages are still missing, ${link}: the guest may be stalled`,
        );
      }
      case 'running': {
        const text = 'the source did not say ENDED';
        if (!s.postCopied) return s.finish('running', 'VMOTION_ENDED_TIMEOUT', `${text}; the records stay`);
        // The source keeps its memory until it hears COMPLETE, and comes back to ask however late.
        s.deadlineNs = s.nowNs + s.timers.endedNs;
        return s.note('VMOTION_ENDED_TIMEOUT', `${text}; it is told again that all has come when it is back`);
      }
      default:
        s.deadlineNs = NEVER_NS;
    }
  }
}
