/** For wires that know neither super-frames nor pending checksums. */
import { CSUM_NEEDED, frameOf } from '../../core/index.js';
import { toWirePackets } from '../index.js';
import type { FramePool, PooledFrame } from './frame-pool.js';

/** Calls `sendOne` with each wire packet of a frame, checksums complete: the frame itself when nothing is to be done. */
export function sendPlain(pool: FramePool, frame: PooledFrame, sendOne: (packet: PooledFrame) => void): void {
  if (frame.offload.gsoSize === 0 && (frame.offload.flags & CSUM_NEEDED) === 0) {
    sendOne(frame);
    return;
  }
  for (const bytes of toWirePackets(frame)) {
    const packet = pool.copyOf(frameOf(bytes));
    packet.packetId = frame.packetId;
    sendOne(packet);
    pool.release(packet);
  }
}
