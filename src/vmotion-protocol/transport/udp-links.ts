/**
 * Links over our own UDP transport: one connection a migration, which carries the control channel and, beside it,
 * the pages (udp-page-sender.ts, udp-page-receiver.ts). SPEC.md, "The UDP transport".
 *
 *   link ─► Connection ─► DatagramWire ─► the other host's UDP port, the same for all connections
 *
 * Connections are told apart by their 32-bit id and who opened them. They take turns, a burst each.
 */
import { randomBytes } from 'node:crypto';
import { nowNs } from '../../sys/index.js';
import {
  Bbr,
  type CongestionControl,
  Connection,
  DATAGRAM_BYTES_MAX,
  type DatagramPlan,
  FLAG_INITIATOR,
  FLAG_OPENING,
  isPacket,
  PacketReader,
  type PageInbox,
  type PageOutbox,
  packetConnection,
  packetFlags,
  TAG_BYTES,
} from '../index.js';
import { type Chain, newRegion, type Region, regionOf } from './chain.js';
import { type DatagramKeys, DatagramSeal } from './datagram-seal.js';
import type { Link, LinkFigures, LinkPoller } from './link.js';
import { SecureLink } from './secure-link.js';
import type { DatagramSink, DatagramWire, PageAddress } from './udp-wire.js';

/** Connections that a peer may have open; an opening beyond that is not answered. */
const ACCEPTED_MAX = 16;
/** Ids of ended connections that are remembered: a datagram that was long under way must not open one again. */
const ENDED_KEPT = 64;
/** Bursts one connection sends before the others and the receiving side have their turn. */
const BURSTS_A_TURN = 4;
/** A peer that was killed says nothing: it is asked after half a second and given up after this long. */
const KEEPALIVE_NS = 500_000_000;

export interface UdpLinkOptions {
  /** A congestion control of its own for each connection; default BBR. */
  readonly congestion?: () => CongestionControl;
  /** Wire bits a second of each connection that this host opens; default unlimited. */
  readonly rateLimitBps?: number;
  /** Packets of each connection under way at most; see `ConnectionOptions`. */
  readonly packetsMax?: number;
  /** Silence after which a connection counts as broken, ns; default 10 s. */
  readonly silenceNs?: number;
  /** Datagrams are sealed as soon as a link is given keys (`Link.sealDatagrams`); each has room for a tag. */
  readonly sealed?: boolean;
}

export class UdpLink implements Link {
  readonly connection: Connection;
  readonly #owner: UdpLinks;
  readonly #seal: DatagramSeal | null;
  #pageAddress: PageAddress | null = null;
  #outbox: PageOutbox | null = null;
  #inbox: PageInbox | null = null;

  /** @param seal of the connection's datagrams; null when they travel in clear */
  constructor(owner: UdpLinks, connection: Connection, seal: DatagramSeal | null) {
    this.#owner = owner;
    this.connection = connection;
    this.#seal = seal;
  }

  send(chain: Chain): boolean {
    if (this.connection.state === 'broken') return false;
    while (chain.bytes > 0) {
      const at = chain.offset(0);
      const length = chain.length(0);
      const n = this.connection.write(chain.region(0).bytes.subarray(at, at + length));
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
      const n = this.connection.read(chain.region(0).bytes.subarray(at, at + length));
      if (n > 0) chain.drop(n);
      moved += n;
      if (n < length) break;
    }
    if (moved > 0) return moved;
    return this.connection.state === 'closed' || this.connection.state === 'broken' ? -1 : 0;
  }

  writable(): boolean {
    return this.connection.writable > 0;
  }

  close(): void {
    this.connection.close();
    this.#owner.flushLink(this, nowNs());
  }

  abort(): void {
    this.connection.abort();
    this.#owner.flushLink(this, nowNs());
  }

