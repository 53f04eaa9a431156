/**
 * Links over kernel TCP, for a loop that sleeps in ppoll. The calling thread has entered the namespace of the
 * host's vmk interface before it makes one of these, so every socket lives there. tcp(7).
 *
 * A link that is closed first stops sending and goes on reading until the peer closes too: closing a socket on
 * which bytes still arrive resets it, and a reset takes from the peer what it has not read yet, such as a NACK.
 * Who connects may be anybody, so both are bounded: links, and closed ones that wait for their peer.
 */
import {
  acceptTcp,
  closeFd,
  congestionName,
  connectTcp,
  EAGAIN,
  ECONNREFUSED,
  EINTR,
  type Endpoint,
  endSending,
  errno,
  IoVec,
  libc,
  limitPacing,
  listenTcp,
  nowNs,
  POLLIN,
  POLLOUT,
  type PollSet,
  setCongestion,
  setReadableFrom,
  setTcpBacklog,
  setTcpUserTimeout,
  tcpFigures,
  unsentBytes,
} from '../../sys/index.js';
import { type Chain, newRegion } from './chain.js';
import type { Link, LinkFigures, LinkPoller } from './link.js';

/** Pieces one writev or readv moves. */
const PIECES = 256;
/** Unacknowledged bytes older than this break the connection: a page stream never waits that long on a live link. */
const USER_TIMEOUT_MS = 10_000;
/** How long a closed link waits for the peer's end. */
const LINGER_NS = 2_000_000_000;
const SINK_BYTES = 65_536;
/** Closed links that wait; the oldest goes for a new one. */
const LINGERING_MAX = 16;
/** Room that is left in the poll set for links that this host opens, and for what else its driver waits on. */
const SLOTS_KEPT = 24;
/** Bytes that wait unsent in a shallow link: a few super-frames, so that the kernel never runs dry. */
const SHALLOW_BYTES = 262_144;
/** A full segment at MTU 1500 with timestamps: what the kernel counts when it paces, and what passes on the wire. */
const SEGMENT_PAYLOAD_BYTES = 1448;
const SEGMENT_WIRE_BYTES = 1538;
const MSG_DONTWAIT = 0x40;

class TcpLink implements Link {
  readonly fd: number;
  readonly slot: number;
  readonly #iov: IoVec;
  readonly #polls: PollSet;
  readonly #linger: (fd: number, slot: number) => void;
  #closed = false;
  #readableFrom = 1;
  refused = false;

  constructor(fd: number, polls: PollSet, iov: IoVec, linger: (fd: number, slot: number) => void) {
    this.#linger = linger;
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
  readonly #congestion: string | null;
  readonly #listener: number;
  readonly #listenerSlot: number;
  readonly #iov = new IoVec(PIECES);
  readonly #sink = newRegion(SINK_BYTES);
  readonly #lingering: { readonly fd: number; readonly slot: number; readonly sinceNs: number }[] = [];
  readonly #linger = (fd: number, slot: number): void => {
    if (this.#lingering.length === LINGERING_MAX) this.#end(0);
    this.#lingering.push({ fd, slot, sinceNs: nowNs() });
  };

  /**
   * @param polls the driver's poll set; links add themselves to it
   * @param local where this host listens @param peer the other host's vMotion endpoint
   * @param congestion the kernel's congestion control for links to the peer; null for the one it takes by itself
   * @throws when it has none of this name, or does not allow it here
   */
  constructor(polls: PollSet, local: Endpoint, peer: Endpoint, congestion: string | null = null) {
    this.#polls = polls;
    this.#peer = peer;
    this.#congestion = congestion;
    this.#listener = listenTcp(local);
    if (congestion !== null) setCongestion(this.#listener, congestion);
    this.#listenerSlot = polls.add(this.#listener, POLLIN);
  }

  connect(): Link {
    const fd = connectTcp(this.#peer);
    if (this.#congestion !== null) setCongestion(fd, this.#congestion);
    return new TcpLink(fd, this.#polls, this.#iov, this.#linger);
  }

  accept(): Link | null {
    if (!this.#polls.mayRead(this.#listenerSlot)) return null;
    const fd = acceptTcp(this.#listener);
    if (fd === -1) return null;
    if (this.#polls.free > SLOTS_KEPT) return new TcpLink(fd, this.#polls, this.#iov, this.#linger);
    closeFd(fd);
    return null;
  }

  /** Reads off what still comes on closed links, until the peer has closed them too. */
  takeIn(nowNs: number): void {
    for (let i = this.#lingering.length - 1; i >= 0; i--) {
      const { fd, sinceNs } = this.#lingering[i]!;
      let n: number;
      do n = libc.recv(fd, this.#sink.address, SINK_BYTES, MSG_DONTWAIT);
      while (n > 0);
      const over = n === 0 || errno() !== EAGAIN || nowNs - sinceNs > LINGER_NS;
      if (!over) continue;
      this.#end(i);
    }
  }

  #end(index: number): void {
    const [link] = this.#lingering.splice(index, 1);
    this.#polls.remove(link!.slot);
    closeFd(link!.fd);
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
