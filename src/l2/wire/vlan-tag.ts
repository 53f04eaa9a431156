/**
 * The 802.1Q tag, and frames that gain, lose or change one.
 *
 *   0            6            12     14             16
 *   ┌────────────┬────────────┬──────┬──────────────┬──────┬─────────┐      TCI: │ PCP │DEI│ VID     │
 *   │ destination│ source     │ 8100 │ TCI          │ type │ payload │           │ 3   │ 1 │ 12 bits │
 *   └────────────┴────────────┴──────┴──────────────┴──────┴─────────┘
 *
 * Only the C-tag (TPID 8100) is a tag here, as for any customer bridge: a frame whose outer tag is an S-tag
 * (88A8) is untagged to it, and gets a C-tag in front. VID 0 is a priority tag: it names no VLAN. 4095 is
 * reserved.
 * Source: IEEE 802.1Q-2022, 9.5 (TPID), 9.6 (tag control information), 8.2 (component types); shortest
 * frame 802.3-2022, 3.2.8; offsets of an offload virtio 1.2, 5.1.6.
 */
import { CSUM_NEEDED, type Frame, type Offload } from '../../core/index.js';
import { readU16, writeU16 } from './bytes.js';
import {
  ETH_HEADER_BYTES,
  ETH_MIN_BYTES,
  ETH_TYPE,
  ETHERTYPE_SERVICE_VLAN,
  ETHERTYPE_VLAN,
  VLAN_TAG_BYTES,
} from './ethernet.js';

export const TAG_TPID = ETH_TYPE;
export const TAG_TCI = ETH_TYPE + 2;
/** Bytes of a frame's header with one tag. */
export const TAGGED_HEADER_BYTES = ETH_HEADER_BYTES + VLAN_TAG_BYTES;

export const VID_MASK = 0x0fff;
/** Largest VID a VLAN may have; 4095 is reserved. */
export const MAX_VID = 4094;
/** Priority and drop eligibility: what of a TCI is not the VLAN. */
export const PRIORITY_MASK = 0xf000;
const PCP_SHIFT = 13;
const MAX_PCP = 7;
const ADDRESSES_BYTES = 12;

/** What to do to a frame on its way out: nothing, take its tag off, or give it the tag with this TCI. */
export type TagAction = 'keep' | 'pop' | number;

/** Where a frame is written with its new tag, as a pooled frame is: `length` and `offload` are filled in. */
export interface RetagTarget {
  readonly data: Uint8Array;
  readonly start: number;
  length: number;
  readonly offload: Offload;
}

/** The TCI of the C-tag of the frame `b[at..end)`; -1 when it has none or the tag is cut off. Allocates nothing. */
export function tciAt(b: Uint8Array, at: number, end: number): number {
  if (end - at < TAGGED_HEADER_BYTES || readU16(b, at + TAG_TPID) !== ETHERTYPE_VLAN) return -1;
  return readU16(b, at + TAG_TCI);
}

/** True when the frame begins a C-tag and ends within it. */
export function isTagCutOff(b: Uint8Array, at: number, end: number): boolean {
  return (
    end - at >= ETH_HEADER_BYTES &&
    end - at < TAGGED_HEADER_BYTES &&
    readU16(b, at + TAG_TPID) === ETHERTYPE_VLAN
  );
}

/** A TCI from its parts. @param vid 0..4094 @param pcp 0..7, higher is more urgent */
export function tciOf(vid: number, pcp = 0, dropEligible = false): number {
  return ((pcp & MAX_PCP) << PCP_SHIFT) | (dropEligible ? 0x1000 : 0) | (vid & VID_MASK);
}

export interface VlanTag {
  /** 0x8100 or 0x88A8. */
  readonly tpid: number;
  readonly vid: number;
  readonly pcp: number;
  readonly dropEligible: boolean;
}

/** Every whole tag of the frame `b[at..end)`, the outermost first; for people and tests. */
export function tagsOf(b: Uint8Array, at: number, end: number): VlanTag[] {
  const tags: VlanTag[] = [];
  for (let tagAt = at + TAG_TPID; tagAt + VLAN_TAG_BYTES + 2 <= end; tagAt += VLAN_TAG_BYTES) {
    const tpid = readU16(b, tagAt);
    if (tpid !== ETHERTYPE_VLAN && tpid !== ETHERTYPE_SERVICE_VLAN) break;
    const tci = readU16(b, tagAt + 2);
    tags.push({
      tpid,
      vid: tci & VID_MASK,
      pcp: tci >>> PCP_SHIFT,
      dropEligible: (tci & 0x1000) !== 0,
    });
  }
  return tags;
}

