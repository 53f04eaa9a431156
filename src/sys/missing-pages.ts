/**
 * Pages that are not there yet: reading which were touched, and placing them. ioctl_userfaultfd(2).
 *
 *   guest's thread touches a missing page, sleeps ──uffd_msg──► FaultReader ─► … the page is fetched …
 *                    wakes ◄──────────────────────────── PagePlacer: UFFDIO_COPY from staging, or UFFDIO_ZEROPAGE
 *
 *   struct uffd_msg, 32 bytes:  event u8 │ … │ flags u64 at 8 │ address u64 at 16 │ …
 *
 * The thread that places pages never touches the registered range itself: it would wait for itself for ever.
 */
import { EAGAIN, EEXIST, EINTR, sysError } from './errno.js';
import { errno, libc } from './libc.js';
import { NativeStruct } from './native-struct.js';

const UFFDIO_WAKE = 0x8010aa02;
const UFFDIO_COPY = 0xc028aa03;
const UFFDIO_ZEROPAGE = 0xc020aa04;

const MSG_SIZE = 32;
const MSG_ADDRESS = 16;
const MSG_EVENT = 0;
const EVENT_PAGEFAULT = 0x12;
/** Faults taken by one read; the guest has few threads. */
const MSGS = 64;

/** struct uffdio_copy: dst, src, len, mode, copy (i64). */
const COPY_MODE = 24;
const COPY_RESULT = 32;
/** struct uffdio_zeropage: start, len, mode, zeropage (i64). */
const ZERO_MODE = 16;
const ZERO_RESULT = 24;

/** Reads page faults from a userfaultfd, as many as wait. */
export class FaultReader {
  readonly #uffd: number;
  readonly #msgs = new NativeStruct(MSGS * MSG_SIZE);
  #addresses = new Float64Array(MSGS);
  /** Faults that the last `read` found. */
  count = 0;

  constructor(uffd: number) {
    this.#uffd = uffd;
  }

  /** Takes what waits, at most 64 faults. @returns `count` */
  read(): number {
    this.count = 0;
    const n = libc.read(this.#uffd, this.#msgs.address, MSGS * MSG_SIZE);
    if (n < 0) {
      const e = errno();
      if (e === EAGAIN || e === EINTR) return 0;
      throw sysError('read a userfaultfd', e);
    }
    for (let at = 0; at + MSG_SIZE <= n; at += MSG_SIZE) {
      if (this.#msgs.bytes[at + MSG_EVENT] !== EVENT_PAGEFAULT) continue;
      this.#addresses[this.count++] = this.#msgs.getPointer(at + MSG_ADDRESS);
    }
    return this.count;
  }

  /** Address that fault `i` touched; the kernel gives its page's first byte. */
  address(i: number): number {
    return this.#addresses[i]!;
  }
}

/** Puts pages into a range registered with `catchFaults`, atomically, and wakes who waits for them. */
export class PagePlacer {
  readonly #uffd: number;
  readonly #arg = new NativeStruct(40);

  constructor(uffd: number) {
    this.#uffd = uffd;
  }

  /**
   * Copies pages to where there are none. All addresses and lengths are page-aligned, but for `source`.
   * @returns bytes placed: fewer than `length` when the page behind them is there already
   * @throws LonghaulError `SYS_…`
   */
  copy(target: number, source: number, length: number): number {
    const arg = this.#arg;
    let placed = 0;
    while (placed < length) {
      arg.setPointer(0, target + placed);
      arg.setPointer(8, source + placed);
      arg.setPointer(16, length - placed);
      arg.setPointer(COPY_MODE, 0);
      arg.setPointer(COPY_RESULT, 0);
      if (libc.ioctl(this.#uffd, UFFDIO_COPY, arg.address) === 0) return length;
      const step = this.#step('UFFDIO_COPY', COPY_RESULT);
      if (step < 0) return placed;
      placed += step;
    }
    return placed;
  }

  /** Makes zero pages where there are none. @returns as `copy` does */
  zero(target: number, length: number): number {
    const arg = this.#arg;
    let placed = 0;
    while (placed < length) {
      arg.setPointer(0, target + placed);
      arg.setPointer(8, length - placed);
      arg.setPointer(ZERO_MODE, 0);
      arg.setPointer(ZERO_RESULT, 0);
      if (libc.ioctl(this.#uffd, UFFDIO_ZEROPAGE, arg.address) === 0) return length;
      const step = this.#step('UFFDIO_ZEROPAGE', ZERO_RESULT);
      if (step < 0) return placed;
      placed += step;
    }
    return placed;
  }

  /** Wakes the threads that sleep on pages of this range, so that they look again. */
  wake(address: number, length: number): void {
    this.#arg.setPointer(0, address);
    this.#arg.setPointer(8, length);
    libc.ioctl(this.#uffd, UFFDIO_WAKE, this.#arg.address);
  }

  /**
   * How far a call came that did not do all. The kernel says EAGAIN when it stopped early for a change of the mappings,
   * and the bytes done stand in the struct; a negative errno stands there when nothing was done.
   * @returns bytes done; -1 when the next page is there already
   */
  #step(operation: string, resultAt: number): number {
    const e = errno();
    const done = this.#arg.view.getInt32(resultAt + 4, true) < 0 ? 0 : this.#arg.getPointer(resultAt);
    if (e === EEXIST) return done > 0 ? done : -1;
    if (e === EAGAIN || e === EINTR) return done;
    throw sysError(operation, e);
  }
}
