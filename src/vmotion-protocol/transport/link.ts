/**
 * One ordered, reliable byte stream between two hosts: the control channel and each page stream run over one.
 * Kernel TCP where there is a kernel on both ends of the segment, our own stream over UDP elsewhere.
 */
import type { Chain } from './chain.js';
import type { DatagramKeys } from './datagram-seal.js';

export interface LinkFigures {
  readonly transport: 'tcp' | 'udp';
  /** Name of the congestion control. */
  readonly congestion: string;
  /** Packets on the wire, as they were cut for it. */
  readonly packetsSent: number;
  /** Packets given up for lost and not found to have arrived after all; with TCP, segments sent again. */
  readonly packetsLost: number;
  /** Page bytes sent again as they were, and pages that had changed and went anew as a whole. UDP only. */
  readonly bytesResent: number;
  readonly pagesSuperseded: number;
  /** Datagrams of parity. */
  readonly paritySent: number;
  /** Packets that had not come and that parity gave back: what this side received. */
  readonly parityUsed: number;
  /** The rate it would send at now, wire bits a second; Infinity when nothing paces it. */
  readonly pacingBps: number;
  /** Shortest round trip seen, ns; 0 when none was. */
  readonly rttMinNs: number;
}

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
  /**
   * So many bytes are certain to come next: the link need not say that there is something to receive before they are
   * here, or as many of them as it holds. 1 takes that back. Many small wake-ups become a few large ones.
   */
  expect?(bytes: number): void;
  /** Whether `send` may have room again; asked after each wake-up while something waits to be sent. */
  writable(): boolean;
  /** Whether nothing waits below to be sent: the path is not what holds the sender up. Absent: not known. */
  drained?(): boolean;
  /** Keeps few bytes waiting below, so that what is given later is not long behind: post-copy pushes so. */
  keepShallow?(): void;
  /** Lets bytes leave at this rate at most, wire bits a second. A link whose poller limits it has no such thing. */
  limitRate?(rateBps: number): void;
  /** What the link has done so far, for a report; null of a link around one that does not say. */
  figures?(): LinkFigures | null;
  /** What this link sends beside its bytes, as datagrams, is sealed with these keys. */
  sealDatagrams?(keys: DatagramKeys): void;
  /** Whether the link broke since nobody listens there: the host lives, its process does not. */
  readonly refused?: boolean;
  /** Ends the link, in order: what was sent before still arrives. */
  close(): void;
  /** Ends it at once: what is under way may be lost, and nothing is kept for the peer's sake. */
  abort?(): void;
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
