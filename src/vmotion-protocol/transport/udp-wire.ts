/**
 * How datagrams of a connection reach the other host: the kernel's UDP here, our own IP stack in attaches without one.
 */
import {
  closeFd,
  connectUdp,
  DatagramBatch,
  DatagramReceiver,
  type Endpoint,
  localEndpoint,
  nowNs,
  openUdp,
  POLLIN,
  POLLOUT,
  type PollSet,
  probeOwnMtu,
  setBuffers,
} from '../../sys/index.js';
import { DATAGRAM_BYTES_MAX, DatagramPlan } from '../index.js';
import { newRegion, type Region } from './chain.js';

/** Gives the address of a page's bytes as they are to be sent. */
export type PageAddress = (pfn: number) => number;

/**
 * Takes one datagram that has come: bytes[at … at+length), `view` over the same buffer; valid during the call.
 * @param place the same bytes, if they stand at a stable address and may be written: a sealed datagram is opened there
 */
export type DatagramSink = (
  bytes: Uint8Array,
  view: DataView,
  at: number,
  length: number,
  place: Region | null,
) => void;

export interface DatagramWire {
  /** UDP payload that the interface carries at most. */
  readonly maxDatagramBytes: number;
  /** Plans must have their page bytes copied in. */
  readonly flat: boolean;
  /** Where the next datagram is planned. */
  readonly plan: DatagramPlan;
  /** Offset in the plan's buffer for the next datagram; −1 when `flush` must come first, or the socket is full. */
  readonly at: number;
  /** The plan's datagram is to leave. */
  push(pageAddress: PageAddress | null): void;
  /** Hands to the net what was pushed. */
  flush(): void;
  /** Takes in what has come, a bounded number of datagrams. */
  takeIn(sink: DatagramSink): void;
  /** When `takeIn` wants to be called though nothing came; Infinity when there is no timer. */
  nextWakeNs(): number;
  close(): void;
}

const LOOPBACK = 0x7f000001;
/** IPv4 and UDP headers. */
const HEADERS = 28;
/** Asked of the kernel for each direction; it gives what it may. */
const SOCKET_BYTES = 8 * 2 ** 20;
/** Planned bytes between two flushes, and pieces one datagram can have. */
const STAGING_BYTES = 96 * 1024;
const PIECES_MAX = 17;
/** Bytes and calls of one turn: what comes is acknowledged only after it, and the sender must not wait for that. */
const TURN_BYTES = 256 * 1024;
const CALLS_A_TURN = 8;
/**
 * A turn that brought so many bytes is followed by a rest in which more gather: one wake-up and one acknowledgement for
 * many datagrams, as a network card moderates its interrupts. What holds a fifth of a millisecond at 1 Gbit/s is no rest.
 */
const REST_FROM_BYTES = 24 * 1024;
const REST_NS = 100_000;

/** UDP of the namespace that the calling thread has entered, between two fixed endpoints. */
export class KernelWire implements DatagramWire {
  readonly maxDatagramBytes: number;
  readonly flat = false;
  readonly plan: DatagramPlan;
  readonly #fd: number;
  readonly #slot: number;
  readonly #polls: PollSet;
  readonly #staging: Region = newRegion(STAGING_BYTES);
  readonly #batch: DatagramBatch;
  readonly #receiver: DatagramReceiver;
  #at = 0;
  #full = false;
  /** When the rest is over; 0 when there is none. */
  #restUntilNs = 0;
  #events = POLLIN;

  /** @param mtu the interface's, 540 or more; what lies beyond is found by probing */
  static open(polls: PollSet, local: Endpoint, peer: Endpoint, mtu: number): KernelWire {
    const fd = openUdp(local);
    connectUdp(fd, peer);
    return new KernelWire(polls, fd, mtu);
  }

