/**
 * What goes into the source machine and what comes out of it: options, timers, events, actions.
 * `source.ts` has the machine.
 */
import { NS_PER_S, type PageSet, type Woke } from '../core/index.js';
import type { ConvergencePolicy } from './convergence-contract.js';
import type { Hash64, Message, MigrationMode } from './messages.js';
import type { TimelineEvent } from './timeline.js';

/** Every wait of the source has an end. Durations in nanoseconds. */
export interface SourceTimers {
  /** OFFER → ACCEPT or REFUSE. Over: aborted. */
  readonly acceptNs: number;
  /** PINGs → the last PONG. Over: aborted. */
  readonly pongNs: number;
  /** From the first round on, until the last one has left. Over: aborted, the guest stays. */
  readonly precopyNs: number;
  /** The last byte of a round handed over → ROUND_DONE. Over: aborted. */
  readonly roundDoneNs: number;
  /** ROUND_DONE of the last round → READY. Over: aborted. */
  readonly readyNs: number;
  /** Each local step: harvest, pause, save. Over: aborted, the guest resumes. */
  readonly localNs: number;
  /** The final flight handed over, while the guest stands. Over: aborted, the guest resumes. */
  readonly finalFlightNs: number;
  /** FINAL → STARTED or NACK. Over: in doubt. */
  readonly startedNs: number;
  /** STARTED or COMPLETE → the last HASHES. Over: completed, without the proof. */
  readonly proofNs: number;
  /** While pages are served in post-copy. Over: an alarm, and the wait goes on. */
  readonly servingAlarmNs: number;
}

export const SOURCE_TIMERS: SourceTimers = Object.freeze({
  acceptNs: 10 * NS_PER_S,
  pongNs: 5 * NS_PER_S,
  precopyNs: 120 * NS_PER_S,
  roundDoneNs: 30 * NS_PER_S,
  readyNs: 5 * NS_PER_S,
  localNs: 10 * NS_PER_S,
  finalFlightNs: 2 * NS_PER_S,
  startedNs: 5 * NS_PER_S,
  proofNs: 30 * NS_PER_S,
  servingAlarmNs: 10 * NS_PER_S,
});

export interface SourceOptions {
  /** 32 hexadecimal digits, random: the name of this migration for ever. */
  readonly migrationId: string;
  readonly guest: string;
  /** Higher than any earlier migration's of this guest. */
  readonly epoch: number;
  /** Pages of the guest's memory. */
  readonly pages: number;
  /** Page streams, 1..16. */
  readonly streams: number;
  /** This host's store of records, 32 hexadecimal digits. */
  readonly storeId: string;
  /** Largest device state in bytes; default the protocol's limit. */
  readonly stateBytesMax?: number;
  /** Default pre-copy. A destination that cannot catch missing pages makes pre-copy of hybrid and refuses post-copy. */
  readonly mode?: MigrationMode;
  /** Codecs for pages as an offer lists them (`codecList`). Default none. */
  readonly codecs?: string;
  /** Which machines the guest's state goes to. Default empty: any of as much memory. */
  readonly shape?: string;
  /** When to pause; default `predictivePolicy` with the three options below. */
  readonly policy?: ConvergencePolicy;
  readonly pauseTargetNs?: number;
  readonly maxRounds?: number;
  /** Whether the guest may be slowed when rounds do not converge. */
  readonly slowGuest?: boolean;
  /** Short for `timers.precopyNs`. */
  readonly precopyLimitNs?: number;
  /** PINGs by which the round trip is measured before the first round; default 4. */
  readonly probes?: number;
  /** Pages that the pause of a post-copy move carries, those just written first; default 16. */
  readonly flightPages?: number;
  readonly timers?: Partial<SourceTimers>;
  /** Bounds of what is kept for the guest while it stands. */
  readonly lateFramesMax?: number;
  readonly lateFrameBytesMax?: number;
}

