/**
 * What goes into the destination machine and what comes out of it: options, timers, events, actions.
 * `destination.ts` has the machine.
 */
import { NS_PER_S, type PageSet, type Woke } from '../core/index.js';
import type { Hash64, Message, MigrationMode } from './messages.js';
import type { TimelineEvent } from './timeline.js';

/** Every wait of the destination has an end, except for its own records. Durations in nanoseconds. */
export interface DestinationTimers {
  /** OFFER → `prepared`. Over: refused. */
  readonly prepareNs: number;
  /** ACCEPT → READY: longer than any source's pre-copy. Over: NEVER. */
  readonly precopyNs: number;
  /** READY → FINAL and the whole final flight. Over: NEVER. */
  readonly finalNs: number;
  /** Each local step before the decision: arm, verify, load. Over: NEVER. */
  readonly localNs: number;
  /** STARTED → ENDED. Over: finished, the guest runs on. */
  readonly endedNs: number;
  /** The connection was lost before FINAL was whole → the source is back. Over: NEVER. */
  readonly absentNs: number;
  /** While pages are missing under the running guest. Over: an alarm, and the wait goes on. */
  readonly fillingAlarmNs: number;
  /** Guest started → its own port is no longer compared with forwarded frames. */
  readonly duplicateWindowNs: number;
}

export const DESTINATION_TIMERS: DestinationTimers = Object.freeze({
  prepareNs: 30 * NS_PER_S,
  precopyNs: 86_400 * NS_PER_S,
  finalNs: 60 * NS_PER_S,
  localNs: 10 * NS_PER_S,
  endedNs: 120 * NS_PER_S,
  absentNs: 600 * NS_PER_S,
  fillingAlarmNs: 10 * NS_PER_S,
  duplicateWindowNs: NS_PER_S / 2,
});

export interface DestinationOptions {
  /** The guest this host has a place for. */
  readonly guest: string;
  /** Pages of that place. */
  readonly pages: number;
  /** This host's store of records, 32 hexadecimal digits. */
  readonly storeId: string;
  /** Whether this host can start a guest some of whose pages are missing. Default true. */
  readonly catchesFaults?: boolean;
  /** Codecs for pages that this host can undo. Default none. */
  readonly codecs?: readonly string[];
  /** Shape of the machine in that place. Default empty: a model that takes any state of as much memory. */
  readonly shape?: string;
  /** Default 16. */
  readonly streamsMax?: number;
  /** Default the protocol's limit. */
  readonly stateBytesMax?: number;
  /** The highest epoch on record for a guest; an offer must be higher. Default: none is known. */
  readonly epochOf?: (guest: string) => number | null;
  /** What is on record under a migration's name; a name is used once. Default: nothing is. */
  readonly decisionOf?: (migrationId: string) => 'RUNNING' | 'NEVER' | null;
  readonly timers?: Partial<DestinationTimers>;
  /** Bounds of what is kept for the guest until it runs. */
  readonly lateFramesMax?: number;
  readonly lateFrameBytesMax?: number;
}

