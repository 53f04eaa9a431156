/**
 * What the lab and a host's process say to each other (IPC of node:child_process), and what the host's main
 * thread and its endpoint thread say (message port and doorbell). Reports flow up, orders flow down.
 */
import type { DirtyOptions, FillKind } from '../guest/index.js';
import type {
  MigrationMode,
  PauseInstants,
  PipelineSavings,
  RefusalCounts,
  StartedTimes,
  Switch,
} from '../vmotion-protocol/index.js';
import type { RunKey } from '../vmotion-protocol/transport/index.js';
import type { MissingFigures } from './missing-memory.js';
import type { NamedPoint } from './named-points.js';
import type { Durability } from './records.js';
import type { TransportFigures } from './transport-figures.js';

/** How a host's vMotion port reaches the segment. Descriptors are inherited ones. */
export type VmkAttach =
  | { readonly kind: 'kernel'; readonly netnsFd: number; readonly mtu: number }
  | {
      readonly kind: 'datagram';
      readonly fd: number;
      readonly fabricUdpPort: number;
      readonly mac: number;
      readonly mtu: number;
    };

/** How memory travels between the hosts. */
export type TransportOrders =
  | {
      readonly kind: 'tcp';
      /** The kernel's congestion control by name; null for the one it takes by itself. */
      readonly congestion: string | null;
      /** Upper limit, wire bits a second; null for none. */
      readonly rateBps: number | null;
    }
  | {
      readonly kind: 'udp';
      readonly congestion: 'bbr' | 'cubic';
      readonly rateBps: number | null;
      /** Whether parity covers the flight that ends the pause. */
      readonly fec: boolean;
    }
  | { readonly kind: 'udp'; readonly congestion: 'fixed'; readonly rateBps: number; readonly fec: boolean };

interface AnyGuestOrders {
  readonly name: string;
  readonly memoryBytes: number;
  readonly mac: number;
  readonly ip: number;
}
/** A model: a thread that writes memory as told and answers from it. */
export interface WorkloadOrders extends AnyGuestOrders {
  readonly kind: 'workload';
  readonly fill: FillKind;
  readonly seed: number;
  readonly dirty: DirtyOptions;
}
/** A real machine. What it does with its memory is its image's business. */
export interface PcOrders extends AnyGuestOrders {
  readonly kind: 'pc';
  /** The multiboot image's file. */
  readonly image: string;
  readonly commandLine: string;
  /** Files of a machine that has booted before, its memory and the rest of its state: it goes on from there. */
  readonly saved: { readonly memoryFile: string; readonly stateFile: string } | null;
  /** File to which both hosts append what the machine prints; null for none. */
  readonly consolePath: string | null;
}
export type GuestOrders = WorkloadOrders | PcOrders;

export interface HostOrders {
  readonly site: 'a' | 'b';
  readonly vmk: VmkAttach;
  readonly vmkIp: number;
  readonly peerIp: number;
  readonly vmotionPort: number;
  readonly transport: TransportOrders;
  /** The guest's NIC: an inherited UDP descriptor and the fabric's port on 127.0.0.1. */
  readonly nicFd: number;
  readonly nicFabricPort: number;
  readonly recordsPath: string;
  /** What the run's two hosts share; null for a run in clear. */
  readonly runKey: RunKey | null;
  readonly durable: Durability;
  readonly guest: GuestOrders;
  /** The file that guest memory is, on tmpfs; null for memory of this process alone. */
  readonly memoryFile: string | null;
  /** This host's process ended before and is started again over what it left. */
  readonly again: boolean;
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
  /** Whether all memory is compared page by page when the guest has moved. */
  readonly verify: boolean;
  /** How long the pause is put off once, so that a fiber that is to be cut in the switchover is cut by then; else 0. */
  readonly holdNs: number;
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
  /** Test hook: the host gets this signal when it passes the point. */
  | { readonly type: 'signal-at'; readonly point: NamedPoint; readonly signal: 'SIGKILL' | 'SIGSTOP' }
  /** Whether the guest's thread runs here, as the guest itself says. */
  | { readonly type: 'standing' }
  | { readonly type: 'peak' }
  /** Asks what the record layer has turned away. */
  | { readonly type: 'refusals' }
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
  readonly transport: TransportFigures | null;
  /** Null when no page was sent, or the destination takes none that is encoded. */
  readonly pipeline: PipelineReport | null;
  readonly framesForwarded: number;
  /** Times that links which carried pages broke and were dialled again. */
  readonly linkBreaks: number;
  /** Pages given to links that broke, and sent again since they had not come. */
  readonly pagesResent: number;
  readonly memoryIdentical: boolean | null;
  /** Pages whose hashes differed, when they were compared. */
  readonly pagesDiffering: number;
}

export type HostReport =
  | {
      readonly type: 'ready';
      readonly dirtyLog: 'kernel' | 'scan';
      readonly why: string;
      /** The migration that a process before this one left in doubt, and whether its guest is found; null when none. */
      readonly doubt: { readonly migrationId: string; readonly memory: 'kept' | 'lost' } | null;
    }
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
      /** Packets that parity gave back. */
      readonly parityUsed: number;
    }
  /** The guest runs at the destination; told again, `whole`, when no page is missing any more. */
  | { readonly type: 'guest-here'; readonly atNs: number; readonly whole: boolean }
  | { readonly type: 'event'; readonly atNs: number; readonly what: string }
  | { readonly type: 'standing'; readonly runs: boolean }
  | { readonly type: 'peak'; readonly bytes: number }
  /** Null of a host that talks in clear. */
  | { readonly type: 'refusals'; readonly counts: RefusalCounts | null }
  | { readonly type: 'failed'; readonly code: string; readonly text: string };
