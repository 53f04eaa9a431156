/**
 * Links over kernel TCP, for a loop that sleeps in ppoll. The calling thread has entered the namespace of the
 * host's vmk interface before it makes one of these, so every socket lives there. tcp(7).
 *
 * A link that is closed first stops sending and goes on reading until the peer closes too: closing a socket on
 * which bytes still arrive resets it, and a reset takes from the peer what it has not read yet, such as a NACK.
 */
import {
  acceptTcp,
  closeFd,
  connectTcp,
  EAGAIN,
  EINTR,
  type Endpoint,
  endSending,
  errno,
  IoVec,
  libc,
  listenTcp,
  nowNs,
  POLLIN,
  POLLOUT,
  type PollSet,
  setTcpBacklog,
  setTcpUserTimeout,
  unsentBytes,
} from '../../sys/index.js';
import { type Chain, newRegion } from './chain.js';
import type { Link, LinkPoller } from './link.js';

/** Pieces one writev or readv moves. */
const PIECES = 256;
/** Unacknowledged bytes older than this break the connection: a page stream never waits that long on a live link. */
const USER_TIMEOUT_MS = 10_000;
/** How long a closed link waits for the peer's end. */
const LINGER_NS = 2_000_000_000;
const SINK_BYTES = 65_536;
/** Bytes that wait unsent in a shallow link: a few super-frames, so that the kernel never runs dry. */
const SHALLOW_BYTES = 262_144;
const MSG_DONTWAIT = 0x40;

class TcpLink implements Link {
  readonly fd: number;
  readonly slot: number;
  readonly #iov: IoVec;
  readonly #polls: PollSet;
  readonly #linger: (fd: number, slot: number) => void;
  #closed = false;

  constructor(fd: number, polls: PollSet, iov: IoVec, linger: (fd: number, slot: number) => void) {
    this.#linger = linger;
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

  keepShallow(): void {
    setTcpBacklog(this.fd, SHALLOW_BYTES);
  }

  drained(): boolean {
    return unsentBytes(this.fd) === 0;
  }

  writable(): boolean {
    return (this.#polls.ready(this.slot) & POLLOUT) !== 0;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    endSending(this.fd);
    this.#polls.setEvents(this.slot, POLLIN);
    this.#linger(this.fd, this.slot);
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
  readonly #sink = newRegion(SINK_BYTES);
  readonly #lingering: { readonly fd: number; readonly slot: number; readonly sinceNs: number }[] = [];
  readonly #linger = (fd: number, slot: number): void => {
    this.#lingering.push({ fd, slot, sinceNs: nowNs() });
  };

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
    return new TcpLink(connectTcp(this.#peer), this.#polls, this.#iov, this.#linger);
  }

  accept(): Link | null {
    const fd = acceptTcp(this.#listener);
    return fd === -1 ? null : new TcpLink(fd, this.#polls, this.#iov, this.#linger);
  }

  /** Reads off what still comes on closed links, until the peer has closed them too. */
  takeIn(nowNs: number): void {
    for (let i = this.#lingering.length - 1; i >= 0; i--) {
      const { fd, slot, sinceNs } = this.#lingering[i]!;
      let n: number;
      do n = libc.recv(fd, this.#sink.address, SINK_BYTES, MSG_DONTWAIT);
      while (n > 0);
      const over = n === 0 || errno() !== EAGAIN || nowNs - sinceNs > LINGER_NS;
      if (!over) continue;
      this.#lingering.splice(i, 1);
      this.#polls.remove(slot);
      closeFd(fd);
    }
  }

  flush(): void {}

  nextWakeNs(): number {
    return this.#lingering.length === 0 ? Number.POSITIVE_INFINITY : this.#lingering[0]!.sinceNs + LINGER_NS;
  }

  wantWrite(link: Link, want: boolean): void {
    this.#polls.setEvents((link as TcpLink).slot, want ? POLLIN | POLLOUT : POLLIN);
  }

  close(): void {
    this.#polls.remove(this.#listenerSlot);
    closeFd(this.#listener);
  }
}
