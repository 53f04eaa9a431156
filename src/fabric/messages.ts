/**
 * What the lab and the fabric's thread say to each other. Requests go one way with a doorbell (the thread sleeps
 * in ppoll, not in libuv), answers come back as ordinary messages.
 */

import type { FiberCounters, FiberSettings, LaneSettings, Timeline } from '../fiber/index.js';
import type { BridgeCounters, BridgeOptions, PortOptions } from '../l2/index.js';
import type { PortDrops, PortKind, VxlanSettings, VxlanSockets } from '../l2/ports/index.js';
import type { InterfaceTally } from './recording/frame-tap.js';

export type SiteName = 'a' | 'b';
export type PortRole = 'guest' | 'vmk' | 'client';
/** `deadline` spins only just before a release, `always` never sleeps, `never` always sleeps. */
export type SpinMode = 'deadline' | 'always' | 'never';

export interface PortSpec {
  readonly name: string;
  readonly site: SiteName;
  readonly role: PortRole;
  readonly kind: PortKind;
  /** VLAN, isolation, storm limits, MTU. */
  readonly options?: PortOptions;
  /** A descriptor of this process; the fabric owns it from here on. Of a VXLAN port, its listening socket. */
  readonly fd: number;
  /** Of a VXLAN port: its network, its peers, and the sockets that send, which the fabric owns too. */
  readonly vxlan?: VxlanSettings & Pick<VxlanSockets, 'senderFds'>;
}

export interface FabricSettings {
  readonly fiber: FiberSettings;
  /** `guest-first`: guest and client traffic ahead of vMotion's at the fiber's entry. */
  readonly qos: 'guest-first' | 'none';
  readonly spin: SpinMode;
  readonly seed: string;
  /** Of both bridges; left out, plain learning bridges. */
  readonly bridge?: BridgeOptions;
  /** What changes in the fiber while it runs. */
  readonly timeline?: Timeline;
}

export type FabricRequest =
  | { readonly type: 'add-port'; readonly id: number; readonly port: PortSpec }
  | { readonly type: 'remove-port'; readonly id: number; readonly name: string }
  | {
      readonly type: 'change-fiber';
      readonly id: number;
      readonly direction: 'a-b' | 'b-a' | 'both';
      /** Counted from site A; left out, all of them. */
      readonly span?: number;
      readonly set: Partial<LaneSettings>;
    }
  /** The next move of this address is the lab's doing, and not that of a second host with the same one. */
  | { readonly type: 'expect-move'; readonly id: number; readonly mac: number }
  | { readonly type: 'macs'; readonly id: number; readonly limit: number }
  /** The histograms of lateness and writes begin anew: what came before was a warm-up. */
  | { readonly type: 'forget-lateness'; readonly id: number }
  | { readonly type: 'snapshot'; readonly id: number }
  /** Copies what passes into the ring, at most this much of each frame. */
  | {
      readonly type: 'record';
      readonly id: number;
      readonly memory: SharedArrayBuffer;
      readonly snapBytes: number;
    }
  | { readonly type: 'stop-recording'; readonly id: number }
  | { readonly type: 'stop'; readonly id: number };

export type FabricReply =
  | { readonly type: 'done'; readonly id: number }
  | { readonly type: 'failed'; readonly id: number; readonly code: string; readonly text: string }
  | { readonly type: 'snapshot'; readonly id: number; readonly snapshot: FabricSnapshot }
  | { readonly type: 'recorded'; readonly id: number; readonly tallies: readonly InterfaceTally[] }
  | { readonly type: 'macs'; readonly id: number; readonly macs: Readonly<Record<SiteName, MacSeen[]>> }
  /** Unasked: a port's interface or peer has vanished; the rest goes on. */
  | { readonly type: 'port-gone'; readonly name: string }
  /** Unasked: an address moved between two ports too often and stays on the one it had. */
  | { readonly type: 'mac-duplicate'; readonly found: DuplicateMacFound };

/** How late releases were, in ns: the instant just before the write, minus when the frame was due. */
export interface Lateness {
  readonly p50Ns: number;
  readonly p99Ns: number;
  readonly p999Ns: number;
  readonly maxNs: number;
  readonly count: number;
}

/** How long the writes took that carried released frames: the receiving kernel's part is in it. */
export interface WriteDuration {
  readonly p50Ns: number;
  readonly p99Ns: number;
  readonly count: number;
}

/** What happened to frames on their way through the fiber besides what its lanes count. */
export interface PathCounters {
  /** Super-frames cut at the fiber's entry because their serialisation takes longer than 50 µs. */
  readonly cutAtEntry: number;
  /** Super-frames cut around packets that the fiber lost. */
  readonly cutAroundLoss: number;
  /** Packets that the fiber corrupted and a receiver got with one bit wrong. */
  readonly damaged: number;
  /** Corrupted packets without a checksum of their own, dropped as a NIC drops them by their FCS. */
  readonly refusedByFcs: number;
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
  /** Frames that the port itself refused on their way in, by reason: a VXLAN port's foreign datagrams. */
  drops: PortDrops;
}

/** An address that two hosts of a site's bridge seem to share. */
export interface DuplicateMacFound {
  readonly site: SiteName;
  /** `02:4c:48:00:00:10` */
  readonly mac: string;
  /** The port it stays on, and the one whose frames are refused; `stretch` for the other site. */
  readonly keptPort: string;
  readonly refusedPort: string;
}

/** An address that a site's bridge knows. */
export interface MacSeen {
  /** 0 on a bridge without VLANs. */
  readonly vid: number;
  /** `02:4c:48:00:00:10` */
  readonly mac: string;
  /** The port it was last heard on; `stretch` for the other site. */
  readonly port: string;
  /** Since it was last heard, in ns. */
  readonly ageNs: number;
}

/** Everything the fabric has counted since it began. */
export interface FabricSnapshot extends PathCounters {
  readonly ports: readonly PortCounters[];
  readonly bridges: Readonly<Record<SiteName, BridgeCounters>>;
  readonly fiber: FiberCounters;
  /** As they are now. */
  readonly fiberSettings: FiberSettings;
  readonly lateness: Lateness;
  /** The sum of all lateness: with its count, what a rate over time needs. */
  readonly latenessSumNs: number;
  readonly writes: WriteDuration;
  readonly poolBytes: number;
  /** How the ports' frames reach the kernel: many in one system call, or one by one where io_uring is forbidden. */
  readonly portIo: 'io_uring' | 'calls';
}
