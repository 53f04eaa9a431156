/**
 * How one outgoing migration's pages reach the destination: the page links, what is sent on them, and the account of it.
 *
 *   role ─ begin, serve ─► pipeline ─► RoundSender, MissingServer ─► page links (TCP), or beside the control stream (UDP)
 *
 * Links of one attempt live and go together. What had been given to links that broke counts as under way until the
 * destination has said what it lacks. When anything is sent, and what, the machine decides (`source-role.ts`).
 */
import type { PageSet } from '../core/index.js';
import { ENCODED_MINOR, type RoundDone } from '../vmotion-protocol/index.js';
import {
  type Codecs,
  encodePreamble,
  type Link,
  type LinkPoller,
  type MissingServer,
  PageSender,
  PageServer,
  type Preamble,
  type RoundSender,
  regionOf,
  type UdpLink,
  UdpPageSender,
  UdpPageServer,
  udpLinkOf,
} from '../vmotion-protocol/transport/index.js';
import type { MigrationOrders, PipelineReport, ServedPages, TransportOrders } from './ipc.js';
import type { MovingGuest } from './moving-guest.js';
import type { PageTable } from './page-table.js';
import { SourcePipeline } from './source-pipeline.js';
import { type TransportFigures, transportFigures } from './transport-figures.js';

export interface SourcePagesParts {
  readonly guest: MovingGuest;
  readonly table: PageTable;
  readonly poller: LinkPoller;
  readonly codecs: Codecs;
  readonly transport: TransportOrders;
}

/** What both sides have agreed on, as far as it bears on pages. */
export interface PageTerms {
  readonly minor: number;
  /** Name of the codec; empty: nothing is compressed. */
  readonly codec: string;
  /** Whether pages may be missing at the destination when its guest starts. */
  readonly lacking: boolean;
}

export class SourcePages {
  readonly #parts: SourcePagesParts;
  readonly #orders: MigrationOrders;
  readonly #id: Uint8Array;
  #streams: Link[] = [];
  #sender: RoundSender | null = null;
  #server: MissingServer | null = null;
  #pipeline: SourcePipeline | null = null;
  /** Pages that had been given to the links that broke, until it shows which of them came. */
  #handedOver: PageSet | null = null;
  /** Pages still to be served when the links broke; -1 when none were being served. */
  #unserved = -1;
  #served: ServedPages | null = null;
  /** Times that links broke while they carried pages, and pages that went again for it. */
  breaks = 0;
  resent = 0;

  constructor(orders: MigrationOrders, parts: SourcePagesParts) {
    this.#orders = orders;
    this.#parts = parts;
    this.#id = Buffer.from(orders.migrationId, 'hex');
  }

