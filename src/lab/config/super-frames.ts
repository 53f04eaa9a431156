/**
 * How long the super-frames of a station's TCP may be: as long as the fiber carries whole.
 *
 * Nearly all that a stream costs a fabric is per super-frame and not per byte, so on a fiber that is fast enough
 * stations have longer ones than the kernel's 64 KiB (Linux 6.3, "BIG TCP"). On a slower one they would be cut at its
 * entry, so there they have what every interface has. Packets on the wire are those of the MTU all the same.
 */
import { MAX_SERIALISATION_NS } from '../../fabric/index.js';
import { bottleneckBps, type FiberSettings, FULL_PACKET_WIRE_BYTES } from '../../fiber/index.js';

/** What every interface has. */
export const KERNELS_SUPER_FRAME_BYTES = 65_536;
/** What the fabric's memory is laid out for (l2/ports/frame-pool.ts). */
const LONGEST_BYTES = 262_144;
/** Of IPv4 and TCP with time stamps, in a full packet of MTU 1500. */
const PAYLOAD_BYTES = 1448;

/** @returns bytes, of the faster direction */
export function superFrameBytesFor(fiber: FiberSettings): number {
  const bps = Math.max(bottleneckBps(fiber, 'a-b'), bottleneckBps(fiber, 'b-a'));
  const packetNs = (FULL_PACKET_WIRE_BYTES * 8e9) / bps;
  const fitting = Math.floor(MAX_SERIALISATION_NS / packetNs) * PAYLOAD_BYTES;
  return Math.max(KERNELS_SUPER_FRAME_BYTES, Math.min(LONGEST_BYTES, fitting));
}
