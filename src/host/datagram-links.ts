/**
 * Links without a kernel network: our reliable stream over UDP, in Ethernet frames of our own end station, on a
 * NIO-UDP port of the bridge. The `loopback` attach uses it.
 *
 *   link ─► ReliableStream ─► UDP (port 8000 + n) ─► EndStation (IPv4, ARP) ─► datagram to the fabric
 *
 * The connecting side takes one UDP port a link; the listening side tells links apart by the peer's port.
 */
import { WOKE } from '../core/index.js';
import { EndStation, type StationAction } from '../l2/index.js';
import {
  connectUdp,
  type Endpoint,
  nowNs,
  POLLIN,
  type PollSet,
  receiveBytes,
  sendBytes,
} from '../sys/index.js';
import { ReliableStream, type ReliableStreamOptions } from '../vmotion-protocol/index.js';
import { type Chain, type Link, type LinkPoller, newRegion } from '../vmotion-protocol/transport/index.js';
import type { VmkAttach } from './ipc.js';

const LOOPBACK = 0x7f000001;
/** IPv4 and UDP headers. */
const HEADERS = 28;
const FRAME_BYTES = 10_240;
/** Datagrams taken between two looks at the links. */
const BATCH = 64;
/**
 * Segments in flight at most: what the sockets in between hold without loss while one of their owners waits for
 * a processor (4 MiB asked, at least 208 KiB had), at 9 KB a segment with the kernel's overhead.
 */
const WINDOW_SEGMENTS = 32;
/** A peer that was killed says nothing: it is asked after half a second and given up after three. */
const KEEPALIVE_NS = 500_000_000;
const SILENCE_NS = 3_000_000_000;

type DatagramAttach = Extract<VmkAttach, { kind: 'datagram' }>;

class DatagramLink implements Link {
  readonly stream: ReliableStream;
  readonly localPort: number;
  readonly peerPort: number;
  readonly #owner: DatagramLinks;

  constructor(owner: DatagramLinks, stream: ReliableStream, localPort: number, peerPort: number) {
    this.#owner = owner;
    this.stream = stream;
    this.localPort = localPort;
    this.peerPort = peerPort;
  }

  send(chain: Chain): boolean {
    if (this.stream.state === 'broken') return false;
    while (chain.bytes > 0) {
      const at = chain.offset(0);
      const length = chain.length(0);
      const n = this.stream.write(chain.region(0).bytes.subarray(at, at + length));
      if (n > 0) chain.drop(n);
      if (n < length) break;
    }
    this.#owner.flushLink(this, nowNs());
    return true;
  }

  receive(chain: Chain): number {
    let moved = 0;
    while (chain.bytes > 0) {
      const at = chain.offset(0);
      const length = chain.length(0);
      const n = this.stream.read(chain.region(0).bytes.subarray(at, at + length));
      if (n > 0) chain.drop(n);
      moved += n;
      if (n < length) break;
    }
    if (moved > 0) return moved;
    return this.stream.state === 'closed' || this.stream.state === 'broken' ? -1 : 0;
  }

  writable(): boolean {
    return this.stream.writable > 0;
  }

  close(): void {
    this.stream.close();
    this.#owner.flushLink(this, nowNs());
  }
}

export class DatagramLinks implements LinkPoller {
  readonly #fd: number;
  readonly #slot: number;
  readonly #polls: PollSet;
  readonly #station: EndStation;
  readonly #actions: StationAction[] = [];
  readonly #frame = newRegion(FRAME_BYTES);
  readonly #transmit = newRegion(FRAME_BYTES);
  readonly #local: Endpoint;
  readonly #peer: Endpoint;
  readonly #options: ReliableStreamOptions;
  readonly #links = new Set<DatagramLink>();
  readonly #accepted: DatagramLink[] = [];
  #nextPort: number;
  #nextConnection = 1;
  /** A link broke in the last flush, behind the backs of those who own it: they have to look once more. */
  #broke = false;

