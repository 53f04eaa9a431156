/**
 * TAP and AF_PACKET ports: one read or write per frame, with the virtio header in front.
 *
 * A frame is read into a slot of the largest size; a short one moves to a small slot, so that memory follows
 * the bytes in flight and not their number. The copy (≤ 10 KiB) costs less than holding 64 KiB for it.
 */
import { closeFd, EAGAIN, EINTR, EIO, ENETDOWN, ENXIO, errno, libc, VNET_HDR_SIZE } from '../../sys/index.js';
import { type FramePool, MAX_FRAME_BYTES, type PooledFrame } from './frame-pool.js';
import type { FramePort, FrameSink, SendResult } from './port.js';

/** Frames up to this many bytes are moved out of the landing slot. */
const COPY_BREAK_BYTES = 10_000;
const EBADFD = 77;
const EMSGSIZE = 90;

export class VnetPort implements FramePort {
  readonly name: string;
  readonly fd: number;
  #landing: PooledFrame | null = null;

  /** @param fd a descriptor from `openTap` or `openPacket`; the port owns it from here on */
  constructor(name: string, fd: number) {
    this.name = name;
    this.fd = fd;
  }

  receive(pool: FramePool, limit: number, sink: FrameSink): number {
    let taken = 0;
    while (taken < limit) {
      this.#landing ??= pool.take(MAX_FRAME_BYTES);
      const landing = this.#landing;
      const n = libc.read(this.fd, landing.headerAddress, MAX_FRAME_BYTES + VNET_HDR_SIZE);
      if (n < 0) {
        const e = errno();
        if (e === EAGAIN || e === EINTR) return taken;
        // A packet socket reports an interface that goes down once, and works again when it is up.
        if (e === ENETDOWN || e === EIO) return taken > 0 ? taken : e === EIO ? 0 : -1;
        return -1;
      }
      if (n < VNET_HDR_SIZE) return taken;
      const length = n - VNET_HDR_SIZE;
      taken++;
      if (length <= COPY_BREAK_BYTES) {
        const small = pool.take(length);
        landing.data.copy(
          small.data,
          small.start - VNET_HDR_SIZE,
          landing.start - VNET_HDR_SIZE,
          landing.start + length,
        );
        small.length = length;
        small.readHeader();
        sink(small);
      } else {
        this.#landing = null;
        landing.length = length;
        landing.readHeader();
        sink(landing);
      }
    }
    return taken;
  }

  send(frame: PooledFrame): SendResult {
    const n = libc.write(this.fd, frame.headerAddress, frame.length + VNET_HDR_SIZE);
    if (n >= 0) return 'sent';
    switch (errno()) {
      case EMSGSIZE:
        return 'too-long';
      case EBADFD:
      case ENXIO:
        return 'gone';
      default:
        // EAGAIN, ENOBUFS: the receiver does not keep up. EIO: its interface is down. EINVAL: a header it refuses.
        return 'busy';
    }
  }

  close(): void {
    closeFd(this.fd);
  }
}
