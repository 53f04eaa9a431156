/**
 * TAP and AF_PACKET ports: frames with the virtio header in front, so that super-frames pass uncut.
 *
 * What the kernel says of a packet socket's frame stands in control messages: when it came, and the VLAN tag that
 * was taken off, which this puts back. A TAP's frames come with their tags, and with no time.
 */
import {
  closeFd,
  EBADF,
  EBADFD,
  EIO,
  ENXIO,
  kernelArrivalNs,
  strippedVlanTag,
  VNET_HDR_SIZE,
} from '../../sys/index.js';
import type { FrameIo } from './frame-io.js';
import { MAX_FRAME_BYTES, type PooledFrame } from './frame-pool.js';
import { Appetite } from './intake.js';
import {
  countSent,
  type FramePort,
  type FrameSink,
  type PortDrops,
  type SendOutcome,
  type SendTally,
} from './port.js';
import { withVlanTag } from './vlan-restore.js';

const NO_DROPS: PortDrops = Object.freeze({});
/** All that a read takes: a frame that fills it is one of which there is more. */
const LONGEST = VNET_HDR_SIZE + MAX_FRAME_BYTES;

export class VnetPort implements FramePort {
  readonly name: string;
  readonly fd: number;
  readonly #io: FrameIo;
  readonly #tally: SendTally;
  readonly #packetSocket: boolean;
  readonly #appetite = new Appetite();
  #tooLong = 0;

  /**
   * @param fd a descriptor from `openTap` or `openPacket`; the port owns it from here on
   * @param tally where the port counts what it sends
   */
  constructor(name: string, kind: 'tap' | 'packet', fd: number, io: FrameIo, tally: SendTally) {
    this.name = name;
    this.fd = fd;
    this.#io = io;
    this.#tally = tally;
    this.#packetSocket = kind === 'packet';
  }

  receive(limit: number, sink: FrameSink): number {
    const { intake } = this.#io;
    const n = this.#packetSocket
      ? intake.readMessages(this.fd, VNET_HDR_SIZE, this.#appetite, limit)
      : intake.read(this.fd, VNET_HDR_SIZE, this.#appetite, limit);
    const { error } = intake;
    let taken = 0;
    for (let k = 0; k < n; k++) {
      const bytes = intake.bytes(k);
      if (bytes < VNET_HDR_SIZE) continue;
      if (bytes === LONGEST) {
        this.#tooLong++; // what was behind is gone
        continue;
      }
      taken++;
      let frame = intake.take(k);
      frame.readHeader();
      if (this.#packetSocket) {
        const slot = intake.slot(k);
        const tag = strippedVlanTag(intake.messages, slot);
        if (tag !== 0) frame = withVlanTag(this.#io.pool, frame, tag);
        frame.arrivedNs = kernelArrivalNs(intake.messages, slot);
      }
      sink(frame);
    }
    // EIO: the interface is down. ENETDOWN (a packet socket says it once), EBADFD and all else: it is gone.
    return error === 0 || error === EIO ? taken : -1;
  }

  send(frame: PooledFrame): void {
    this.#io.sends.push(this, this.fd, frame, VNET_HDR_SIZE);
  }

  sent(frame: PooledFrame, result: number): SendOutcome {
    return countSent(this.#tally, frame, result, isInterfaceBusy);
  }

  flush(): void {
    this.#io.flush();
  }

  drops(): PortDrops {
    return this.#tooLong === 0 ? NO_DROPS : { 'too-long': this.#tooLong };
  }

  close(): void {
    this.#io.flush();
    closeFd(this.fd);
  }
}

/**
 * EAGAIN, ENOBUFS: the receiver does not keep up. EIO, ENETDOWN: its interface is down. EINVAL: a header it
 * refuses. What is left says that the interface is gone.
 */
function isInterfaceBusy(errno: number): boolean {
  return errno !== EBADFD && errno !== ENXIO && errno !== EBADF;
}
