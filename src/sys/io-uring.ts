/**
 * A ring of system calls that the kernel takes many at a time: io_uring(7), used synchronously.
 *
 *   submission queue: SQEs (64 bytes)           completion queue: CQEs { u64 user_data; i32 res; u32 flags }
 *   ┌───┬───┬───┬───┐   io_uring_enter(n)       ┌───┬───┬───┬───┐
 *   │ 0 │ 1 │ 2 │ … │ ─────────────────────────►│ 0 │ 1 │ 2 │ … │  all n are there when the call returns
 *   └───┴───┴───┴───┘                           └───┴───┴───┴───┘
 *
 * Every operation is asked not to wait (RWF_NOWAIT, MSG_DONTWAIT), so the kernel performs them in order inside
 * the one call and nothing is in flight afterwards: a buffer is free as soon as `submit` has returned.
 * Opcodes of Linux 5.3 to 5.6. Layouts: linux/io_uring.h.
 *
 * Left out on purpose: posted reads and the kernel's polling thread, which would take a core from the receivers.
 */
import { closeFd } from './fd.js';
import { check, errno, libc, memoryAt } from './libc.js';
import { NativeStruct } from './native-struct.js';

const SYS_IO_URING_SETUP = 425;
const SYS_IO_URING_ENTER = 426;
const IORING_ENTER_GETEVENTS = 1;
const IORING_OFF_SQES = 0x10000000;
const PROT_READ_WRITE = 3;
const MAP_SHARED_POPULATE = 0x8001;
const EINTR = 4;

/** struct io_uring_params, 120 bytes: counts, flags, then the offsets of both rings' fields. */
const PARAMS_SIZE = 120;
const PARAM_SQ_ENTRIES = 0;
const PARAM_CQ_ENTRIES = 4;
const PARAM_FEATURES = 20;
const SQ_OFF_HEAD = 40;
const SQ_OFF_TAIL = 44;
const SQ_OFF_ARRAY = 64;
const CQ_OFF_HEAD = 80;
const CQ_OFF_TAIL = 84;
const CQ_OFF_CQES = 100;
/** One mmap for both rings, Linux 5.4. */
const FEAT_SINGLE_MMAP = 1;

/** An SQE as sixteen 32-bit words. */
const SQE_WORDS = 16;
const SQE_FD = 1;
const SQE_OFFSET = 2;
const SQE_ADDRESS = 4;
const SQE_LENGTH = 6;
const SQE_FLAGS = 7;
const SQE_USER_DATA = 8;
const SQE_SIZE = 64;
const CQE_WORDS = 4;
const CQE_RESULT = 2;
const CQE_SIZE = 16;

export const IORING_OP_READV = 1;
export const IORING_OP_SENDMSG = 9;
export const IORING_OP_WRITE = 23;

export class IoUring {
  readonly capacity: number;
  /** What each operation of the last `submit` returned, in the order of `push`: bytes, or -errno. */
  readonly results: Int32Array;
  readonly #fd: number;
  readonly #ringAddress: number;
  readonly #ringBytes: number;
  readonly #sqeAddress: number;
  readonly #ring: Int32Array;
  readonly #sqes: Uint32Array;
  readonly #sqTailAt: number;
  readonly #cqHeadAt: number;
  readonly #cqTailAt: number;
  readonly #cqesAt: number;
  readonly #sqMask: number;
  readonly #cqMask: number;
  #sqTail: number;
  #cqHead: number;
  #pushed = 0;

