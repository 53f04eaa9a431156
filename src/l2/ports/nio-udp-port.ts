/**
 * NIO-UDP: one datagram is one Ethernet frame, as GNS3, VPCS and QEMU's `-netdev dgram` speak it.
 *
 * The fabric's end is a plain descriptor, since its loop sleeps in ppoll and never returns to libuv; the far
 * ends that have an event loop use `node:dgram` (see `NioUdpLink`). There is no virtio header on this wire:
 * super-frames are cut and pending checksums filled in before they leave.
 */
import { closeFd, ECONNREFUSED, socketError } from '../../sys/index.js';
import type { FrameIo } from './frame-io.js';
import type { PooledFrame } from './frame-pool.js';
import { Appetite } from './intake.js';
import {
  countSent,
  type FramePort,
  type FrameSink,
  isSocketBusy,
  type PortDrops,
  type SendOutcome,
  type SendTally,
} from './port.js';
import { sendPlain } from './send-plain.js';

const NO_DROPS: PortDrops = Object.freeze({});

export class NioUdpPort implements FramePort {
  readonly name: string;
  readonly fd: number;
  readonly #io: FrameIo;
  readonly #tally: SendTally;
  readonly #appetite = new Appetite();
  /** The last answer was that nobody listens; the next send would be given that error instead of being sent. */
  #refused = false;

  /**
   * @param fd a datagram socket connected to its one peer; the port owns it from here on
   * @param tally where the port counts what it sends
   */
  constructor(name: string, fd: number, io: FrameIo, tally: SendTally) {
    this.name = name;
    this.fd = fd;
    this.#io = io;
    this.#tally = tally;
  }

  receive(limit: number, sink: FrameSink): number {
    const { intake } = this.#io;
    const n = intake.read(this.fd, 0, this.#appetite, limit);
    const { error } = intake;
    for (let k = 0; k < n; k++) {
      const frame = intake.take(k);
      frame.clearHeader();
      sink(frame);
    }
    // Nobody listens at the far end yet, or no more: its owner may come back, so the port stays.
    return error === 0 || error === ECONNREFUSED ? n : -1;
  }

  send(frame: PooledFrame): void {
    if (this.#refused) {
      socketError(this.fd);
      this.#refused = false;
    }
    sendPlain(this.#io.pool, frame, this.#sendOne);
  }

  readonly #sendOne = (packet: PooledFrame): void => {
    this.#io.sends.push(this, this.fd, packet, 0);
  };

  sent(frame: PooledFrame, result: number): SendOutcome {
    if (result === -ECONNREFUSED) this.#refused = true;
    return countSent(this.#tally, frame, result, isSocketBusy);
  }

  flush(): void {
    this.#io.flush();
  }

  drops(): PortDrops {
    return NO_DROPS;
  }

  close(): void {
    this.#io.flush();
    closeFd(this.fd);
  }
}
