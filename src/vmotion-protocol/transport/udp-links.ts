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
  FLAG_INITIATOR,
  FLAG_OPENING,
  PacketReader,
  type PageInbox,
  type PageOutbox,
} from '../index.js';
import type { Chain } from './chain.js';
import type { Link, LinkFigures, LinkPoller } from './link.js';
import type { DatagramWire, PageAddress } from './udp-wire.js';

/** Connections that a peer may have open; an opening beyond that is not answered. */
const ACCEPTED_MAX = 16;
/** Ids of ended connections that are remembered: a datagram that was long under way must not open one again. */
const ENDED_KEPT = 64;
/** Bursts one connection sends before the others and the receiving side have their turn. */
const BURSTS_A_TURN = 1;
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
}

export class UdpLink implements Link {
  readonly connection: Connection;
  readonly #owner: UdpLinks;
  #pageAddress: PageAddress | null = null;

  constructor(owner: UdpLinks, connection: Connection) {
    this.#owner = owner;
    this.connection = connection;
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

  /** Pages leave on this link. @param pageAddress where a page's bytes are when the kernel gathers them */
  sendPages(outbox: PageOutbox, pageAddress: PageAddress): void {
    this.connection.sendPages(outbox);
    this.#pageAddress = pageAddress;
  }

  /** Pages come in on this link. */
  receivePages(inbox: PageInbox): void {
    this.connection.receivePages(inbox);
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
  #nowNs = 0;
  #turn = 0;
  /** A link broke in the last flush, behind the backs of those who own it: they have to look once more. */
  #broke = false;
  /** Datagrams of no connection, and openings turned away. */
  strangers = 0;
  readonly #sink = (bytes: Uint8Array, view: DataView, at: number, length: number): void =>
    this.#received(bytes, view, at, length);

  constructor(wire: DatagramWire, options: UdpLinkOptions = {}) {
    this.#wire = wire;
    this.#options = options;
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
        more = link.connection.poll(atNs, wire.plan, wire.at, wire.flat);
        if (!more) break;
        wire.push(link.pageAddress);
      }
      wire.flush();
      if (!more || wire.at < 0) return;
    }
  }

  #received(bytes: Uint8Array, view: DataView, at: number, length: number): void {
    if (!this.#reader.open(view, at, length)) {
      this.strangers++;
      return;
    }
    const { connection, flags } = this.#reader;
    const initiator = (flags & FLAG_INITIATOR) === 0;
    for (const link of this.#links) {
      const c = link.connection;
      if (c.connectionId !== connection || c.initiator !== initiator) continue;
      c.receive(this.#nowNs, bytes, view, at, length);
      return;
    }
    const opens = !initiator && (flags & FLAG_OPENING) !== 0 && !this.#ended.includes(connection);
    if (!opens || this.#links.length >= ACCEPTED_MAX) {
      this.strangers++;
      return;
    }
    const link = this.#link(connection, false);
    link.connection.receive(this.#nowNs, bytes, view, at, length);
    this.#arrived.push(link);
  }

  #link(connectionId: number, initiator: boolean): UdpLink {
    const { congestion, rateLimitBps, packetsMax, silenceNs } = this.#options;
    const connection = new Connection({
      connectionId,
      initiator,
      congestion: congestion?.() ?? new Bbr(),
      maxDatagramBytes: this.#wire.maxDatagramBytes,
      keepaliveNs: KEEPALIVE_NS,
      ...(initiator && rateLimitBps !== undefined ? { rateLimitBps } : {}),
      ...(packetsMax === undefined ? {} : { packetsMax }),
      ...(silenceNs === undefined ? {} : { silenceNs }),
    });
    const link = new UdpLink(this, connection);
    this.#links.push(link);
    return link;
  }
}
