/**
 * Many non-blocking reads and writes as one: by io_uring in a single system call where the kernel lets us,
 * else one call after another. What is pushed first is performed first, and all is done when `submit` returns.
 *
 * Against one call per frame a batch does more than save the calls: the thread is not preempted between two
 * frames by whoever the first one woke, so that the woken finds many frames at once.
 */
import { isLonghaulError } from '../core/index.js';
import { EAGAIN } from './errno.js';
import { IORING_OP_READV, IORING_OP_SENDMSG, IORING_OP_WRITE, IoUring } from './io-uring.js';
import { errno, libc } from './libc.js';

const RWF_NOWAIT = 8;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

export interface IoBatch {
  /** How many operations fit between two submits. */
  readonly capacity: number;
  /** `io_uring`, or `calls` where each operation is a system call of its own. */
  readonly kind: 'io_uring' | 'calls';
  /** What each operation of the last `submit` returned, in the order they were pushed: bytes, or -errno. */
  readonly results: Int32Array;
  /** Operations pushed since the last `submit`. */
  readonly size: number;
  /** Reads into the `count` places of an array of struct iovec. */
  readv(fd: number, iov: number, count: number): void;
  write(fd: number, address: number, length: number): void;
  /** @param message address of a struct msghdr */
  sendMessage(fd: number, message: number): void;
  /** Performs what was pushed. Memory named in it may be used again from here on. @returns how many results there are */
  submit(): number;
  close(): void;
}

/**
 * Opens a batch.
 * @param capacity operations between two submits
 * @param kind `calls` forbids io_uring; omitted, it is taken where it works
 */
export function openIoBatch(capacity: number, kind?: IoBatch['kind']): IoBatch {
  if (kind === 'calls') return new CallBatch(capacity);
  try {
    return new RingBatch(new IoUring(capacity));
  } catch (e) {
    if (kind === 'io_uring' || !isLonghaulError(e)) throw e;
    return new CallBatch(capacity);
  }
}

class RingBatch implements IoBatch {
  readonly kind = 'io_uring';
  readonly capacity: number;
  readonly results: Int32Array;
  readonly #ring: IoUring;
  // The first operation since the last submit: when it stays alone, a system call of its own costs less than the ring.
  #op = 0;
  #fd = 0;
  #address = 0;
  #length = 0;
  #size = 0;

  constructor(ring: IoUring) {
    this.#ring = ring;
    this.capacity = ring.capacity;
    this.results = ring.results;
  }

  get size(): number {
    return this.#size;
  }

  readv(fd: number, iov: number, count: number): void {
    this.#push(IORING_OP_READV, fd, iov, count);
  }

  write(fd: number, address: number, length: number): void {
    this.#push(IORING_OP_WRITE, fd, address, length);
  }

  sendMessage(fd: number, message: number): void {
    this.#push(IORING_OP_SENDMSG, fd, message, 1);
  }

  submit(): number {
    const n = this.#size;
    this.#size = 0;
    if (n !== 1) return this.#ring.submit();
    const result = this.#call();
    this.results[0] = result < 0 ? -errno() : result;
    return 1;
  }

  close(): void {
    this.#ring.close();
  }

  #push(op: number, fd: number, address: number, length: number): void {
    this.#size++;
    if (this.#size === 1) {
      this.#op = op;
      this.#fd = fd;
      this.#address = address;
      this.#length = length;
      return;
    }
    if (this.#size === 2) {
      this.#ring.push(this.#op, this.#fd, this.#address, this.#length, flagsOf(this.#op));
    }
    this.#ring.push(op, fd, address, length, flagsOf(op));
  }

  #call(): number {
    switch (this.#op) {
      case IORING_OP_READV:
        return libc.readv(this.#fd, this.#address, this.#length);
      case IORING_OP_WRITE:
        return libc.write(this.#fd, this.#address, this.#length);
      default:
        return libc.sendmsg(this.#fd, this.#address, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
  }
}

/** What tells an operation of the ring not to wait. */
function flagsOf(op: number): number {
  return op === IORING_OP_SENDMSG ? MSG_DONTWAIT | MSG_NOSIGNAL : RWF_NOWAIT;
}

/** Performs each operation as it is pushed: by then it is as if `submit` had done it. */
class CallBatch implements IoBatch {
  readonly kind = 'calls';
  readonly capacity: number;
  readonly results: Int32Array;
  size = 0;
  /** The descriptor that had nothing more to read: what is left of a batch of reads need not ask again. */
  #dryFd = -1;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.results = new Int32Array(capacity);
  }

  readv(fd: number, iov: number, count: number): void {
    if (fd === this.#dryFd) this.#done(-EAGAIN);
    else this.#doneReading(fd, libc.readv(fd, iov, count));
  }

  write(fd: number, address: number, length: number): void {
    const n = libc.write(fd, address, length);
    this.#done(n < 0 ? -errno() : n);
  }

  sendMessage(fd: number, message: number): void {
    const n = libc.sendmsg(fd, message, MSG_DONTWAIT | MSG_NOSIGNAL);
    this.#done(n < 0 ? -errno() : n);
  }

  submit(): number {
    const n = this.size;
    this.size = 0;
    this.#dryFd = -1;
    return n;
  }

  close(): void {}

  #doneReading(fd: number, n: number): void {
    const result = n < 0 ? -errno() : n;
    if (result === -EAGAIN) this.#dryFd = fd;
    this.#done(result);
  }

  #done(result: number): void {
    if (this.size === this.capacity) throw new RangeError(`a batch of ${this.capacity} operations is full`);
    this.results[this.size++] = result;
  }
}
