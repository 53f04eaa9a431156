/**
 * A port: where frames enter and leave a bridge.
 *
 * Who owns a frame, and when:
 *
 *   receive ──► sink(frame)   the sink holds one reference and releases it when done
 *   send(frame)               the port takes a reference of its own: the caller may release at once, but nobody
 *      │                      may change the frame's bytes or offload until the reference is back
 *   flush()                   everything sent so far has been given to the kernel, counted, and released
 *
 * Between `send` and `flush` a frame may be on its way or not. Ports of one thread share their `FrameIo`: one
 * port's `flush` sends all of them. Ports never block and never throw on traffic: what cannot be sent is counted.
 */
import { EAGAIN, EINTR, EMSGSIZE, ENOBUFS } from '../../sys/index.js';
import type { PooledFrame } from './frame-pool.js';

export type FrameSink = (frame: PooledFrame) => void;

/**
 * What became of the frames sent, counted when they are flushed. A port that must cut a super-frame (UDP has no
 * header for it) counts each wire packet.
 */
export interface SendTally {
  framesOut: number;
  bytesOut: number;
  /** The receiver's queue was full, or its interface is down. */
  busy: number;
  tooLong: number;
  /** The interface, or whoever listened at the peer's address, has vanished. */
  gone: number;
}

/** Frames that a port itself refused on their way in, by reason; empty for ports that refuse none. */
export type PortDrops = Readonly<Record<string, number>>;

export interface FramePort {
  readonly name: string;
  /** The descriptor to wait on for frames. */
  readonly fd: number;
  /**
   * Takes waiting frames, at most `limit`, fewer when they are long: a batch ends after about 1 MiB, so that
   * whoever has a deadline is not kept waiting.
   * @param sink must not call `receive` of any port of this thread
   * @returns how many frames were taken, 0 when none waits; -1 when the port is gone, its last frames handed over
   */
  receive(limit: number, sink: FrameSink): number;
  send(frame: PooledFrame): void;
  flush(): void;
  drops(): PortDrops;
  /** Closes the descriptor; what was sent and not flushed is sent first. */
  close(): void;
}

/** What became of a frame that was sent. */
export type SendOutcome = 'sent' | 'busy' | 'too-long' | 'gone';

/** Which kind a descriptor is, as told to the fabric. */
export type PortKind = 'tap' | 'packet' | 'nio-udp' | 'vxlan';

/** A tally of nothing yet. */
export function newTally(): SendTally {
  return { framesOut: 0, bytesOut: 0, busy: 0, tooLong: 0, gone: 0 };
}

/**
 * Counts what became of a frame that was sent.
 * @param result bytes taken by the kernel, or -errno
 * @param isBusy whether an errno says that the receiver does not keep up; any other says that it is gone
 */
export function countSent(
  tally: SendTally,
  frame: PooledFrame,
  result: number,
  isBusy: (errno: number) => boolean,
): SendOutcome {
  if (result >= 0) {
    tally.framesOut++;
    tally.bytesOut += frame.length;
    return 'sent';
  }
  if (result === -EMSGSIZE) {
    tally.tooLong++;
    return 'too-long';
  }
  if (isBusy(-result)) {
    tally.busy++;
    return 'busy';
  }
  tally.gone++;
  return 'gone';
}

/** Of a UDP socket: its own queue is full. */
export function isSocketBusy(errno: number): boolean {
  return errno === EAGAIN || errno === EINTR || errno === ENOBUFS;
}