export type SourceEvent =
  | Woke
  | { readonly type: 'start' }
  | { readonly type: 'received'; readonly message: Message }
  /** Pages written since the previous harvest. The set is the machine's from now on. */
  | { readonly type: 'harvested'; readonly dirty: PageSet; readonly dirtyPages: number }
  /**
   * Every byte of the round and the END on every stream are handed to the transport. `setHash` is the
   * digest over all pages as they were last sent, less those that `send-pages` called missing; it counts at the final
   * flight.
   */
  | {
      readonly type: 'round-sent';
      readonly round: number;
      readonly pages: number;
      readonly zeroPages: number;
      readonly bytes: number;
      readonly setHash: Hash64;
    }
  | { readonly type: 'guest-paused' }
  /** The machine keeps a reference to `state` until FINAL has left. */
  | { readonly type: 'state-saved'; readonly state: Uint8Array; readonly stateHash: Hash64 }
  | { readonly type: 'recorded'; readonly record: 'COMMIT' | 'ENDED' }
  /** The record is not in the store and will not come to be. */
  | { readonly type: 'record-failed'; readonly record: 'COMMIT' | 'ENDED'; readonly text: string }
  /** A frame for the guest reached the source's port. Copied. */
  | { readonly type: 'late-frame'; readonly bytes: Uint8Array }
  | { readonly type: 'connection-lost'; readonly text: string }
  /** After `connection-lost`, a new control connection to the same peer is there to be used: the machine asks, or resumes. */
  | { readonly type: 'reconnected' }
  /** The other host lives and its process does not: nobody will ever answer. */
  | { readonly type: 'peer-gone'; readonly text: string }
  /** In doubt, or serving a peer that is gone, an operator's word; `never` says that answers given since the pause may be undone. */
  | { readonly type: 'resolved'; readonly verdict: 'running' | 'never'; readonly text: string }
  /** The peer sent what a decoder refused. */
  | { readonly type: 'violation'; readonly code: string; readonly text: string }
  | { readonly type: 'cancel'; readonly text: string };

export type SourceOutcome = 'completed' | 'refused' | 'aborted' | 'in-doubt';

/** A driver performs them in order. */
export type SourceAction =
  | { readonly type: 'send'; readonly message: Message }
  /** Collect and re-arm the dirty log; the first one starts it. */
  | { readonly type: 'harvest' }
  /**
   * Send these pages and END on every stream; the set does not change until `round-sent`. `missing` are pages that the
   * destination will lack when the guest starts there: they leave the set-hash now. Null before the final flight.
   */
  | {
      readonly type: 'send-pages';
      readonly round: number;
      readonly pages: PageSet;
      readonly final: boolean;
      readonly missing: PageSet | null;
    }
  /**
   * Post-copy: send these pages, what is demanded first, then END on every stream. `hot` go before the others. Given
   * again after a link break, with what the destination lacks then. The sets are the driver's from now on.
   */
  | {
      readonly type: 'serve-pages';
      readonly round: number;
      /** Push nothing earlier, so that FINAL is alone on its way; a demand is answered at once. */
      readonly pushFromNs: number;
      readonly pages: PageSet;
      readonly hot: PageSet | null;
    }
  /** Keep the guest from running for this share of its time, 0..1; 0 lets it run freely. */
  | { readonly type: 'slow-guest'; readonly share: number }
  | { readonly type: 'pause-guest' }
  | { readonly type: 'save-state' }
  /** Also takes back a pause that is under way. */
  | { readonly type: 'resume-guest' }
  | { readonly type: 'record'; readonly record: 'COMMIT' | 'ENDED' }
  /** From now on read the guest's port and give `late-frame`. */
  | { readonly type: 'forward-late-frames' }
  /** To the resumed guest, oldest first. */
  | { readonly type: 'deliver-late-frames'; readonly frames: readonly Uint8Array[] }
  /** The guest runs elsewhere: its memory here may be hashed once more for the proof, and is free after `finished`. */
  | { readonly type: 'release-guest' }
  | { readonly type: 'report'; readonly event: TimelineEvent }
  /** Once; after `in-doubt` once more, when the doubt is settled. */
  | {
      readonly type: 'finished';
      readonly outcome: SourceOutcome;
      readonly code: string;
      readonly text: string;
    };

/** The states of the source, in the order of the good path, then the ways out. */
export type SourcePhase =
  | 'idle'
  | 'offering'
  | 'probing'
  | 'tracking'
  | 'round'
  | 'harvesting'
  | 'last-round'
  | 'reconnecting'
  | 'pausing'
  | 'saving'
  | 'final-flight'
  | 'committing'
  | 'committed'
  | 'serving'
  | 'ending'
  | 'proving'
  | 'withdrawing'
  | 'returning'
  | 'in-doubt'
  | 'over';
