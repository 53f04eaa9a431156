/**
 * What goes into a bridge (bridge.ts), what comes out of it, and what it counts.
 *
 *   framesIn  = forwarded + flooded + suppressed + Σ drops        each frame, by what became of it
 *   framesOut = one for each `forward` and each `reply`           each copy, by where it went
 *   withheld  = copies of a flooded frame that a port did not get, by why
 */
import type { Frame, Woke } from '../core/index.js';
import type { PortOptions } from './bridge-options.js';
import type { MacMoveCounters } from './mac-moves.js';
import type { MacTableCounters } from './mac-table.js';
import type { SuppressionCounters } from './neighbour-suppression.js';
import type { TagAction } from './wire/vlan-tag.js';

/** What a port leads to; `stretch` is the side of the fiber. */
export type PortRole = 'guest' | 'vmk' | 'client' | 'stretch';

/** Every reason a frame, or a copy of it, goes no further, with what a user may do about it. */
export const DROP_HINTS = {
  runt: 'it is shorter than an Ethernet header',
  'unknown-port': 'it came by a port the bridge does not have (any more)',
  'source-multicast': 'its source is a group address, which nobody can have',
  'link-local': 'it is for 01-80-C2-00-00-0X, which stays on its own link; linkLocal: pass lets it through',
  'same-port': 'its destination lies on the port it came from',
  'no-port': 'it was to be flooded and there is no other port (in its VLAN)',
  'bad-tag': 'its VLAN tag is cut off or names the reserved VLAN 4095',
  'vlan-ingress': 'its tag names a VLAN that the port does not admit; add it to vlan.allowed of a trunk',
  'vlan-untagged': 'it has no VLAN and the trunk no native one; set vlan.native',
  'vlan-hopping':
    'without its tag it would show a second one and change VLAN; set vlan.native: null on that trunk',
  isolated: 'both ports are isolated',
  oversize:
    'its packets are longer than the MTU of the port; raise mtuBytes there or lower the MTU of the sender: a bridge tells nobody',
  'mac-duplicate':
    'its source is frozen on another port, since it moved too often; find the second host with this MAC',
  'storm-broadcast': 'the port sends more broadcasts than storm.broadcast allows',
  'storm-multicast': 'the port sends more multicasts than storm.multicast allows',
  'storm-unknown-unicast': 'the port sends more to unknown addresses than storm.unknownUnicast allows',
  'stretch-unknown-unicast': 'nobody has heard of its destination, and stretch.unknownUnicast is drop',
  'stretch-bpdu': 'a tree ends at the stretch; stretch.bpdu: pass joins the two',
  'stretch-first-hop': 'each site has its own gateway; stretch.firstHop: pass joins the two',
} as const;

/** Why a frame went no further. */
export type BridgeDropReason = keyof typeof DROP_HINTS;

/** The caller may write to this object and use it again: the bridge keeps nothing of it but names the frame in actions. */
export interface BridgeFrameReceived {
  readonly type: 'frame-received';
  port: number;
  frame: Frame;
}

export type BridgeEvent =
  | BridgeFrameReceived
  | {
      readonly type: 'port-added';
      readonly port: number;
      readonly name: string;
      readonly role: PortRole;
      /** Default: none; on a stretch port what the bridge's `stretch.port` says. */
      readonly options?: PortOptions;
    }
  | { readonly type: 'port-removed'; readonly port: number }
  /** The lab is about to move this address (to this port): its next move within a minute counts for nothing. */
  | { readonly type: 'move-expected'; readonly mac: number; readonly port?: number }
  /** The operator has found the second host: the address may move again. */
  | { readonly type: 'duplicate-cleared'; readonly mac: number }
  | Woke;

export type BridgeAction =
  /**
   * Send the frame by the port. Unless `tag` is `'keep'`, what is sent is `retag(frame, tag, …)`: in place when no
   * other action and nobody else holds the frame, else a copy.
   */
  | { readonly type: 'forward'; readonly frame: Frame; readonly port: number; readonly tag: TagAction }
  /** Send a frame of the bridge's own; the bytes are the caller's. */
  | { readonly type: 'reply'; readonly port: number; readonly bytes: Uint8Array }
  | { readonly type: 'drop'; readonly frame: Frame; readonly reason: BridgeDropReason }
  /** For the operator: this address was found at two ports too often and stays on the one it had. */
  | {
      readonly type: 'duplicate-detected';
      readonly mac: number;
      readonly vid: number;
      readonly keptPort: number;
      readonly refusedPort: number;
    };

export type DropCounters = Record<BridgeDropReason, number>;

/** At every instant `framesIn = forwarded + flooded + suppressed + Σ drops`. */
export interface BridgePortCounters {
  readonly port: number;
  readonly name: string;
  readonly role: PortRole;
  readonly framesIn: number;
  readonly bytesIn: number;
  readonly framesOut: number;
  readonly bytesOut: number;
  /** Frames from here that went to the one port of their destination. */
  readonly forwarded: number;
  /** Frames from here that went to every other port that may have them. */
  readonly flooded: number;
  /** Requests from here that the bridge answered itself and kept off the stretch; other local ports got them. */
  readonly suppressed: number;
  readonly drops: DropCounters;
  /** Copies of flooded frames that did not leave here. */
  readonly withheld: DropCounters;
}

/** A snapshot. At every instant `framesIn = forwarded + flooded + suppressed + Σ drops`, and `framesOut` counts the copies. */
export interface BridgeCounters {
  readonly framesIn: number;
  readonly framesOut: number;
  readonly forwarded: number;
  readonly flooded: number;
  readonly suppressed: number;
  readonly drops: DropCounters;
  readonly withheld: DropCounters;
  readonly macs: MacTableCounters;
  /** `null` where duplicates are not damped. */
  readonly moves: MacMoveCounters | null;
  /** `null` where requests are not suppressed. */
  readonly neighbours: SuppressionCounters | null;
  /** Ports by number; a removed port takes its figures along, the totals keep them. */
  readonly ports: readonly BridgePortCounters[];
}

/** Port numbers are 0..1023, so that they index an array. */
export const MAX_PORTS = 1024;
