/**
 * What the lab and a host's process say to each other (IPC of node:child_process), and what the host's main
 * thread and its endpoint thread say (message port and doorbell). Reports flow up, orders flow down.
 */
import type { DirtyOptions, FillKind } from '../guest/index.js';
import type {
  MigrationMode,
  PauseInstants,
  PipelineSavings,
  StartedTimes,
  Switch,
} from '../vmotion-protocol/index.js';
import type { MissingFigures } from './missing-memory.js';

/** How a host's vMotion port reaches the segment. Descriptors are inherited ones. */
export type VmkAttach =
  | { readonly kind: 'tcp'; readonly netnsFd: number }
  | {
      readonly kind: 'datagram';
      readonly fd: number;
      readonly fabricUdpPort: number;
      readonly mac: number;
      readonly mtu: number;
    };

export interface GuestOrders {
  readonly name: string;
  readonly memoryBytes: number;
  readonly mac: number;
  readonly ip: number;
  readonly fill: FillKind;
  readonly seed: number;
  readonly dirty: DirtyOptions;
}

export interface HostOrders {
  readonly site: 'a' | 'b';
  readonly vmk: VmkAttach;
  readonly vmkIp: number;
  readonly peerIp: number;
  readonly vmotionPort: number;
  /** The guest's NIC: an inherited UDP descriptor and the fabric's port on 127.0.0.1. */
  readonly nicFd: number;
  readonly nicFabricPort: number;
  readonly recordsPath: string;
  readonly guest: GuestOrders;
  /** Whether the guest is booted here, or this host stands by. */
  readonly boots: boolean;
}

/** How pages are made shorter. `auto` switches itself on where it pays at the present rate and CPU. */
export interface PipelineOrders {
  readonly compress: Switch;
  readonly delta: Switch;
  readonly dedup: Switch;
  /** Rate of the link as its operator knows it, bits per second: it chooses the codec, nothing else. Null: not known. */
  readonly linkRateBps: number | null;
}

export interface MigrationOrders {
  readonly migrationId: string;
  readonly epoch: number;
  readonly streams: number;
  readonly mode: MigrationMode;
  /** Whether the guest may be slowed when rounds do not converge. */
  readonly slowGuest: boolean;
  readonly pipeline: PipelineOrders;
  readonly pauseTargetNs: number;
  readonly maxRounds: number;
  readonly limitNs: number;
  /** Test hook: a byte of this page is changed on its way; null for none. */
  readonly corruptPfn: number | null;
  /** Test hook: this page is kept out of every harvest, as a faulty dirty log would; null for none. */
  readonly hiddenPfn: number | null;
}

export type HostRequest =
  | { readonly type: 'begin'; readonly orders: HostOrders }
  /** Lets the guest that was booted here run. */
  | { readonly type: 'start-guest' }
  | { readonly type: 'migrate'; readonly orders: MigrationOrders }
  | { readonly type: 'cancel'; readonly text: string }
  /** Settles a doubt: `ask` connects and asks the peer, the others are the verdict itself. */
  | {
      readonly type: 'resolve';
      readonly migrationId: string;
      readonly verdict: 'ask' | 'running' | 'never';
      readonly text: string;
    }
  | { readonly type: 'peak' }
  | { readonly type: 'end' };

/** A round as the source saw it. */
export interface RoundReport {
  readonly round: number;
  readonly startNs: number;
  readonly endNs: number;
  readonly dirtyPages: number;
  readonly pagesSent: number;
  readonly zeroPages: number;
  readonly bytes: number;
  readonly throughputBps: number;
  readonly dirtyRatePagesPerS: number;
  readonly predictedPauseNs: number | null;
  readonly etaNs: number | null;
  /** 0..1: how well the last prediction was met. */
  readonly confidence: number | null;
  /** What the policy decided and why, one line; null for the round before the pause. */
  readonly verdict: string | null;
}

/** Pages that travelled while the guest ran at the destination already. */
export interface ServedPages {
  /** Sent since the guest waited for them. */
  readonly demanded: number;
  /** Sent in the order of their places. */
  readonly pushed: number;
  /** Of both, those that were all zero and travelled as a number. */
  readonly zero: number;
  /** Sent once more, since they came damaged. */
  readonly again: number;
  readonly bytes: number;
}

/** What the pipeline did at the source. Pages and bytes are those of all rounds, the final flight and what was served. */
export interface PipelineReport extends PipelineSavings {
  /** The codec that was agreed on; null for none. */
  readonly codec: string | null;
  /** Pages that the destination could not make of what came, so that they went once more. */
  readonly misses: number;
}

/** What the source knows when its part in a migration is over. */
export interface SourceReport {
  readonly outcome: 'completed' | 'refused' | 'aborted' | 'in-doubt';
  readonly code: string;
  readonly text: string;
  /** As both sides agreed; null when they did not. */
  readonly mode: MigrationMode | null;
  readonly startNs: number;
  readonly startedReceivedNs: number;
  /** Instants of the switchover here; 0 where it was not reached. */
  readonly source: PauseInstants;
  readonly destination: StartedTimes | null;
  readonly rounds: readonly RoundReport[];
  readonly finalPages: number;
  readonly finalZeroPages: number;
  readonly finalBytes: number;
  /** Null when nothing was missing at the switchover. */
  readonly served: ServedPages | null;
  /** Null when no page was sent, or the destination takes none that is encoded. */
  readonly pipeline: PipelineReport | null;
  readonly framesForwarded: number;
  readonly memoryIdentical: boolean | null;
  /** Pages whose hashes differed, when they were compared. */
  readonly pagesDiffering: number;
}

export type HostReport =
  | { readonly type: 'ready'; readonly dirtyLog: 'kernel' | 'scan'; readonly why: string }
  | { readonly type: 'phase'; readonly phase: 'offer' | 'pre-copy' | 'switchover' | 'verify' }
  | {
      readonly type: 'pages';
      readonly round: number;
      readonly sent: number;
      readonly total: number;
      readonly rateBps: number;
    }
  | { readonly type: 'round'; readonly round: RoundReport }
  | { readonly type: 'source-finished'; readonly report: SourceReport }
  | {
      readonly type: 'destination-finished';
      readonly outcome: string;
      readonly code: string;
      readonly text: string;
      readonly announcedNs: number;
      /** Null in pre-copy. */
      readonly missing: MissingFigures | null;
    }
  | { readonly type: 'event'; readonly atNs: number; readonly what: string }
  | { readonly type: 'peak'; readonly bytes: number }
  | { readonly type: 'failed'; readonly code: string; readonly text: string };
