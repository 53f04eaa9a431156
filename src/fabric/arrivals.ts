/**
 * What comes out of the fiber when packets of a frame were lost or damaged on the way: the frames that a
 * receiver would get, in order.
 *
 *   super-frame   0 1 2 3 4 5 6      lost 1, damaged 4
 *   arrivals      [0] [2 3] [4 with one bit wrong] [5 6]
 *
 * A damaged packet's checksums are completed before its bit is flipped: one left for the receiving kernel to
 * fill in would cover the damage up. The flipped bit is one that a checksum covers, so that the receiver
 * refuses the packet; a packet that carries no checksum is dropped here, as a NIC drops it by its FCS.
 */
import type { Frame } from '../core/index.js';
import { corruptedBit } from '../fiber/index.js';
import { checksummedSpan, completeChecksum, cut, isUdpChecksumZero, packetsOf } from '../l2/index.js';

export interface Arrivals {
  /** In order; those that are damaged have bytes of their own. */
  readonly frames: Frame[];
  readonly damaged: number;
  /** Damaged packets that no checksum of their own would give away, as they were before. */
  readonly refusedByFcs: readonly Frame[];
}

/** How a piece is cut: `cut`, or into memory of the caller's. */
export type Cut = (frame: Frame, firstPacket: number, packetCount: number) => Frame;

/**
 * @param lost original indices of packets that are gone, ascending; null for none
 * @param corrupted original indices of damaged packets, ascending; null for none
 * @param corruptSeed chooses the bits
 */
export function arrivalsOf(
  frame: Frame,
  lost: readonly number[] | null,
  corrupted: readonly number[] | null,
  corruptSeed: number,
  cutPiece: Cut = cut,
): Arrivals {
  const packets = packetsOf(frame);
  const frames: Frame[] = [];
  let damaged = 0;
  const refusedByFcs: Frame[] = [];
  let nextLost = 0;
  let nextDamaged = 0;
  let first = 0;
  const whole = (end: number): void => {
    if (end > first) frames.push(cutPiece(frame, first, end - first));
  };
  for (let packet = 0; packet < packets; packet++) {
    const isLost = lost?.[nextLost] === packet;
    const isDamaged = corrupted?.[nextDamaged] === packet;
    while (lost?.[nextLost] === packet) nextLost++;
    while (corrupted?.[nextDamaged] === packet) nextDamaged++;
    if (!isLost && !isDamaged) continue;
    whole(packet);
    first = packet + 1;
    if (isLost) continue;
    const sent = cutPiece(frame, packet, 1);
    const wrong = damage(sent, corruptSeed, packet);
    if (wrong === null) refusedByFcs.push(sent);
    else {
      frames.push(wrong);
      damaged++;
    }
  }
  whole(packets);
  return { frames, damaged, refusedByFcs };
}

/** A copy of the ordinary frame with one bit wrong; null when no checksum covers any of it. */
function damage(packet: Frame, corruptSeed: number, index: number): Frame | null {
  const complete = completeChecksum(packet);
  const span = checksummedSpan(complete);
  if (span === null) return null;
  const data = complete.data.slice(complete.start, complete.start + complete.length);
  const frame: Frame = { data, start: 0, length: data.length, offload: complete.offload };
  const bits = span.bytes * 8;
  let bit = corruptedBit(corruptSeed, index, bits);
  const flip = (): void => {
    data[span.at + (bit >>> 3)]! ^= 1 << (bit & 7);
  };
  flip();
  // A UDP checksum that became zero says that there is none (RFC 768): damage another bit instead.
  if (isUdpChecksumZero(frame)) {
    flip();
    bit = bit < 8 ? bits - 1 : bit - 8;
    flip();
  }
  return frame;
}
