/** File descriptors: opening, closing, doorbells (eventfd(2)) and the I/O vectors of readv(2) and writev(2). */
import { EAGAIN, ECONNREFUSED, EINTR, ENOBUFS, sysError } from './errno.js';
import { check, errno, libc } from './libc.js';
import { NativeStruct } from './native-struct.js';

export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_CREAT = 0o100;
export const O_NONBLOCK = 0o4000;
export const O_CLOEXEC = 0o2000000;

/** Opens a path; the error names it. */
export function openFd(path: string, flags: number, mode = 0o600): number {
  return check(`open ${path}`, libc.open(path, flags | O_CLOEXEC, mode));
}

/** Closes a descriptor; closing twice is a bug that this makes visible. */
export function closeFd(fd: number): void {
  check(`close ${fd}`, libc.close(fd));
}

const F_GETFL = 3;
const F_SETFL = 4;

/** Puts a descriptor into non-blocking mode. */
export function setNonBlocking(fd: number): void {
  const flags = check('fcntl F_GETFL', libc.fcntl(fd, F_GETFL, 0));
  check('fcntl F_SETFL', libc.fcntl(fd, F_SETFL, flags | O_NONBLOCK));
}

/** Writes one message to any descriptor. @returns bytes taken; -1 when it cannot now @throws what else went wrong */
export function writeBytes(fd: number, address: number, length: number): number {
  const n = libc.write(fd, address, length);
  if (n !== -1) return n;
  const e = errno();
  if (e === EAGAIN || e === EINTR || e === ENOBUFS || e === ECONNREFUSED) return -1;
  throw sysError('write', e);
}

/** A counter one thread rings and another sleeps on with ppoll: wakes a loop that never returns to libuv. */
export class Doorbell {
  readonly fd: number;
  readonly #word = new NativeStruct(8);

  /** @param fd an eventfd made by another Doorbell of this process; omitted, a new one is made */
  constructor(fd = check('eventfd', libc.eventfd(0, O_NONBLOCK | O_CLOEXEC))) {
    this.fd = fd;
  }

  ring(): void {
    this.#word.setPointer(0, 1);
    libc.write(this.fd, this.#word.address, 8);
  }

  /** Takes back all rings so far, so that the next `ring` wakes the sleeper again. */
  quiet(): void {
    libc.read(this.fd, this.#word.address, 8);
  }

  close(): void {
    closeFd(this.fd);
  }
}

const IOVEC_SIZE = 16;
/** IOV_MAX of Linux. */
export const IOV_MAX = 1024;

/** A reusable array of `struct iovec`: gathers or scatters one call's bytes over many places. */
export class IoVec {
  readonly #iov: NativeStruct;
  readonly #limit: number;
  #count = 0;
  #first = 0;
  #bytes = 0;

  constructor(limit = IOV_MAX) {
    this.#limit = limit;
    this.#iov = new NativeStruct(limit * IOVEC_SIZE);
  }

  /** Bytes still to be moved. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Places that `push` may still add. */
  get room(): number {
    return this.#limit - this.#count;
  }

  clear(): void {
    this.#count = 0;
    this.#first = 0;
    this.#bytes = 0;
  }

  /** Adds `length` bytes at `address`; contiguous pieces join. */
  push(address: number, length: number): void {
    if (this.#count > this.#first) {
      const last = (this.#count - 1) * IOVEC_SIZE;
      const lastLength = this.#iov.getPointer(last + 8);
      if (this.#iov.getPointer(last) + lastLength === address) {
        this.#iov.setPointer(last + 8, lastLength + length);
        this.#bytes += length;
        return;
      }
    }
    if (this.#count === this.#limit) throw new RangeError('an I/O vector is full');
    this.#iov.setPointer(this.#count * IOVEC_SIZE, address);
    this.#iov.setPointer(this.#count * IOVEC_SIZE + 8, length);
    this.#count++;
    this.#bytes += length;
  }

  /** Writes as much as the descriptor takes; returns bytes or -1 as writev(2) does, and drops what went. */
  writeTo(fd: number): number {
    const n = libc.writev(fd, this.#iov.address + this.#first * IOVEC_SIZE, this.#count - this.#first);
    if (n > 0) this.#drop(n);
    return n;
  }

  /** Reads into the places in order; returns bytes, 0 at the end of the stream, or -1 as readv(2) does. */
  readFrom(fd: number): number {
    const n = libc.readv(fd, this.#iov.address + this.#first * IOVEC_SIZE, this.#count - this.#first);
    if (n > 0) this.#drop(n);
    return n;
  }

  #drop(n: number): void {
    this.#bytes -= n;
    let left = n;
    while (left > 0) {
      const at = this.#first * IOVEC_SIZE;
      const length = this.#iov.getPointer(at + 8);
      if (left < length) {
        this.#iov.setPointer(at, this.#iov.getPointer(at) + left);
        this.#iov.setPointer(at + 8, length - left);
        return;
      }
      left -= length;
      this.#first++;
    }
    if (this.#bytes === 0) this.clear();
  }
}