  /** Opens the page links beside a control link, unless they are open. @param attempt of the control link */
  open(control: Link, attempt: number, terms: PageTerms): void {
    if (this.#sender !== null) return;
    // Pages travel beside the control stream where the transport can, else on links of their own.
    const udp = udpLinkOf(control);
    if (udp === null) this.#openStreams(attempt, terms);
    else this.#openDatagrams(udp, attempt, terms);
  }

  /** Begins a round over open links. The set is read while the round lasts: do not change it. */
  begin(round: number, pages: PageSet, final: boolean): void {
    this.#countResent(pages);
    this.#sender!.begin(round, pages, final);
  }

  /** Serves what the guest lacks at the destination, over open links. */
  serve(round: number, pages: PageSet, hot: PageSet | null): void {
    if (this.#unserved >= 0) this.resent += Math.max(0, pages.count() - this.#unserved);
    this.#unserved = -1;
    this.#server!.begin(round, pages, hot);
  }

  /** The sender of rounds; null while no links are open. */
  get sender(): RoundSender | null {
    return this.#sender;
  }

  /** The server of missing pages; null where there will be none, or no links are open. */
  get server(): MissingServer | null {
    return this.#server;
  }

  /** A round lies at the destination, but for what it missed. */
  roundDone(message: RoundDone): void {
    this.#pipeline?.roundDone(message);
  }

  /** The destination drops these pages, or will. */
  dropped(pages: PageSet): void {
    this.#pipeline?.dropped(pages);
  }

  /** The links of an attempt go together. What they were given may have arrived: LACKS will say. */
  drop(): void {
    for (const link of this.#streams) link.close();
    this.#streams = [];
    this.#pipeline?.linksLost();
    if (this.#sender === null) return;
    this.breaks++;
    this.#handedOver = this.#sender.handedOver();
    this.#unserved = this.#server?.began ? this.#server.unserved : -1;
    this.stopServing();
    this.#sender = null;
  }

  stopServing(): void {
    this.#served = this.served();
    this.#server?.close();
    this.#server = null;
  }

  close(): void {
    for (const link of this.#streams) link.close();
    this.stopServing();
  }

  /** Over all links that there were; null when nothing was served. */
  served(): ServedPages | null {
    const before = this.#served;
    const server = this.#server;
    if (server === null || !server.began) return before;
    return {
      demanded: server.pagesDemanded + (before?.demanded ?? 0),
      pushed: server.pagesPushed + (before?.pushed ?? 0),
      zero: server.zeroPages + (before?.zero ?? 0),
      again: server.pagesAgain + (before?.again ?? 0),
      bytes: server.bytes + (before?.bytes ?? 0),
    };
  }

  /** What the links that carry pages have done; to be taken before they close. */
  figures(control: Link): TransportFigures | null {
    return transportFigures(this.#streams.length > 0 ? this.#streams : [control]);
  }

  pipelineReport(): PipelineReport | null {
    return this.#pipeline?.report() ?? null;
  }

  /** Of what is sent now, what had been given to the links that broke. */
  #countResent(pages: PageSet): void {
    if (this.#handedOver === null) return;
    this.#handedOver.intersect(pages);
    this.resent += this.#handedOver.count();
    this.#handedOver = null;
  }

  #openDatagrams(link: UdpLink, attempt: number, terms: PageTerms): void {
    const { poller, guest, table, transport } = this.#parts;
    const memory = regionOf(guest.memory.bytes);
    const sender = new UdpPageSender(memory, table, link, transport.kind === 'udp' && transport.fec);
    sender.corruptPfn = this.#orders.corruptPfn ?? -1;
    this.#sender = sender;
    if (!terms.lacking) return;
    const demand = poller.connect();
    const preamble = this.#preamble('demand', 0, attempt);
    this.#server = new UdpPageServer(sender, guest.memory.bytes.length, poller, demand, preamble);
  }

  #openStreams(attempt: number, terms: PageTerms): void {
    const { poller, guest, table, codecs, transport } = this.#parts;
    for (let i = 0; i < this.#orders.streams; i++) {
      const link = poller.connect();
      if (transport.rateBps !== null) link.limitRate?.(transport.rateBps / this.#orders.streams);
      this.#streams.push(link);
    }
    const preambles = this.#streams.map((_, stream) => this.#preamble('pages', stream, attempt));
    if (terms.minor >= ENCODED_MINOR && this.#pipeline === null) {
      const codec = codecs.get(terms.codec);
      this.#pipeline = new SourcePipeline(guest.memory, table, this.#orders.pipeline, codec);
    }
    const memory = regionOf(guest.memory.bytes);
    const encoder = this.#pipeline?.encoder ?? null;
    const sender = new PageSender(memory, table, poller, this.#streams, preambles, encoder);
    sender.corruptPfn = this.#orders.corruptPfn ?? -1;
    this.#sender = sender;
    if (terms.lacking) this.#server = this.#openServer(sender, attempt);
  }

  /** Its link stands before the pause, so that the first request finds it open. */
  #openServer(sender: PageSender, attempt: number): PageServer {
    const { poller, guest, table } = this.#parts;
    const demand = poller.connect();
    const preamble = this.#preamble('demand', 0, attempt);
    const memory = regionOf(guest.memory.bytes);
    const encoder = this.#pipeline?.encoder ?? null;
    const server = new PageServer(memory, table, poller, sender.lanes, demand, preamble, encoder);
    server.corruptPfn = this.#orders.corruptPfn ?? -1;
    return server;
  }

  #preamble(kind: Preamble['kind'], stream: number, attempt: number): Uint8Array {
    return encodePreamble({ kind, stream, attempt, migrationId: this.#id });
  }
}
