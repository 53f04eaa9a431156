/** What the ports of one thread share: where frames live, and the batches of system calls that move them. */
import { type IoBatch, openIoBatch } from '../../sys/index.js';
import type { FramePool } from './frame-pool.js';
import { INTAKE_FRAMES, Intake } from './intake.js';
import { SEND_FRAMES, SendQueue } from './send-queue.js';

export class FrameIo {
  readonly pool: FramePool;
  readonly intake: Intake;
  readonly sends: SendQueue;
  /** `io_uring`, or `calls` where this machine forbids it: one system call a frame. */
  readonly kind: IoBatch['kind'];
  readonly #batches: readonly IoBatch[];

  /** @param kind `calls` forbids io_uring; omitted, it is taken where it works */
  constructor(pool: FramePool, kind?: IoBatch['kind']) {
    this.pool = pool;
    const reads = openIoBatch(INTAKE_FRAMES, kind);
    const writes = openIoBatch(SEND_FRAMES, kind);
    this.#batches = [reads, writes];
    this.kind = writes.kind;
    this.intake = new Intake(pool, reads);
    this.sends = new SendQueue(pool, writes);
  }

  /** Sends what all ports have queued. */
  flush(): void {
    this.sends.flush();
  }

  /** Close the ports first. */
  close(): void {
    this.flush();
    this.intake.close();
    for (const batch of this.#batches) batch.close();
  }
}
