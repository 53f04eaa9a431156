/** Puts back the VLAN tag that the kernel keeps beside a frame and not in it. IEEE 802.1Q-2022, clause 9. */
import { CSUM_NEEDED } from '../../core/index.js';
import { ETH_TYPE, VLAN_TAG_BYTES } from '../index.js';
import { type FramePool, MAX_FRAME_BYTES, type PooledFrame } from './frame-pool.js';

/**
 * The frame with a tag behind its MAC addresses: the same one where its slot has room, else another.
 * @param tag TPID << 16 | TCI
 * @returns a frame with one reference; the one passed in is the callee's
 */
export function withVlanTag(pool: FramePool, frame: PooledFrame, tag: number): PooledFrame {
  const { length, offload } = frame;
  if (length < ETH_TYPE || length + VLAN_TAG_BYTES > MAX_FRAME_BYTES) return frame;
  let tagged = frame;
  if (length + VLAN_TAG_BYTES > frame.capacity) {
    tagged = pool.take(length + VLAN_TAG_BYTES);
    frame.data.copy(tagged.data, tagged.start, frame.start, frame.start + length);
    Object.assign(tagged.offload, offload);
    pool.release(frame);
  }
  const { data, start } = tagged;
  data.copyWithin(start + ETH_TYPE + VLAN_TAG_BYTES, start + ETH_TYPE, start + length);
  data.writeUInt32BE(tag, start + ETH_TYPE);
  tagged.length = length + VLAN_TAG_BYTES;
  // The virtio header counts from the frame's first byte.
  if ((tagged.offload.flags & CSUM_NEEDED) !== 0) tagged.offload.csumStart += VLAN_TAG_BYTES;
  if (tagged.offload.gsoSize !== 0) tagged.offload.hdrLen += VLAN_TAG_BYTES;
  tagged.writeHeader();
  return tagged;
}
