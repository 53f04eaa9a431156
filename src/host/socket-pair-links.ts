/**
 * Links within one thread over the kernel's stream sockets, for the rehearsal of the flow: what is sent on one end is
 * received at the other, by the same `TcpLink` as on a host's own links.
 */
import { IoVec, nowNs, openStreamPair, POLLIN, POLLOUT, type PollSet } from '../sys/index.js';
import {
  LingeringSockets,
  type Link,
  type LinkPoller,
  PIECES,
  TcpLink,
} from '../vmotion-protocol/transport/index.js';

const BUFFER_BYTES = 1 << 20;

/** Both sides' poller: what one connects, the other accepts. */
export class SocketPairLinks implements LinkPoller {
  readonly #polls: PollSet;
  readonly #iov = new IoVec(PIECES);
  readonly #lingering: LingeringSockets;
  readonly #waiting: TcpLink[] = [];

  constructor(polls: PollSet) {
    this.#polls = polls;
    this.#lingering = new LingeringSockets(polls, nowNs);
  }

  connect(): Link {
    const [near, far] = openStreamPair(BUFFER_BYTES);
    this.#waiting.push(new TcpLink(far, this.#polls, this.#iov, this.#lingering));
    return new TcpLink(near, this.#polls, this.#iov, this.#lingering);
  }

  accept(): Link | null {
    return this.#waiting.shift() ?? null;
  }

  takeIn(atNs: number): void {
    this.#lingering.takeIn(atNs);
  }

  flush(): void {}

  nextWakeNs(): number {
    return this.#lingering.nextWakeNs();
  }

  wantWrite(link: Link, want: boolean): void {
    this.#polls.setEvents((link as TcpLink).slot, want ? POLLIN | POLLOUT : POLLIN);
  }

  close(): void {
    for (const link of this.#waiting.splice(0)) link.abort();
    this.#lingering.close();
  }
}
