/**
 * One link over a connected stream socket of the kernel, TCP or, where both ends are in one thread, AF_UNIX: bytes are
 * gathered from and scattered to where they belong by writev(2) and readv(2). tcp(7).
 */
import {
  closeFd,
  congestionName,
  EAGAIN,
  ECONNREFUSED,
  EINTR,
  endSending,
  errno,
  type IoVec,
  limitPacing,
  POLLIN,
  POLLOUT,
  type PollSet,
  setReadableFrom,
  setTcpBacklog,
  setTcpUserTimeout,
  tcpFigures,
  unsentBytes,
} from '../../sys/index.js';
import type { Chain } from './chain.js';
import type { LingeringSockets } from './lingering-sockets.js';
import type { Link, LinkFigures } from './link.js';

/** Pieces one writev or readv moves. */
export const PIECES = 256;
/** Unacknowledged bytes older than this break the connection: a page stream never waits that long on a live link. */
const USER_TIMEOUT_MS = 10_000;
/** Bytes that wait unsent in a shallow link: a few super-frames, so that the kernel never runs dry. */
const SHALLOW_BYTES = 262_144;
/** A full segment at MTU 1500 with timestamps: what the kernel counts when it paces, and what passes on the wire. */
const SEGMENT_PAYLOAD_BYTES = 1448;
const SEGMENT_WIRE_BYTES = 1538;

export class TcpLink implements Link {
  readonly fd: number;
  readonly slot: number;
  readonly #iov: IoVec;
  readonly #polls: PollSet;
  readonly #lingering: LingeringSockets;
  #closed = false;
  #readableFrom = 1;
  refused = false;

  /** @param iov of PIECES or more, shared with other links */
  constructor(fd: number, polls: PollSet, iov: IoVec, lingering: LingeringSockets) {
    this.#lingering = lingering;
    this.fd = fd;
    this.#polls = polls;
    this.#iov = iov;
    this.slot = polls.add(fd, POLLIN);
    setTcpUserTimeout(fd, USER_TIMEOUT_MS);
  }

  // A closed link's descriptor may be somebody else's by now: it must not be touched again.
  send(chain: Chain): boolean {
    if (this.#closed) return false;
    while (chain.bytes > 0) {
      const asked = this.#fill(chain);
      const n = this.#iov.writeTo(this.fd);
      if (n < 0) {
        const e = errno();
        if (e === ECONNREFUSED) this.refused = true;
        return e === EAGAIN || e === EINTR;
      }
      chain.drop(n);
      if (n < asked) return true;
    }
    return true;
  }

  receive(chain: Chain): number {
    if (this.#closed) return -1;
    if (!this.#polls.mayRead(this.slot)) return 0;
    let moved = 0;
    while (chain.bytes > 0) {
      const asked = this.#fill(chain);
      const n = this.#iov.readFrom(this.fd);
      if (n === 0) return moved > 0 ? moved : -1;
      if (n < 0) {
        const e = errno();
        if (e === ECONNREFUSED) this.refused = true;
        return e === EAGAIN || e === EINTR || moved > 0 ? moved : -1;
      }
      chain.drop(n);
      moved += n;
      if (n < asked) break;
    }
    return moved;
  }

  expect(bytes: number): void {
    if (this.#closed || bytes === this.#readableFrom) return;
    this.#readableFrom = bytes;
    setReadableFrom(this.fd, bytes);
  }

  keepShallow(): void {
    if (!this.#closed) setTcpBacklog(this.fd, SHALLOW_BYTES);
  }

  limitRate(rateBps: number): void {
    if (!this.#closed) limitPacing(this.fd, ((rateBps / 8) * SEGMENT_PAYLOAD_BYTES) / SEGMENT_WIRE_BYTES);
  }

  figures(): LinkFigures {
    const figures = this.#closed ? null : tcpFigures(this.fd);
    const payloadBps = (figures?.pacingBytesPerS ?? 0) * 8;
    return {
      transport: 'tcp',
      congestion: this.#closed ? '' : congestionName(this.fd),
      packetsSent: figures?.segmentsSent ?? 0,
      packetsLost: figures?.segmentsResent ?? 0,
      bytesResent: 0,
      pagesSuperseded: 0,
      paritySent: 0,
      parityUsed: 0,
      pacingBps: (payloadBps * SEGMENT_WIRE_BYTES) / SEGMENT_PAYLOAD_BYTES,
      rttMinNs: figures?.rttMinNs ?? 0,
    };
  }

  drained(): boolean {
    return this.#closed || unsentBytes(this.fd) === 0;
  }

  writable(): boolean {
    return !this.#closed && (this.#polls.ready(this.slot) & POLLOUT) !== 0;
  }

  abort(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#polls.remove(this.slot);
    closeFd(this.fd);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    endSending(this.fd);
    this.#polls.setEvents(this.slot, POLLIN);
    this.#lingering.add(this.fd, this.slot);
  }

  #fill(chain: Chain): number {
    this.#iov.clear();
    const pieces = Math.min(PIECES, chain.pieces);
    for (let i = 0; i < pieces; i++)
      this.#iov.push(chain.region(i).address + chain.offset(i), chain.length(i));
    return this.#iov.bytes;
  }
}
