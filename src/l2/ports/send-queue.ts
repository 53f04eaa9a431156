/**
 * Frames on their way out of a thread's ports, given to the kernel many at a time and in the order they were sent.
 * Each is retained from `push` until `flush`.
 */
import { type IoBatch, MessageArray } from '../../sys/index.js';
import type { FramePool, PooledFrame } from './frame-pool.js';
import type { SendOutcome } from './port.js';

/** Sends that one system call may carry; one more flushes first. */
export const SEND_FRAMES = 128;

/** Whoever sent a frame, told what became of it. */
export interface Sender {
  /** @param result bytes taken by the kernel, or -errno */
  sent(frame: PooledFrame, result: number): SendOutcome;
}

export class SendQueue {
  /** Told of every frame sent, while its bytes are still there; null when nobody records. */
  onSent: ((sender: Sender, frame: PooledFrame, outcome: SendOutcome) => void) | null = null;
  readonly #pool: FramePool;
  readonly #batch: IoBatch;
  readonly #messages = new MessageArray(SEND_FRAMES);
  readonly #frames: PooledFrame[] = [];
  readonly #senders: Sender[] = [];
  #size = 0;

  constructor(pool: FramePool, batch: IoBatch) {
    this.#pool = pool;
    this.#batch = batch;
  }

  /** Sends the frame with the `prefix` bytes that stand before it in its slot. */
  push(sender: Sender, fd: number, frame: PooledFrame, prefix: number): void {
    this.#take(sender, frame);
    this.#batch.write(fd, frame.address - prefix, frame.length + prefix);
  }

  /** Sends `headerBytes` at `header` and the frame behind them as one datagram to an IPv4 endpoint. */
  pushTo(
    sender: Sender,
    fd: number,
    frame: PooledFrame,
    header: number,
    headerBytes: number,
    ip: number,
    port: number,
  ): void {
    const i = this.#take(sender, frame);
    this.#messages.setPlace(i, 0, header, headerBytes);
    this.#messages.setPlace(i, 1, frame.address, frame.length);
    this.#messages.sendTo(i, ip, port);
    this.#batch.sendMessage(fd, this.#messages.header(i));
  }

  /** Gives everything pushed so far to the kernel, and the frames back. */
  flush(): void {
    const n = this.#size;
    if (n === 0) return;
    this.#batch.submit();
    this.#size = 0;
    const { results } = this.#batch;
    for (let i = 0; i < n; i++) {
      const frame = this.#frames[i]!;
      const outcome = this.#senders[i]!.sent(frame, results[i]!);
      if (this.onSent !== null) this.onSent(this.#senders[i]!, frame, outcome);
      this.#pool.release(frame);
    }
  }

  #take(sender: Sender, frame: PooledFrame): number {
    if (this.#size === SEND_FRAMES) this.flush();
    this.#pool.retain(frame);
    this.#frames[this.#size] = frame;
    this.#senders[this.#size] = sender;
    return this.#size++;
  }
}