  figures(): LinkFigures {
    const { counters, congestion, rtt } = this.connection;
    return {
      transport: 'udp',
      congestion: congestion.name,
      packetsSent: counters.packets,
      packetsLost: Math.max(0, counters.lost - counters.spurious),
      bytesResent: counters.resentBytes,
      pagesSuperseded: counters.superseded,
      paritySent: counters.paritySent,
      parityUsed: counters.recovered,
      pacingBps: Math.min(congestion.pacingBps, this.#owner.rateLimitBps),
      rttMinNs: rtt.minNs,
    };
  }

  sealDatagrams(keys: DatagramKeys): void {
    this.#seal?.give(keys);
  }

  /** Pages leave on this link. @param pageAddress where a page's bytes are when the kernel gathers them */
  sendPages(outbox: PageOutbox, pageAddress: PageAddress): void {
    this.#outbox = outbox;
    this.#pageAddress = pageAddress;
    this.#usePages();
  }

  /** Pages come in on this link. */
  receivePages(inbox: PageInbox): void {
    this.#inbox = inbox;
    this.#usePages();
  }

  /** Seals what was planned, if need be. @param staging the plan's buffer */
  protect(plan: DatagramPlan, staging: Region): void {
    this.#seal?.protect(plan, staging);
  }

  /**
   * Takes a datagram of this connection.
   * @param place the same bytes, or null: then one that may be sealed is opened in `copy`, `copyView` over it
   */
  take(
    nowNs: number,
    bytes: Uint8Array,
    view: DataView,
    at: number,
    length: number,
    place: Region | null,
    copy: Region,
    copyView: DataView,
  ): void {
    const seal = this.#seal;
    if (seal === null) {
      this.connection.receive(nowNs, bytes, view, at, length);
      return;
    }
    const stood = seal.standing;
    if (place !== null) {
      if (!seal.open(place, view, at, length)) return;
      if (!stood && seal.standing) this.#usePages();
      this.connection.receive(nowNs, bytes, view, at, length);
      return;
    }
    if (length > copy.bytes.length) return;
    copy.bytes.set(bytes.subarray(at, at + length));
    if (!seal.open(copy, copyView, 0, length)) return;
    if (!stood && seal.standing) this.#usePages();
    this.connection.receive(nowNs, copy.bytes, copyView, 0, length);
  }

  /** The connection is over, and no datagram of it is sent or opened any more. */
  dispose(): void {
    this.#seal?.close();
  }

  /** Where datagrams are sealed, no page goes or comes before both sides seal. */
  #usePages(): void {
    if (this.#seal !== null && !this.#seal.standing) return;
    if (this.#outbox !== null) this.connection.sendPages(this.#outbox);
    if (this.#inbox !== null) this.connection.receivePages(this.#inbox);
    this.#outbox = null;
    this.#inbox = null;
  }

  get pageAddress(): PageAddress | null {
    return this.#pageAddress;
  }

  /** Sends what may leave now. */
  flush(): void {
    this.#owner.flushLink(this, nowNs());
  }
}

export class UdpLinks implements LinkPoller {
  readonly #wire: DatagramWire;
  readonly #options: UdpLinkOptions;
  readonly #links: UdpLink[] = [];
  readonly #arrived: UdpLink[] = [];
  readonly #ended: number[] = [];
  readonly #reader = new PacketReader();
  /** The wire's plan as memory with an address, and a datagram that came. */
  readonly #staging: Region;
  readonly #copy = newRegion(DATAGRAM_BYTES_MAX);
  readonly #copyView = new DataView(this.#copy.bytes.buffer);
  #nowNs = 0;
  #turn = 0;
  /** A link broke in the last flush, behind the backs of those who own it: they have to look once more. */
  #broke = false;
  /** Datagrams of no connection, and openings turned away. */
  strangers = 0;
  readonly #sink: DatagramSink = (bytes, view, at, length, place) => {
    const link = this.#linkOf(view, at, length);
    if (link === null) this.strangers++;
    else link.take(this.#nowNs, bytes, view, at, length, place, this.#copy, this.#copyView);
  };

  constructor(wire: DatagramWire, options: UdpLinkOptions = {}) {
    this.#wire = wire;
    this.#options = options;
    this.#staging = regionOf(wire.plan.bytes);
  }

  get rateLimitBps(): number {
    return this.#options.rateLimitBps ?? Number.POSITIVE_INFINITY;
  }

  connect(): UdpLink {
    const link = this.#link(randomBytes(4).readUInt32LE(0), true);
    this.flushLink(link, nowNs());
    return link;
  }

  accept(): UdpLink | null {
    return this.#arrived.shift() ?? null;
  }

  takeIn(atNs: number): void {
    this.#nowNs = atNs;
    this.#broke = false;
    this.#wire.takeIn(this.#sink);
  }

  flush(atNs: number): void {
    const links = this.#links;
    for (let i = links.length - 1; i >= 0; i--) {
      const { state } = links[i]!.connection;
      if (state === 'broken' || state === 'closed') {
        if (state === 'broken') this.#broke = true;
        this.flushLink(links[i]!, atNs);
        if (links[i]!.connection.nextWakeNs() < Number.POSITIVE_INFINITY) continue;
        this.#ended.push(links[i]!.connection.connectionId);
        if (this.#ended.length > ENDED_KEPT) this.#ended.shift();
        links[i]!.dispose();
        links.splice(i, 1);
      }
    }
    for (let i = 0; i < links.length; i++) {
      const link = links[(this.#turn + i) % links.length]!;
      this.flushLink(link, atNs);
      if (link.connection.state === 'broken') this.#broke = true;
    }
    this.#turn++;
  }

  nextWakeNs(): number {
    if (this.#broke) return 0;
    let wakeNs = this.#wire.nextWakeNs();
    if (this.#wire.at < 0) return wakeNs; // the socket is full: POLLOUT wakes
    for (const link of this.#links) wakeNs = Math.min(wakeNs, link.connection.nextWakeNs());
    return wakeNs;
  }

  wantWrite(): void {} // room comes with an acknowledgement, and that is a datagram: the loop wakes anyway

  close(): void {
    for (const link of this.#links) {
      link.connection.abort();
      this.flushLink(link, nowNs());
    }
    this.#wire.close();
  }

  /** Sends what the link's connection may send now, a few bursts at most. */
  flushLink(link: UdpLink, atNs: number): void {
    const wire = this.#wire;
    if (wire.at < 0) wire.flush();
    for (let burst = 0; burst < BURSTS_A_TURN; burst++) {
      let more = true;
      while (wire.at >= 0) {
        more = link.connection.poll(atNs, wire.plan, wire.at, wire.flat || this.#options.sealed === true);
        if (!more) break;
        link.protect(wire.plan, this.#staging);
        wire.push(link.pageAddress);
      }
      wire.flush();
      if (!more || wire.at < 0) return;
    }
  }

  /** Whose datagram it is; one that opens a connection makes a new link. Null when it is nobody's. */
  #linkOf(view: DataView, at: number, length: number): UdpLink | null {
    if (!isPacket(view, at, length)) return null;
    const connection = packetConnection(view, at);
    const initiator = (packetFlags(view, at) & FLAG_INITIATOR) === 0;
    for (const link of this.#links) {
      const c = link.connection;
      if (c.connectionId === connection && c.initiator === initiator) return link;
    }
    if (!this.#reader.open(view, at, length)) return null; // a sealed one opens nothing
    const opens = !initiator && (this.#reader.flags & FLAG_OPENING) !== 0;
    if (!opens || this.#ended.includes(connection) || this.#links.length >= ACCEPTED_MAX) return null;
    const link = this.#link(connection, false);
    this.#arrived.push(link);
    return link;
  }

  #link(connectionId: number, initiator: boolean): UdpLink {
    const { congestion, rateLimitBps, packetsMax, silenceNs, sealed = false } = this.#options;
    const connection = new Connection({
      connectionId,
      initiator,
      congestion: congestion?.() ?? new Bbr(),
      maxDatagramBytes: this.#wire.maxDatagramBytes,
      keepaliveNs: KEEPALIVE_NS,
      reservedBytes: sealed ? TAG_BYTES : 0,
      ...(initiator && rateLimitBps !== undefined ? { rateLimitBps } : {}),
      ...(packetsMax === undefined ? {} : { packetsMax }),
      ...(silenceNs === undefined ? {} : { silenceNs }),
    });
    const link = new UdpLink(this, connection, sealed ? new DatagramSeal() : null);
    this.#links.push(link);
    return link;
  }
}

/** The UDP link that a link is, or that its sealed bytes travel on; null when it is another kind. */
export function udpLinkOf(link: Link): UdpLink | null {
  const bare = link instanceof SecureLink ? link.inner : link;
  return bare instanceof UdpLink ? bare : null;
}