export type DestinationEvent =
  | Woke
  | { readonly type: 'received'; readonly message: Message }
  /** Memory for the guest is there and the page streams are awaited. */
  | { readonly type: 'prepared' }
  | { readonly type: 'prepare-failed'; readonly code: string; readonly text: string }
  /**
   * Every stream saw the END of this round and all of it lies in memory, but for the pages of `missed`, if there are
   * any: those came as something that is not held here. `pages` counts all that came.
   */
  | {
      readonly type: 'round-applied';
      readonly round: number;
      readonly pages: number;
      readonly missed?: PageSet;
    }
  /** The guest's port is open and its thread stands at the start line. */
  | { readonly type: 'armed' }
  | { readonly type: 'verified'; readonly ok: boolean; readonly text: string }
  | { readonly type: 'state-loaded' }
  | { readonly type: 'state-refused'; readonly text: string }
  | { readonly type: 'recorded'; readonly record: 'RUNNING' | 'NEVER' }
  /** The record is not in the store and will not come to be. */
  | { readonly type: 'record-failed'; readonly record: 'RUNNING' | 'NEVER'; readonly text: string }
  | { readonly type: 'guest-started'; readonly atNs: number }
  /** Every page that FINAL called missing lies in its place, verified. */
  | { readonly type: 'all-present' }
  /** The source has come back over a new control connection; the one before is closed. */
  | { readonly type: 'reconnected' }
  /** What `tell-missing` asked, as LACKS has it. The set is the machine's from now on. */
  | { readonly type: 'missing-told'; readonly round: number; readonly missing: PageSet }
  /** Another migration of this guest is offered: what is not decided yet never will be, what runs has nobody to tell. */
  | { readonly type: 'superseded'; readonly text: string }
  /** A frame for the guest reached its own port here, from `arm` until `nic-direct`. Copied. */
  | { readonly type: 'nic-frame'; readonly bytes: Uint8Array }
  | { readonly type: 'connection-lost'; readonly text: string }
  /** The peer sent what a decoder refused, on the control connection or on a page stream. */
  | { readonly type: 'violation'; readonly code: string; readonly text: string }
  | { readonly type: 'cancel'; readonly text: string };

/** `never`: FINAL had come, and NEVER stands on record. `aborted`: it ended before FINAL. */
export type DestinationOutcome = 'running' | 'refused' | 'aborted' | 'never';

/** A driver performs them in order. */
export type DestinationAction =
  | { readonly type: 'send'; readonly message: Message }
  | {
      readonly type: 'prepare';
      readonly migrationId: string;
      readonly guest: string;
      readonly epoch: number;
      readonly pages: number;
      readonly streams: number;
      readonly mode: MigrationMode;
      /** The minor version that both sides speak. */
      readonly minor: number;
      /** What compressed pages come in; empty for nothing. */
      readonly codec: string;
    }
  /**
   * Open the guest's port and park its thread at the start line. In post-copy and hybrid catch missing pages from now
   * on, and drop the pages of `left`. Rounds behind `round` go through staging memory.
   */
  | { readonly type: 'arm'; readonly round: number; readonly left: PageSet }
  /**
   * Drop the pages of `missing`, and compare what is left of the kept set-hash, and the state's digest, with these.
   * Pages that come from now on fill `missing`.
   */
  | {
      readonly type: 'verify';
      readonly setHash: Hash64;
      readonly stateHash: Hash64;
      readonly state: Uint8Array;
      readonly missing: PageSet;
    }
  /** Give `missing-told`: before the guest starts, what did not come in the last round of which anything came. */
  | { readonly type: 'tell-missing' }
  /**
   * The source is back: page and demand links of before are closed, those that come now begin with `round`. Without
   * `final` what `arm` did is taken back, except that missing pages are caught as long as some are missing.
   */
  | { readonly type: 'take-up'; readonly round: number; readonly final: boolean }
  | { readonly type: 'load-state'; readonly state: Uint8Array }
  | { readonly type: 'record'; readonly record: 'RUNNING' | 'NEVER' }
  | { readonly type: 'start-guest' }
  /** Tell the segment where the guest is; the first round before this action returns. */
  | { readonly type: 'announce' }
  /** To the running guest. */
  | { readonly type: 'inject-frame'; readonly bytes: Uint8Array }
  /** From now on the port's frames go straight to the guest. */
  | { readonly type: 'nic-direct' }
  /** Send HASHES for all pages, in order of pfn, as the connection takes them. */
  | { readonly type: 'send-hashes' }
  /** The memory and all that was prepared goes. */
  | { readonly type: 'discard' }
  /** The source's last word is here: what is on record of this migration may go. */
  | { readonly type: 'forget-records' }
  | { readonly type: 'report'; readonly event: TimelineEvent }
  | {
      readonly type: 'finished';
      readonly outcome: DestinationOutcome;
      readonly code: string;
      readonly text: string;
    };

export type DestinationPhase =
  | 'idle'
  | 'preparing'
  | 'receiving'
  | 'verifying'
  | 'loading'
  | 'deciding'
  | 'starting'
  | 'filling'
  | 'running'
  | 'renouncing'
  | 'over';
