/**
 * Links over kernel TCP, for a loop that sleeps in ppoll. The calling thread has entered the namespace of the
 * host's vmk interface before it makes one of these, so every socket lives there. tcp(7).
 */
import {
  acceptTcp,
  closeFd,
  connectTcp,
  EAGAIN,
  EINTR,
  type Endpoint,
  errno,
  IoVec,
  listenTcp,
  POLLIN,
  POLLOUT,
  type PollSet,
  setTcpUserTimeout,
} from '../../sys/index.js';
import type { Chain } from './chain.js';
import type { Link, LinkPoller } from './link.js';

/** Pieces one writev or readv moves. */
const PIECES = 256;
/** Unacknowledged bytes older than this break the connection: a page stream never waits that long on a live link. */
const USER_TIMEOUT_MS = 10_000;

class TcpLink implements Link {
  readonly fd: number;
  readonly slot: number;
  readonly #iov: IoVec;
  readonly #polls: PollSet;
  #closed = false;

  constructor(fd: number, polls: PollSet, iov: IoVec) {
    this.fd = fd;
    this.#polls = polls;
    this.#iov = iov;
    this.slot = polls.add(fd, POLLIN);
    setTcpUserTimeout(fd, USER_TIMEOUT_MS);
  }

  send(chain: Chain): boolean {
    while (chain.bytes > 0) {
      const asked = this.#fill(chain);
      const n = this.#iov.writeTo(this.fd);
      if (n < 0) {
        const e = errno();
        return e === EAGAIN || e === EINTR;
      }
      chain.drop(n);
      if (n < asked) return true;
    }
    return true;
  }

  receive(chain: Chain): number {
    let moved = 0;
    while (chain.bytes > 0) {
      const asked = this.#fill(chain);
      const n = this.#iov.readFrom(this.fd);
      if (n === 0) return moved > 0 ? moved : -1;
      if (n < 0) {
        const e = errno();
        return e === EAGAIN || e === EINTR || moved > 0 ? moved : -1;
      }
      chain.drop(n);
      moved += n;
      if (n < asked) break;
    }
    return moved;
  }

  writable(): boolean {
    return (this.#polls.ready(this.slot) & POLLOUT) !== 0;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#polls.remove(this.slot);
    closeFd(this.fd);
  }

  #fill(chain: Chain): number {
    this.#iov.clear();
    const pieces = Math.min(PIECES, chain.pieces);
    for (let i = 0; i < pieces; i++)
      this.#iov.push(chain.region(i).address + chain.offset(i), chain.length(i));
    return this.#iov.bytes;
  }
}

export class TcpLinks implements LinkPoller {
  readonly #polls: PollSet;
  readonly #peer: Endpoint;
  readonly #listener: number;
  readonly #listenerSlot: number;
  readonly #iov = new IoVec(PIECES);

  /**
   * @param polls the driver's poll set; links add themselves to it
   * @param local where this host listens @param peer the other host's vMotion endpoint
   */
  constructor(polls: PollSet, local: Endpoint, peer: Endpoint) {
    this.#polls = polls;
    this.#peer = peer;
    this.#listener = listenTcp(local);
    this.#listenerSlot = polls.add(this.#listener, POLLIN);
  }

  connect(): Link {
    return new TcpLink(connectTcp(this.#peer), this.#polls, this.#iov);
  }

  accept(): Link | null {
    const fd = acceptTcp(this.#listener);
    return fd === -1 ? null : new TcpLink(fd, this.#polls, this.#iov);
  }

  takeIn(): void {}

  flush(): void {}

  nextWakeNs(): number {
    return Number.POSITIVE_INFINITY;
  }

  wantWrite(link: Link, want: boolean): void {
    this.#polls.setEvents((link as TcpLink).slot, want ? POLLIN | POLLOUT : POLLIN);
  }

  close(): void {
    this.#polls.remove(this.#listenerSlot);
    closeFd(this.#listener);
  }
}