  /** Two ends on this machine's loopback interface. */
  static pair(polls: PollSet, mtu: number): readonly [KernelWire, KernelWire] {
    const fds = [openUdp({ ip: LOOPBACK, port: 0 }), openUdp({ ip: LOOPBACK, port: 0 })] as const;
    connectUdp(fds[0], localEndpoint(fds[1]));
    connectUdp(fds[1], localEndpoint(fds[0]));
    return [new KernelWire(polls, fds[0], mtu), new KernelWire(polls, fds[1], mtu)];
  }

  /** @param fd a connected socket, the wire's from now on */
  private constructor(polls: PollSet, fd: number, mtu: number) {
    this.maxDatagramBytes = Math.min(DATAGRAM_BYTES_MAX, mtu - HEADERS);
    this.#polls = polls;
    this.#fd = fd;
    setBuffers(this.#fd, SOCKET_BYTES);
    probeOwnMtu(this.#fd);
    this.#batch = new DatagramBatch(this.#fd);
    this.#receiver = new DatagramReceiver(this.#fd);
    this.plan = new DatagramPlan(this.#staging.bytes);
    this.#slot = polls.add(this.#fd, POLLIN);
  }

  /** Whether the kernel cuts and joins datagrams for us (UDP_SEGMENT, UDP_GRO). */
  get offload(): { readonly segmenting: boolean; readonly joining: boolean } {
    return { segmenting: this.#batch.segmenting, joining: this.#receiver.joining };
  }

  get at(): number {
    const room = this.#at + this.maxDatagramBytes <= STAGING_BYTES && this.#batch.hasRoom(PIECES_MAX);
    return this.#full || !room ? -1 : this.#at;
  }

  push(pageAddress: PageAddress | null): void {
    const { plan } = this;
    const base = this.#staging.address;
    let from = plan.start;
    for (let i = 0; i < plan.cuts; i++) {
      const to = plan.cutAt[i]!;
      this.#batch.piece(base + from, to - from);
      this.#batch.piece(pageAddress!(plan.cutPfn[i]!) + plan.cutOffset[i]!, plan.cutLength[i]!);
      from = to;
    }
    if (plan.end > from) this.#batch.piece(base + from, plan.end - from);
    this.#batch.endDatagram(plan.length, plan.probe);
    this.#at = (plan.end + 15) & ~15;
  }

  flush(): void {
    if (this.#full && (this.#polls.ready(this.#slot) & POLLOUT) === 0) return;
    const sent = this.#batch.flush();
    this.#full = !sent;
    this.#wait();
    if (sent) this.#at = 0;
  }

  takeIn(sink: DatagramSink): void {
    const now = nowNs();
    if (now < this.#restUntilNs) return;
    const bytes = this.#receive(sink);
    this.#restUntilNs = bytes >= REST_FROM_BYTES ? now + REST_NS : 0;
    this.#wait();
  }

  #wait(): void {
    const events = (this.#restUntilNs > 0 ? 0 : POLLIN) | (this.#full ? POLLOUT : 0);
    if (events === this.#events) return;
    this.#events = events;
    this.#polls.setEvents(this.#slot, events);
  }

  /** @returns bytes that came */
  #receive(sink: DatagramSink): number {
    const receiver = this.#receiver;
    let bytes = 0;
    for (let call = 0; call < CALLS_A_TURN && bytes < TURN_BYTES; call++) {
      const n = receiver.receive();
      for (let i = 0; i < n; i++) {
        const size = receiver.segmentBytes(i);
        const end = receiver.offset(i) + receiver.length(i);
        bytes += receiver.length(i);
        for (let at = receiver.offset(i); at < end; at += size)
          sink(receiver.bytes, receiver.view, at, Math.min(size, end - at), receiver.place);
      }
      if (n < DatagramReceiver.MESSAGES) break;
    }
    return bytes;
  }

  nextWakeNs(): number {
    return this.#restUntilNs > 0 ? this.#restUntilNs : Number.POSITIVE_INFINITY;
  }

  close(): void {
    this.#polls.remove(this.#slot);
    closeFd(this.#fd);
  }
}
