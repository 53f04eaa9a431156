/**
 * What the lab and the fabric's thread say to each other. Requests go one way with a doorbell (the thread sleeps
 * in ppoll, not in libuv), answers come back as ordinary messages.
 */

import type { FiberCounters, FiberSettings, LaneSettings } from '../fiber/index.js';
import type { BridgeCounters } from '../l2/index.js';
import type { PortKind } from '../l2/ports/index.js';

export type SiteName = 'a' | 'b';
export type PortRole = 'guest' | 'vmk' | 'client';
/** `deadline` spins only just before a release, `always` never sleeps, `never` always sleeps. */
export type SpinMode = 'deadline' | 'always' | 'never';

export interface PortSpec {
  readonly name: string;
  readonly site: SiteName;
  readonly role: PortRole;
  readonly kind: PortKind;
  /** A descriptor of this process; the fabric owns it from here on. */
  readonly fd: number;
}

export interface FabricSettings {
  readonly fiber: FiberSettings;
  /** `guest-first`: guest and client traffic ahead of vMotion's at the fiber's entry. */
  readonly qos: 'guest-first' | 'none';
  readonly spin: SpinMode;
  readonly seed: string;
}

export type FabricRequest =
  | { readonly type: 'add-port'; readonly id: number; readonly port: PortSpec }
  | { readonly type: 'remove-port'; readonly id: number; readonly name: string }
  | {
      readonly type: 'change-fiber';
      readonly id: number;
      readonly direction: 'a-b' | 'b-a';
      readonly set: Partial<LaneSettings>;
    }
  | { readonly type: 'snapshot'; readonly id: number }
  | { readonly type: 'stop'; readonly id: number };

export type FabricReply =
  | { readonly type: 'done'; readonly id: number }
  | { readonly type: 'failed'; readonly id: number; readonly code: string; readonly text: string }
  | { readonly type: 'snapshot'; readonly id: number; readonly snapshot: FabricSnapshot }
  /** Unasked: a port's interface or peer has vanished; the rest goes on. */
  | { readonly type: 'port-gone'; readonly name: string };

/** How late releases were, in ns: the instant just before the write, minus when the frame was due. */
export interface Lateness {
  readonly p50Ns: number;
  readonly p99Ns: number;
  readonly p999Ns: number;
  readonly maxNs: number;
  readonly count: number;
}

export interface PortCounters {
  readonly name: string;
  readonly site: SiteName;
  readonly role: PortRole;
  framesIn: number;
  bytesIn: number;
  /** What those that went into the fiber occupy there: preamble, FCS, gap and repeated headers included. */
  wireBytesIn: number;
  framesOut: number;
  bytesOut: number;
  /** Frames not sent because the receiver's queue was full, they were too long, or the port was gone. */
  busy: number;
  tooLong: number;
  gone: number;
}

/** Everything the fabric has counted since it began. */
export interface FabricSnapshot {
  readonly ports: readonly PortCounters[];
  readonly bridges: Readonly<Record<SiteName, BridgeCounters>>;
  readonly fiber: FiberCounters;
  readonly lateness: Lateness;
  /** Super-frames cut at the fiber's entry because their serialisation takes longer than 50 µs. */
  readonly cutAtEntry: number;
  /** Super-frames cut around packets that the fiber lost. */
  readonly cutAroundLoss: number;
  readonly poolBytes: number;
}