  /**
   * @param capacity operations that one `submit` may carry; rounded up to a power of two
   * @throws EnvironmentError SYS_ENOSYS or SYS_EPERM where the kernel or a sandbox forbids io_uring
   */
  constructor(capacity: number) {
    const p = new NativeStruct(PARAMS_SIZE);
    this.#fd = check('io_uring_setup', libc.syscall6(SYS_IO_URING_SETUP, capacity, p.address, 0, 0, 0, 0));
    const u32 = (at: number): number => p.view.getUint32(at, true);
    this.capacity = u32(PARAM_SQ_ENTRIES);
    const cqEntries = u32(PARAM_CQ_ENTRIES);
    this.#ringBytes = Math.max(
      u32(SQ_OFF_ARRAY) + this.capacity * 4,
      u32(CQ_OFF_CQES) + cqEntries * CQE_SIZE,
    );
    try {
      if ((u32(PARAM_FEATURES) & FEAT_SINGLE_MMAP) === 0) check('io_uring with one mapping', -1);
      this.#ringAddress = this.#map(this.#ringBytes, 0);
      this.#sqeAddress = this.#map(this.capacity * SQE_SIZE, IORING_OFF_SQES);
    } catch (e) {
      closeFd(this.#fd);
      throw e;
    }
    this.#ring = new Int32Array(memoryAt(this.#ringAddress, this.#ringBytes));
    this.#sqes = new Uint32Array(memoryAt(this.#sqeAddress, this.capacity * SQE_SIZE));
    this.#sqTailAt = u32(SQ_OFF_TAIL) / 4;
    this.#cqHeadAt = u32(CQ_OFF_HEAD) / 4;
    this.#cqTailAt = u32(CQ_OFF_TAIL) / 4;
    this.#cqesAt = u32(CQ_OFF_CQES) / 4;
    this.#sqMask = this.capacity - 1;
    this.#cqMask = cqEntries - 1;
    // Slot i of the submission ring always names SQE i.
    for (let i = 0; i < this.capacity; i++) this.#ring[u32(SQ_OFF_ARRAY) / 4 + i] = i;
    this.#sqTail = this.#ring[u32(SQ_OFF_HEAD) / 4]!;
    this.#cqHead = this.#ring[this.#cqHeadAt]!;
    this.results = new Int32Array(this.capacity);
  }

  /** Operations pushed and not yet submitted. */
  get size(): number {
    return this.#pushed;
  }

  /**
   * Adds an operation; at most `capacity` between two submits.
   * @param flags RWF_… or MSG_… as the operation has it
   */
  push(op: number, fd: number, address: number, length: number, flags: number): void {
    const sqes = this.#sqes;
    const at = ((this.#sqTail + this.#pushed) & this.#sqMask) * SQE_WORDS;
    // What is not written here stays 0 as the kernel mapped it: it never writes into an SQE.
    sqes[at] = op;
    sqes[at + SQE_FD] = fd;
    // Offset -1: the file's own position. TAPs have none, and sockets do not read the field.
    const offset = op === IORING_OP_READV || op === IORING_OP_WRITE ? 0xffff_ffff : 0;
    sqes[at + SQE_OFFSET] = offset;
    sqes[at + SQE_OFFSET + 1] = offset;
    sqes[at + SQE_ADDRESS] = address;
    sqes[at + SQE_ADDRESS + 1] = address / 0x1_0000_0000;
    sqes[at + SQE_LENGTH] = length;
    sqes[at + SQE_FLAGS] = flags;
    sqes[at + SQE_USER_DATA] = this.#pushed++;
  }

  /** Performs all that was pushed, in one system call. @returns how many results there are */
  submit(): number {
    const n = this.#pushed;
    if (n === 0) return 0;
    this.#pushed = 0;
    this.#sqTail = (this.#sqTail + n) | 0;
    Atomics.store(this.#ring, this.#sqTailAt, this.#sqTail);
    let submitted = 0;
    let completed = 0;
    while (completed < n) {
      // The kernel completes all of them inside the first call; waiting is for what it could not take at once.
      const awaited = submitted === n ? n - completed : 0;
      const taken = libc.syscall6(
        SYS_IO_URING_ENTER,
        this.#fd,
        n - submitted,
        awaited,
        awaited > 0 ? IORING_ENTER_GETEVENTS : 0,
        0,
        0,
      );
      if (taken >= 0) submitted += taken;
      else if (errno() !== EINTR) check('io_uring_enter', taken);
      completed += this.#reap();
    }
    return n;
  }

  close(): void {
    libc.munmap(this.#ringAddress, this.#ringBytes);
    libc.munmap(this.#sqeAddress, this.capacity * SQE_SIZE);
    closeFd(this.#fd);
  }

  #reap(): number {
    const ring = this.#ring;
    const tail = Atomics.load(ring, this.#cqTailAt);
    let n = 0;
    for (let head = this.#cqHead; head !== tail; head = (head + 1) | 0, n++) {
      const at = this.#cqesAt + (head & this.#cqMask) * CQE_WORDS;
      this.results[ring[at]!] = ring[at + CQE_RESULT]!;
    }
    this.#cqHead = tail;
    Atomics.store(ring, this.#cqHeadAt, tail);
    return n;
  }

  #map(bytes: number, offset: number): number {
    const address = libc.mmap(0, bytes, PROT_READ_WRITE, MAP_SHARED_POPULATE, this.#fd, offset);
    if (address > Number.MAX_SAFE_INTEGER) check('mmap of an io_uring', -1);
    return address;
  }
}