  constructor(polls: PollSet, attach: DatagramAttach, local: Endpoint, peer: Endpoint) {
    this.#polls = polls;
    this.#fd = attach.fd;
    connectUdp(attach.fd, { ip: LOOPBACK, port: attach.fabricUdpPort });
    this.#slot = polls.add(attach.fd, POLLIN);
    this.#station = new EndStation({ mac: attach.mac, ip: local.ip, mtu: attach.mtu });
    this.#local = local;
    this.#peer = peer;
    this.#options = {
      mss: attach.mtu - HEADERS - ReliableStream.HEADER_BYTES,
      maxWindowSegments: WINDOW_SEGMENTS,
      keepaliveNs: KEEPALIVE_NS,
      silenceNs: SILENCE_NS,
    };
    this.#nextPort = local.port + 1;
  }

  connect(): Link {
    const localPort = this.#nextPort++;
    const stream = ReliableStream.open({ ...this.#options, connectionId: this.#nextConnection++ });
    const link = new DatagramLink(this, stream, localPort, this.#peer.port);
    this.#links.add(link);
    this.flushLink(link, nowNs());
    return link;
  }

  accept(): Link | null {
    return this.#accepted.shift() ?? null;
  }

  takeIn(atNs: number): void {
    this.#broke = false;
    for (let i = 0; i < BATCH; i++) {
      const n = receiveBytes(this.#fd, this.#frame.address, FRAME_BYTES);
      if (n < 0) break;
      this.#station.step(
        atNs,
        { type: 'frame-received', bytes: this.#frame.bytes.subarray(0, n) },
        this.#actions,
      );
      this.#carryOut(atNs);
    }
    if (this.#station.nextWakeNs() <= atNs) {
      this.#station.step(atNs, WOKE, this.#actions);
      this.#carryOut(atNs);
    }
  }

  flush(atNs: number): void {
    for (const link of this.#links) {
      this.flushLink(link, atNs);
      const { state } = link.stream;
      if (state === 'broken') this.#broke = true;
      if (state === 'closed' || state === 'broken') this.#links.delete(link);
    }
  }

  nextWakeNs(): number {
    if (this.#broke) return 0;
    let wakeNs = this.#station.nextWakeNs();
    for (const link of this.#links) wakeNs = Math.min(wakeNs, link.stream.nextWakeNs());
    return wakeNs;
  }

  wantWrite(): void {} // room comes with an acknowledgement, and that is a datagram: the loop wakes anyway

  close(): void {
    this.#polls.remove(this.#slot);
  }

  /** Sends what the link's stream has to send now. */
  flushLink(link: DatagramLink, now: number): void {
    link.stream.flush(now, (payload) => {
      const to = { ip: this.#peer.ip, port: link.peerPort };
      this.#station.step(
        now,
        { type: 'udp-requested', to, fromPort: link.localPort, payload },
        this.#actions,
      );
      this.#carryOut(now);
    });
  }

  #carryOut(atNs: number): void {
    for (let i = 0; i < this.#actions.length; i++) {
      const action = this.#actions[i]!;
      if (action.type === 'send') {
        this.#transmit.bytes.set(action.bytes);
        sendBytes(this.#fd, this.#transmit.address, action.bytes.length);
      } else if (action.type === 'udp-received') {
        this.#deliver(atNs, action.from.port, action.toPort, action.payload);
      }
    }
    this.#actions.length = 0;
  }

  #deliver(atNs: number, fromPort: number, toPort: number, payload: Uint8Array): void {
    for (const link of this.#links) {
      if (link.localPort !== toPort || link.peerPort !== fromPort) continue;
      link.stream.receive(atNs, payload);
      return;
    }
    if (toPort !== this.#local.port || !ReliableStream.isOpening(payload)) return;
    const stream = ReliableStream.accept(this.#options);
    const link = new DatagramLink(this, stream, toPort, fromPort);
    stream.receive(atNs, payload);
    this.#links.add(link);
    this.#accepted.push(link);
  }
}
