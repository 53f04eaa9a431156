/**
 * Gives single pages of this process back to the kernel: they are missing, or read as zeros, afterwards.
 *
 * One process_madvise(2) call takes up to 1024 ranges (any advice for oneself: Linux 6.13) at about 0.5 µs a range;
 * where it is refused, one madvise(2) call a range does it at about 1.8 µs. Ranges are gathered and dropped at `flush`.
 */
import { closeFd, IOV_MAX } from './fd.js';
import { check, libc, MADV_DONTNEED } from './libc.js';
import { NativeStruct } from './native-struct.js';

const SYS_PIDFD_OPEN = 434;
const SYS_PROCESS_MADVISE = 440;
const IOVEC_SIZE = 16;

export class PageDropper {
  readonly #pidFd: number;
  readonly #advice: number;
  readonly #iov = new NativeStruct(IOV_MAX * IOVEC_SIZE);
  #ranges = 0;
  #bytes = 0;
  #oneByOne: boolean;

  /**
   * @param advice how pages are given back: MADV_DONTNEED for private memory, MADV_REMOVE for a file's
   * @param oneByOne do without process_madvise, as on an older kernel
   */
  constructor(advice = MADV_DONTNEED, oneByOne = false) {
    this.#advice = advice;
    this.#pidFd = libc.syscall5(SYS_PIDFD_OPEN, process.pid, 0, 0, 0, 0);
    this.#oneByOne = oneByOne || this.#pidFd < 0;
  }

  /** Adds a page-aligned range. */
  drop(address: number, length: number): void {
    if (this.#ranges === IOV_MAX) this.flush();
    this.#iov.setPointer(this.#ranges * IOVEC_SIZE, address);
    this.#iov.setPointer(this.#ranges * IOVEC_SIZE + 8, length);
    this.#ranges++;
    this.#bytes += length;
  }

  /** All ranges added so far are gone when this returns. @throws LonghaulError `SYS_…` */
  flush(): void {
    if (this.#ranges > 0 && (this.#oneByOne || !this.#flushAtOnce())) this.#flushOneByOne();
    this.#ranges = 0;
    this.#bytes = 0;
  }

  close(): void {
    if (this.#pidFd >= 0) closeFd(this.#pidFd);
  }

  /** @returns false when this kernel does not do it, or did not do all */
  #flushAtOnce(): boolean {
    const { address } = this.#iov;
    const n = libc.syscall5(SYS_PROCESS_MADVISE, this.#pidFd, address, this.#ranges, this.#advice, 0);
    if (n === this.#bytes) return true;
    if (n < 0) this.#oneByOne = true;
    return false;
  }

  /** Dropping a range twice does no harm: nothing is placed in between. */
  #flushOneByOne(): void {
    for (let at = 0; at < this.#ranges * IOVEC_SIZE; at += IOVEC_SIZE) {
      const address = this.#iov.getPointer(at);
      check('madvise', libc.madvise(address, this.#iov.getPointer(at + 8), this.#advice));
    }
  }
}
