/**
 * Who may wait for the transmitter. A discipline is asked at both ends of a queue: at its tail when a
 * frame is offered, and at its head when the transmitter takes one. Each class has one of its own.
 *
 *   offered ──► admits? ──► │ tail … head │ ──► keeps? ──► transmitter
 *                 │ queue-full                    │ queue-aqm
 *                 │ queue-overrun (a queue without a limit that ran into the end of memory)
 *
 * Here: drop-tail, and `none`, a queue without a limit. CoDel stands in codel.ts.
 */

/** The frames of one class that wait. */
export interface Backlog {
  /** Wire packets: a super-frame counts as all of its packets. */
  readonly packets: number;
  readonly wireBytes: number;
}

/** The numbers of a frame that a discipline decides on. */
export interface Candidate {
  readonly packets: number;
  readonly wireBytes: number;
  /** Wire bytes of every packet but the last. */
  readonly packetBytes: number;
  /** When it was offered to the lane. */
  readonly offeredNs: number;
}

export interface QueueDiscipline {
  /**
   * How many of the frame's packets may join the tail: its first 0..packets. The others are dropped as
   * `queue-full`, as a real queue drops the last packets of a burst.
   */
  admits(frame: Candidate, backlog: Backlog): number;
  /**
   * Whether the packet at the head is sent; if not it is dropped as `queue-aqm` and the next one is
   * asked about, which for a super-frame is the next of its packets.
   * @param backlog what waits behind the frame
   * @param startNs when the transmitter takes it
   */
  keeps(frame: Candidate, backlog: Backlog, startNs: number): boolean;
  /** What a frame that is not admitted is dropped as; left out, `queue-full`. */
  readonly overflow?: 'queue-full' | 'queue-overrun';
}

/** Limits a drop-tail queue reads at each decision, so that they can change while it runs. */
export interface DropTailLimits {
  readonly queueBytes: number;
  readonly queueFrames: number;
}

/** Lets in what fits, in wire bytes and in wire packets; never drops at the head. */
export class DropTail implements QueueDiscipline {
  readonly #limits: () => DropTailLimits;

  /** @param limits reads the limits as they are now */
  constructor(limits: () => DropTailLimits) {
    this.#limits = limits;
  }

  admits(frame: Candidate, backlog: Backlog): number {
    const { queueBytes, queueFrames } = this.#limits();
    const roomBytes = queueBytes - backlog.wireBytes;
    const roomPackets = queueFrames - backlog.packets;
    if (frame.wireBytes <= roomBytes && frame.packets <= roomPackets) return frame.packets;
    if (frame.packets === 1) return 0;
    return Math.max(0, Math.min(Math.floor(roomBytes / frame.packetBytes), roomPackets));
  }

  keeps(): boolean {
    return true;
  }
}

/** Wire bytes and packets at which a queue without a limit meets the end of memory. */
export const GUARD_BYTES = 1024 ** 3;
export const GUARD_PACKETS = 2 ** 20;

/**
 * `none`: a queue without a limit, for experiments in which every loss must come from the loss model. It
 * ignores `queueBytes` and `queueFrames`. Memory does end: past the guard a frame is dropped as
 * `queue-overrun`, which no other discipline does, so that such a run can be refused instead of
 * believed (`queueOverrun`).
 */
export class Unlimited implements QueueDiscipline {
  readonly overflow = 'queue-overrun';

  admits(frame: Candidate, backlog: Backlog): number {
    const fits =
      backlog.wireBytes + frame.wireBytes <= GUARD_BYTES && backlog.packets + frame.packets <= GUARD_PACKETS;
    return fits ? frame.packets : 0;
  }

  keeps(): boolean {
    return true;
  }
}
