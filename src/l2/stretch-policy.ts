/**
 * What a frame is to the rules, and which rule keeps it from a port: VLAN, isolation, MTU, and those of the
 * stretch, as OTV has them.
 *
 *   local port ─────┬──── local port        linkLocal                     passes or stays
 *                   │
 *                 stretch                   bpdu, firstHop, unknownUnicast: each its own answer
 *                   │
 *   local port ─────┴──── local port        at the other site
 *
 * First-hop protocols are stopped in both directions, so that it is enough when one site filters; and
 * before learning, else the shared MAC of two gateways would move from site to site with every hello.
 * Source: Cisco, "Overlay Transport Virtualization (OTV)" (unknown unicast, BPDU and FHRP isolation);
 * RFC 9135, section 3 (the same gateway at each site).
 */
import type { Frame } from '../core/index.js';
import type { BridgeDropReason } from './bridge-contract.js';
import type { BridgeOptions } from './bridge-options.js';
import type { BridgePort } from './bridge-port.js';
import { headerLength } from './segment.js';
import { readU16 } from './wire/bytes.js';
import {
  ETH_DST,
  ETH_HEADER_BYTES,
  ETH_SRC,
  ETHERTYPE_SERVICE_VLAN,
  ETHERTYPE_VLAN,
  ethernetPayloadAt,
  isGroupMacAt,
  VLAN_TAG_BYTES,
} from './wire/ethernet.js';
import {
  claimsVirtualMacAt,
  GROUP_LINK_LOCAL,
  GROUP_ORDINARY,
  GROUP_PAUSE,
  isFirstHopHelloAt,
  isVirtualRouterMacAt,
} from './wire/first-hop.js';

/** What the rules ask about the frame at hand. One object for each bridge, filled anew for each frame. */
export interface FrameTraits {
  /** Its VLAN, 0 on a bridge without VLANs; and the tag control field it passes under. */
  vid: number;
  tci: number;
  /** Bytes of its longest packet behind the Ethernet header and one tag. */
  packetBytes: number;
  isUnknownUnicast: boolean;
  isFirstHop: boolean;
  /** One of `GROUP_…`: which protocol between bridges it belongs to. */
  reserved: number;
}

export class RelayPolicy {
  readonly #passesLinkLocal: boolean;
  readonly #passesBpdu: boolean;
  readonly #dropsUnknown: boolean;
  /** Whether `isFirstHop` is worth finding out. */
  readonly filtersFirstHop: boolean;

  /** @param options checked by `checkBridgeOptions` */
  constructor(options: BridgeOptions) {
    this.#passesLinkLocal = options.linkLocal === 'pass';
    this.#passesBpdu = options.stretch?.bpdu === 'pass';
    this.#dropsUnknown = options.stretch?.unknownUnicast === 'drop';
    this.filtersFirstHop = options.stretch?.firstHop === 'filter';
  }

  /** True when no rule of the bridge's own can keep an ordinary frame from any port. */
  get isPlain(): boolean {
    return !this.#dropsUnknown && !this.filtersFirstHop;
  }

  /** True when a group address of this kind goes nowhere at all. */
  stopsEverywhere(reserved: number): boolean {
    return (
      reserved === GROUP_PAUSE ||
      (reserved === GROUP_LINK_LOCAL && !this.#passesLinkLocal && !this.#passesBpdu)
    );
  }

  /** Why the frame may not go from one port to the other; `null` when it may. Membership in its VLAN is asked before. */
  refuse(t: FrameTraits, frame: Frame, from: BridgePort, to: BridgePort): BridgeDropReason | null {
    if (from.isIsolated && to.isIsolated) return 'isolated';
    if (t.packetBytes > to.mtuBytes) return 'oversize';
    const crosses = from.isStretch || to.isStretch;
    if (t.reserved !== GROUP_ORDINARY) {
      if (crosses && !this.#passesBpdu) return 'stretch-bpdu';
      if (!crosses && t.reserved === GROUP_LINK_LOCAL && !this.#passesLinkLocal) return 'link-local';
    }
    if (to.isStretch && t.isFirstHop) return 'stretch-first-hop';
    if (to.isStretch && t.isUnknownUnicast && this.#dropsUnknown) return 'stretch-unknown-unicast';
    const hops = to.vlan?.wouldHop(t.tci, frame.data, frame.start, frame.start + frame.length) ?? false;
    return hops ? 'vlan-hopping' : null;
  }
}

/**
 * Bytes of the frame's longest packet behind the Ethernet header: of an ordinary frame all of it, of a
 * super-frame what one wire packet carries. One tag more than the header is allowed for (802.3-2022,
 * 3.2.7, Q-tagged frames), a second one counts. Allocates nothing.
 */
export function packetBytesOf(frame: Frame): number {
  const { data, start, length, offload } = frame;
  const headers = offload.gsoSize === 0 ? -1 : headerLength(frame);
  const bytes = headers < 0 ? length : Math.min(length, headers + offload.gsoSize);
  const type = readU16(data, start + ETH_HEADER_BYTES - 2);
  const isTagged = type === ETHERTYPE_VLAN || type === ETHERTYPE_SERVICE_VLAN;
  return bytes - ETH_HEADER_BYTES - (isTagged ? VLAN_TAG_BYTES : 0);
}

/** Whether a frame belongs to a first-hop protocol: comes from a virtual MAC, claims one, or is a hello. */
export function isFirstHopFrame({ data, start, length }: Frame): boolean {
  if (isVirtualRouterMacAt(data, start + ETH_SRC)) return true;
  const end = start + length;
  const at = ethernetPayloadAt(data, start, end);
  if (at < 0) return false;
  const etherType = readU16(data, at - 2);
  if (claimsVirtualMacAt(data, at, end, etherType)) return true;
  return isGroupMacAt(data, start + ETH_DST) && isFirstHopHelloAt(data, at, end, etherType);
}
