/**
 * ppoll(2) over a small, changing set of descriptors, with nanosecond timeouts.
 *
 *   struct pollfd { int fd; short events; short revents; }   8 bytes
 *
 * ppoll rather than epoll: the sets here have fewer than a hundred members, and libuv's epoll counts
 * whole milliseconds. The kernel's timer slack (50 µs by default) is set to 1 ns per thread by `sharpenTimers`.
 */
import { EINTR, sysError } from './errno.js';
import { errno, libc } from './libc.js';
import { NativeStruct } from './native-struct.js';

export const POLLIN = 0x001;
export const POLLOUT = 0x004;
export const POLLERR = 0x008;
export const POLLHUP = 0x010;
export const POLLNVAL = 0x020;

const POLLFD_SIZE = 8;
const PR_SET_TIMERSLACK = 29;

/** Makes this thread's timed sleeps as exact as the kernel can. */
export function sharpenTimers(): void {
  libc.prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
}

/** A set of descriptors to wait for. Slots are stable: `add` returns one, `remove` frees it. */
export class PollSet {
  readonly #fds: NativeStruct;
  readonly #view: DataView;
  readonly #timeout = new NativeStruct(16);
  /** A timespec of zero, for whoever polls without sleeping. */
  readonly #noTime = new NativeStruct(16);
  readonly #capacity: number;
  #used = 0;
  #waited = false;

  constructor(capacity = 64) {
    this.#capacity = capacity;
    this.#fds = new NativeStruct(capacity * POLLFD_SIZE);
    this.#view = this.#fds.view;
    for (let i = 0; i < capacity; i++) this.#view.setInt32(i * POLLFD_SIZE, -1, true);
  }

  /** Waits for `events` on `fd`; returns its slot. */
  add(fd: number, events: number): number {
    let slot = 0;
    while (slot < this.#used && this.#view.getInt32(slot * POLLFD_SIZE, true) !== -1) slot++;
    if (slot === this.#capacity) throw new RangeError(`a poll set of ${this.#capacity} descriptors is full`);
    this.#used = Math.max(this.#used, slot + 1);
    this.#view.setInt32(slot * POLLFD_SIZE, fd, true);
    this.#view.setInt16(slot * POLLFD_SIZE + 4, events, true);
    return slot;
  }

  /** Slots that are not taken. */
  get free(): number {
    let free = this.#capacity - this.#used;
    for (let slot = 0; slot < this.#used; slot++)
      if (this.#view.getInt32(slot * POLLFD_SIZE, true) === -1) free++;
    return free;
  }

  /** Changes what a slot waits for; 0 leaves only errors. */
  setEvents(slot: number, events: number): void {
    this.#view.setInt16(slot * POLLFD_SIZE + 4, events, true);
  }

  remove(slot: number): void {
    this.#view.setInt32(slot * POLLFD_SIZE, -1, true);
    this.#view.setInt16(slot * POLLFD_SIZE + 6, 0, true);
  }

  /** What the last `wait` found on a slot, as POLL… bits. */
  ready(slot: number): number {
    return this.#view.getInt16(slot * POLLFD_SIZE + 6, true);
  }

  /** Whether a read on a slot's descriptor may bring something: the last `wait` said so, or there was none. */
  mayRead(slot: number): boolean {
    return !this.#waited || this.ready(slot) !== 0;
  }

  /**
   * Sleeps until a descriptor is ready or `timeoutNs` have passed (0 or less returns at once, Infinity waits for ever).
   * @returns how many descriptors are ready; 0 on timeout and on a signal
   */
  wait(timeoutNs: number): number {
    let timeout = 0;
    if (timeoutNs <= 0) {
      timeout = this.#noTime.address;
    } else if (timeoutNs !== Number.POSITIVE_INFINITY) {
      this.#timeout.setPointer(0, Math.floor(timeoutNs / 1e9));
      this.#timeout.setPointer(8, Math.floor(timeoutNs % 1e9));
      timeout = this.#timeout.address;
    }
    this.#waited = true;
    const n = libc.ppoll(this.#fds.address, this.#used, timeout, 0);
    if (n >= 0) return n;
    const e = errno();
    if (e === EINTR) {
      for (let slot = 0; slot < this.#used; slot++) this.#view.setInt16(slot * POLLFD_SIZE + 6, 0, true);
      return 0;
    }
    throw sysError('ppoll', e);
  }
}
