/**
 * What 802.1Q makes of a port: which VLAN a frame that comes in belongs to, and which tag it leaves with.
 *
 *   in        untagged or priority tag      tag with a VLAN                out     the port's own VLAN   any other
 *   access    its VLAN                      refused                                untagged              never
 *   trunk     native, else refused          that VLAN, if allowed                  untagged, if native   tagged
 *
 * The priority of a tag goes along; a frame that comes untagged has priority 0.
 * Source: IEEE 802.1Q-2022, 6.9 (classification by port), 8.6.2 (ingress filtering), 8.6.4 (egress), 6.8.1.
 * Left out: protocol-based VLANs, priority regeneration, service tags (wire/vlan-tag.ts).
 */
import type { PortVlan } from './bridge-options.js';
import {
  hidesTag,
  isTagCutOff,
  MAX_VID,
  PRIORITY_MASK,
  type TagAction,
  tciAt,
  VID_MASK,
} from './wire/vlan-tag.js';

/** In place of a TCI: the frame is not admitted. */
export const ADMIT_BAD_TAG = -1;
export const ADMIT_OTHER_VLAN = -2;
export const ADMIT_UNTAGGED = -3;

/** No VLAN leaves untagged. */
const NONE = -1;

export const DEFAULT_ACCESS: PortVlan = { mode: 'access', vid: 1 };
export const DEFAULT_TRUNK: PortVlan = { mode: 'trunk' };

export class PortVlanRules {
  /** The VLAN of frames without one, in and out; `NONE` when the port has no such VLAN. */
  readonly #untaggedVid: number;
  readonly #isTrunk: boolean;
  /** By VID; `null` when all are allowed. */
  readonly #allowed: Uint8Array | null;

  /** @param vlan checked by `checkPortOptions` */
  constructor(vlan: PortVlan) {
    this.#isTrunk = vlan.mode === 'trunk';
    const allowed = vlan.mode === 'access' ? [vlan.vid] : (vlan.allowed ?? 'all');
    this.#untaggedVid = vlan.mode === 'access' ? vlan.vid : (vlan.native ?? NONE);
    this.#allowed = allowed === 'all' ? null : new Uint8Array(VID_MASK + 1);
    if (allowed !== 'all') for (const vid of allowed) this.#allowed![vid] = 1;
  }

  /** The TCI under which the frame `b[at..end)` passes, or one of `ADMIT_…` below 0. Allocates nothing. */
  admit(b: Uint8Array, at: number, end: number): number {
    const tci = tciAt(b, at, end);
    const vid = tci & VID_MASK;
    if (tci < 0 || vid === 0) {
      if (tci < 0 && isTagCutOff(b, at, end)) return ADMIT_BAD_TAG;
      if (this.#untaggedVid === NONE) return ADMIT_UNTAGGED;
      return (tci < 0 ? 0 : tci & PRIORITY_MASK) | this.#untaggedVid;
    }
    if (vid > MAX_VID) return ADMIT_BAD_TAG;
    return this.#isTrunk && this.has(vid) ? tci : ADMIT_OTHER_VLAN;
  }

  /** Whether frames of this VLAN may leave here. */
  has(vid: number): boolean {
    return this.#allowed === null || this.#allowed[vid] === 1;
  }

  /** What is to be done to the frame `b[at..end)`, admitted under `tci`, when it leaves here. Allocates nothing. */
  tagFor(tci: number, b: Uint8Array, at: number, end: number): TagAction {
    const carried = tciAt(b, at, end);
    if ((tci & VID_MASK) === this.#untaggedVid) return carried < 0 ? 'keep' : 'pop';
    return carried === tci ? 'keep' : tci;
  }

  /**
   * Whether the frame, leaving a trunk without its tag, would show the next bridge another one and so be
   * taken into that VLAN: the way out of a VLAN that double tags are made for.
   */
  wouldHop(tci: number, b: Uint8Array, at: number, end: number): boolean {
    return (
      this.#isTrunk &&
      (tci & VID_MASK) === this.#untaggedVid &&
      tciAt(b, at, end) >= 0 &&
      hidesTag(b, at, end)
    );
  }
}