/**
 * Bytes of the frame after `tag`. A frame of legal length stays one: taking off a tag pads to 60 bytes. A
 * frame that was shorter does not grow, nor does a super-frame, whose every byte behind the headers is payload.
 */
export function retaggedLength(frame: Frame, tag: TagAction): number {
  const { length } = frame;
  const shift = shiftOf(frame, tag);
  if (shift >= 0 || frame.offload.gsoSize !== 0) return length + shift;
  return Math.max(length + shift, Math.min(length, ETH_MIN_BYTES));
}

/**
 * Writes the frame (at least an Ethernet header) with its new tag to `into`, which has room for
 * `retaggedLength` bytes from its start. The target may be another buffer, or the frame's own:
 *
 *   into.start = frame.start         the payload moves by 4 bytes
 *   into.start = frame.start ∓ 4     only the two addresses move: 12 bytes into the headroom and back
 *
 * A checksum or segmentation that is still to be done stays so, with its offsets moved along; a checksum
 * that covers addresses or tags does not exist, so none changes. Allocates nothing but what a copy between
 * two buffers takes.
 */
export function retag(frame: Frame, tag: TagAction, into: RetagTarget): void {
  const { data, start, length } = frame;
  const shift = shiftOf(frame, tag);
  const newLength = retaggedLength(frame, tag);
  const fromAt = start + ADDRESSES_BYTES + (shift < 0 ? VLAN_TAG_BYTES : 0);
  const toAt = into.start + ADDRESSES_BYTES + (shift > 0 ? VLAN_TAG_BYTES : 0);
  const end = start + length;
  // In one buffer the part that moves towards the other goes second, else it would be overwritten.
  if (into.start < start) move(data, start, start + ADDRESSES_BYTES, into.data, into.start);
  move(data, fromAt, end, into.data, toAt);
  if (into.start >= start) move(data, start, start + ADDRESSES_BYTES, into.data, into.start);
  if (typeof tag === 'number') {
    writeU16(into.data, into.start + TAG_TPID, ETHERTYPE_VLAN);
    writeU16(into.data, into.start + TAG_TCI, tag);
  }
  if (newLength > length + shift) into.data.fill(0, into.start + length + shift, into.start + newLength);
  into.length = newLength;
  moveOffload(frame.offload, shift, into.offload);
}

/** The frame with its new tag in bytes of its own; the frame itself when nothing changes. */
export function retagged(frame: Frame, tag: TagAction): Frame {
  if (tag === 'keep') return frame;
  const data = new Uint8Array(retaggedLength(frame, tag));
  const into = { data, start: 0, length: 0, offload: { ...frame.offload } };
  retag(frame, tag, into);
  return into;
}

/** How many bytes the frame grows by: -4, 0 or 4. */
function shiftOf(frame: Frame, tag: TagAction): number {
  if (tag === 'keep') return 0;
  const isTagged = tciAt(frame.data, frame.start, frame.start + frame.length) >= 0;
  if (tag === 'pop') return isTagged ? -VLAN_TAG_BYTES : 0;
  return isTagged ? 0 : VLAN_TAG_BYTES;
}

function move(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): void {
  if (from !== to) to.set(from.subarray(start, end), at);
  else if (start !== at) to.copyWithin(at, start, end);
}

function moveOffload(from: Readonly<Offload>, shift: number, to: Offload): void {
  to.flags = from.flags;
  to.gsoType = from.gsoType;
  to.gsoSize = from.gsoSize;
  // 0 says "not given" in both: it must not become 4.
  to.hdrLen = from.hdrLen === 0 ? 0 : from.hdrLen + shift;
  to.csumStart = (from.flags & CSUM_NEEDED) === 0 ? from.csumStart : from.csumStart + shift;
  to.csumOffset = from.csumOffset;
}

/** Whether the frame `b[at..end)` would begin with a C-tag if its own were taken off. Allocates nothing. */
export function hidesTag(b: Uint8Array, at: number, end: number): boolean {
  return end - at >= TAGGED_HEADER_BYTES && readU16(b, at + TAG_TPID + VLAN_TAG_BYTES) === ETHERTYPE_VLAN;
}
