/**
 * NIO-UDP: one datagram is one Ethernet frame, as GNS3, VPCS and QEMU's `-netdev dgram` speak it.
 *
 * The fabric's end is a plain descriptor, since its loop sleeps in ppoll and never returns to libuv; the far
 * ends that have an event loop use `node:dgram` (see `NioUdpLink`). There is no virtio header on this wire:
 * super-frames are cut and pending checksums filled in before they leave.
 */

import { CSUM_NEEDED } from '../../core/index.js';
import { closeFd, EAGAIN, ECONNREFUSED, EINTR, errno, libc, receiveBytes } from '../../sys/index.js';
import { toWirePackets } from '../index.js';
import { type FramePool, MAX_FRAME_BYTES, type PooledFrame } from './frame-pool.js';
import type { FramePort, FrameSink, SendResult } from './port.js';

const MSG_FLAGS = 0x4040; // MSG_DONTWAIT | MSG_NOSIGNAL
const EMSGSIZE = 90;
const COPY_BREAK_BYTES = 10_000;

export class NioUdpPort implements FramePort {
  readonly name: string;
  readonly fd: number;
  readonly #scratch: PooledFrame;
  #landing: PooledFrame | null = null;

  /** @param fd a UDP socket connected to its one peer; the port owns it from here on */
  constructor(name: string, fd: number, pool: FramePool) {
    this.name = name;
    this.fd = fd;
    this.#scratch = pool.take(MAX_FRAME_BYTES);
  }

  receive(pool: FramePool, limit: number, sink: FrameSink): number {
    let taken = 0;
    while (taken < limit) {
      this.#landing ??= pool.take(MAX_FRAME_BYTES);
      const landing = this.#landing;
      const n = receiveBytes(this.fd, landing.headerAddress + 10, MAX_FRAME_BYTES);
      if (n < 0) return taken;
      taken++;
      let frame = landing;
      if (n <= COPY_BREAK_BYTES) {
        frame = pool.take(n);
        landing.data.copy(frame.data, frame.start, landing.start, landing.start + n);
      } else {
        this.#landing = null;
      }
      frame.length = n;
      frame.clearHeader();
      sink(frame);
    }
    return taken;
  }

  send(frame: PooledFrame): SendResult {
    if (frame.offload.gsoSize === 0 && (frame.offload.flags & CSUM_NEEDED) === 0) {
      return this.#sendAt(frame.headerAddress + 10, frame.length);
    }
    let result: SendResult = 'sent';
    for (const packet of toWirePackets(frame)) {
      this.#scratch.data.set(packet, this.#scratch.start);
      const one = this.#sendAt(this.#scratch.headerAddress + 10, packet.length);
      if (one !== 'sent') result = one;
    }
    return result;
  }

  close(): void {
    closeFd(this.fd);
  }

  #sendAt(address: number, length: number): SendResult {
    if (libc.send(this.fd, address, length, MSG_FLAGS) >= 0) return 'sent';
    const e = errno();
    if (e === EAGAIN || e === EINTR) return 'busy';
    // Nobody listens at the far end: the host behind this port has died, or is not there yet.
    if (e === ECONNREFUSED) return libc.send(this.fd, address, length, MSG_FLAGS) >= 0 ? 'sent' : 'gone';
    return e === EMSGSIZE ? 'too-long' : 'gone';
  }
}
