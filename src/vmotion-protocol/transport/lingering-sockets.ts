/**
 * Sockets of closed links that are read off until the peer has closed too: closing a socket on which bytes still arrive
 * resets it, and a reset takes from the peer what it has not read yet, such as a NACK.
 */
import { closeFd, EAGAIN, errno, libc, type PollSet } from '../../sys/index.js';
import { newRegion } from './chain.js';

/** How long a closed link waits for the peer's end. */
const LINGER_NS = 2_000_000_000;
const SINK_BYTES = 65_536;
/** Closed links that wait; the oldest goes for a new one. */
const LINGERING_MAX = 16;
const MSG_DONTWAIT = 0x40;

export class LingeringSockets {
  readonly #polls: PollSet;
  readonly #clockNs: () => number;
  readonly #sink = newRegion(SINK_BYTES);
  readonly #sockets: { readonly fd: number; readonly slot: number; readonly sinceNs: number }[] = [];

  constructor(polls: PollSet, clockNs: () => number) {
    this.#polls = polls;
    this.#clockNs = clockNs;
  }

  /** A socket whose sending direction has ended, and its slot in the poll set, which wakes when something comes. */
  add(fd: number, slot: number): void {
    if (this.#sockets.length === LINGERING_MAX) this.#end(0);
    this.#sockets.push({ fd, slot, sinceNs: this.#clockNs() });
  }

  /** Reads off what still comes. */
  takeIn(nowNs: number): void {
    for (let i = this.#sockets.length - 1; i >= 0; i--) {
      const { fd, sinceNs } = this.#sockets[i]!;
      let n: number;
      do n = libc.recv(fd, this.#sink.address, SINK_BYTES, MSG_DONTWAIT);
      while (n > 0);
      if (n === 0 || errno() !== EAGAIN || nowNs - sinceNs > LINGER_NS) this.#end(i);
    }
  }

  nextWakeNs(): number {
    return this.#sockets.length === 0 ? Number.POSITIVE_INFINITY : this.#sockets[0]!.sinceNs + LINGER_NS;
  }

  /** Waits for nobody. */
  close(): void {
    while (this.#sockets.length > 0) this.#end(0);
  }

  #end(index: number): void {
    const [socket] = this.#sockets.splice(index, 1);
    this.#polls.remove(socket!.slot);
    closeFd(socket!.fd);
  }
}
