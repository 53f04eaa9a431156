/**
 * Who may wait for the transmitter. A discipline is asked at both ends of a queue: at its tail when a
 * frame is offered, and at its head when the transmitter takes one.
 *
 *   offered ──► admits? ──► │ tail … head │ ──► keeps? ──► transmitter
 *                 │ queue-full                    │ queue-aqm
 *
 * Here: drop-tail. CoDel (RFC 8289) needs the head, RED (RFC 2309) the tail only.
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
  /** Whether the frame at the head is sent; if not it is dropped as `queue-aqm` and the next one is asked. @param startNs when the transmitter takes it */
  keeps(frame: Candidate, backlog: Backlog, startNs: number): boolean;
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
