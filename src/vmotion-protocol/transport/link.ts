/**
 * One ordered, reliable byte stream between two hosts: the control channel and each page stream run over one.
 * Kernel TCP where there is a kernel on both ends of the segment, our own stream over UDP elsewhere.
 */
import type { Chain } from './chain.js';

export interface Link {
  /**
   * Sends what fits; the chain forgets what went.
   * @returns false when the link is broken
   */
  send(chain: Chain): boolean;
  /**
   * Fills the chain's pieces with what has come.
   * @returns bytes moved; 0 when nothing waits; -1 when the peer closed or the link broke
   */
  receive(chain: Chain): number;
  /** Whether `send` may have room again; asked after each wake-up while something waits to be sent. */
  writable(): boolean;
  /** Whether nothing waits below to be sent: the path is not what holds the sender up. Absent: not known. */
  drained?(): boolean;
  /** Keeps few bytes waiting below, so that what is given later is not long behind: post-copy pushes so. */
  keepShallow?(): void;
  close(): void;
}

/** What a driver waits on, and how the links get their share of each wake-up. */
export interface LinkPoller {
  /** Opens a link to the peer's vMotion port. */
  connect(): Link;
  /** A link that a peer has opened, or null. */
  accept(): Link | null;
  /** Takes in what has come; to be called after every wake-up, before links are used. */
  takeIn(nowNs: number): void;
  /** Sends what the links owe (acknowledgements, window updates); to be called after they were used. */
  flush(nowNs: number): void;
  /** When `takeIn` wants to be called at the latest; Infinity when no timer runs. */
  nextWakeNs(): number;
  /** True while something of it lives on the thread's event loop (a TLS handshake): let that turn between two rounds. */
  readonly wantsTurn?: boolean;
  /** Says which links have bytes waiting to be sent, so that the driver is woken when there is room. */
  wantWrite(link: Link, want: boolean): void;
  close(): void;
}
