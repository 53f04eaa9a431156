/**
 * Links over kernel TCP, for a loop that sleeps in ppoll. The calling thread has entered the namespace of the
 * host's vmk interface before it makes one of these, so every socket lives there. tcp(7).
 *
 * A link that is closed first stops sending and goes on reading until the peer closes too (`lingering-sockets.ts`).
 * Who connects may be anybody, so both are bounded: links, and closed ones that wait for their peer.
 */
import {
  acceptTcp,
  closeFd,
  connectTcp,
  type Endpoint,
  IoVec,
  listenTcp,
  nowNs,
  POLLIN,
  POLLOUT,
  type PollSet,
  setCongestion,
} from '../../sys/index.js';
import { LingeringSockets } from './lingering-sockets.js';
import type { Link, LinkPoller } from './link.js';
import { PIECES, TcpLink } from './tcp-link.js';

/** Room that is left in the poll set for links that this host opens, and for what else its driver waits on. */
const SLOTS_KEPT = 24;

export class TcpLinks implements LinkPoller {
  readonly #polls: PollSet;
  readonly #peer: Endpoint;
  readonly #congestion: string | null;
  readonly #listener: number;
  readonly #listenerSlot: number;
  readonly #iov = new IoVec(PIECES);
  readonly #lingering: LingeringSockets;

  /**
   * @param polls the driver's poll set; links add themselves to it
   * @param local where this host listens @param peer the other host's vMotion endpoint
   * @param congestion the kernel's congestion control for links to the peer; null for the one it takes by itself
   * @throws when it has none of this name, or does not allow it here
   */
  constructor(polls: PollSet, local: Endpoint, peer: Endpoint, congestion: string | null = null) {
    this.#polls = polls;
    this.#lingering = new LingeringSockets(polls, nowNs);
    this.#peer = peer;
    this.#congestion = congestion;
    this.#listener = listenTcp(local);
    if (congestion !== null) setCongestion(this.#listener, congestion);
    this.#listenerSlot = polls.add(this.#listener, POLLIN);
  }

  connect(): Link {
    const fd = connectTcp(this.#peer);
    if (this.#congestion !== null) setCongestion(fd, this.#congestion);
    return new TcpLink(fd, this.#polls, this.#iov, this.#lingering);
  }

  accept(): Link | null {
    if (!this.#polls.mayRead(this.#listenerSlot)) return null;
    const fd = acceptTcp(this.#listener);
    if (fd === -1) return null;
    if (this.#polls.free > SLOTS_KEPT) return new TcpLink(fd, this.#polls, this.#iov, this.#lingering);
    closeFd(fd);
    return null;
  }

  /** Reads off what still comes on closed links, until the peer has closed them too. */
  takeIn(nowNs: number): void {
    this.#lingering.takeIn(nowNs);
  }

  flush(): void {}

  nextWakeNs(): number {
    return this.#lingering.nextWakeNs();
  }

  wantWrite(link: Link, want: boolean): void {
    this.#polls.setEvents((link as TcpLink).slot, want ? POLLIN | POLLOUT : POLLIN);
  }

  close(): void {
    this.#lingering.close();
    this.#polls.remove(this.#listenerSlot);
    closeFd(this.#listener);
  }
}
