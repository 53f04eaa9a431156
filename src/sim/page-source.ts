/**
 * The source's page links: rounds before the switchover, pages served after it.
 *
 *   begin(round) ─► 16 pages at a time, read as they are then ─► streams in turn ─► END on each ─► onRoundSent
 *   serve(left)  ─► what is demanded at once; the rest in the order of PushOrder
 */
import type { PageSet } from '../core/index.js';
import { PushOrder } from '../vmotion-protocol/index.js';
import type { SimHost } from './host.js';
import type { Link } from './link.js';
import type { PageContent } from './memory.js';
import { contentBytes, isZero, itemBytes, type PageItem } from './page-items.js';
import type { PageTable } from './page-table.js';

/** Pages read and handed over at once. */
const BATCH_PAGES = 16;

export interface RoundSent {
  readonly round: number;
  readonly pages: number;
  readonly zeroPages: number;
  readonly bytes: number;
}

export interface PageSourceOutputs {
  roundSent(sent: RoundSent): void;
  lost(text: string): void;
}

export class PageSource {
  readonly served = { demanded: 0, pushed: 0, zero: 0, again: 0, bytes: 0 };
  readonly #host: SimHost;
  readonly #table: PageTable;
  readonly #migrationId: string;
  readonly #streamCount: number;
  readonly #out: PageSourceOutputs;
  #streams: Link[] = [];
  #demand: Link | null = null;
  #turn = 0;
  #busy = false;
  #round: {
    readonly number: number;
    readonly pages: PageSet;
    readonly final: boolean;
    next: number;
    data: number;
    zero: number;
    bytes: number;
  } | null = null;
  #order: PushOrder | null = null;
  #servingRound = 0;
  #pushFromNs = 0;

  constructor(host: SimHost, table: PageTable, migrationId: string, streams: number, out: PageSourceOutputs) {
    this.#host = host;
    this.#table = table;
    this.#migrationId = migrationId;
    this.#streamCount = streams;
    this.#out = out;
  }

  get isServing(): boolean {
    return this.#order !== null;
  }

  /** @param final it goes in the pause: streams take it whole */
  begin(round: number, pages: PageSet, final: boolean): void {
    this.open();
    this.#order = null;
    this.#round = { number: round, pages, final, next: 0, data: 0, zero: 0, bytes: 0 };
    this.#pump();
  }

  /** @param pushFromNs by the world's time: nothing is pushed earlier */
  serve(round: number, pages: PageSet, hot: PageSet | null, pushFromNs: number): void {
    this.open();
    this.#round = null;
    this.#servingRound = round;
    this.#order = new PushOrder(pages, hot);
    this.#pushFromNs = pushFromNs;
    this.#host.at(pushFromNs, () => this.#pump());
  }

  /** Nothing more is sent. */
  stop(): void {
    this.#round = this.#order = null;
    this.#drop((link) => link.close());
  }

  /** As after a broken connection: what was under way is lost. */
  abandon(): void {
    this.#round = this.#order = null;
    this.#drop((link) => link.vanish());
  }

  #drop(how: (link: Link) => void): void {
    const links = this.#demand === null ? this.#streams : [...this.#streams, this.#demand];
    this.#streams = [];
    this.#demand = null;
    for (const link of links) {
      link.onLost = link.onRoom = () => {};
      if (link.isOpen) how(link);
    }
  }

  /** Dials the page links, unless they stand. */
  open(): void {
    if (this.#streams.length > 0) return;
    for (let i = 0; i < this.#streamCount; i++) this.#streams.push(this.#newLink('pages'));
    this.#demand = this.#newLink('demand');
    this.#demand.onItem = (item) =>
      this.#host.after(this.#host.costs.faultNs, () => this.#demanded(item as PageItem));
  }

  #newLink(kind: 'pages' | 'demand'): Link {
    const link = this.#host.stack.connect(kind);
    // Looked at behind the control line, whose last word may say why.
    link.onLost = (text) => this.#host.after(this.#host.costs.messageNs, () => this.#lost(link, text));
    link.onRoom = () => {
      if (!this.#busy) this.#pump();
    };
    this.#send(link, { type: 'preamble', migrationId: this.#migrationId });
    return link;
  }

  #lost(link: Link, text: string): void {
    if (this.#streams.includes(link) || link === this.#demand) this.#out.lost(text);
  }

  #send(link: Link, item: PageItem): number {
    const bytes = itemBytes(item);
    link.send(bytes, item);
    return bytes;
  }

  #pump(): void {
    if (this.#busy) return;
    const link = this.#freeStream();
    if (link === null) return;
    const pfns = this.#round !== null ? this.#nextOfRound() : this.#nextToPush();
    if (pfns === null) return;
    this.#busy = true;
    const of = this.#round;
    const by = this.#order;
    this.#host.after(this.#nsOf(pfns), () => {
      this.#busy = false;
      // A new round, or an end, has come in between: these pages are not sent.
      if (of !== this.#round || by !== this.#order || !link.isOpen) return this.#pump();
      if (of !== null) this.#sendOfRound(link, pfns);
      else this.#sendServed(link, pfns, 'pushed');
      this.#pump();
    });
  }

  #nsOf(pfns: readonly number[]): number {
    const { guest, costs } = this.#host;
    const pageNs = this.#round?.final === true ? costs.finalPageNs : costs.sendPageNs;
    let ns = 0;
    for (const pfn of pfns) ns += guest.memory.isZero(pfn) ? costs.zeroPageNs : pageNs;
    return ns;
  }

  #freeStream(): Link | null {
    for (let i = 0; i < this.#streams.length; i++) {
      const link = this.#streams[this.#turn++ % this.#streams.length]!;
      if (this.#round?.final === true || link.takesMore) return link;
    }
    return null;
  }

  #nextOfRound(): number[] | null {
    const round = this.#round!;
    const pfns: number[] = [];
    for (
      let pfn = round.pages.next(round.next);
      pfn >= 0 && pfns.length < BATCH_PAGES;
      pfn = round.pages.next(pfn + 1)
    ) {
      pfns.push(pfn);
      round.next = pfn + 1;
    }
    if (pfns.length > 0) return pfns;
    this.#endRound();
    return null;
  }

  #endRound(): void {
    const { number, data, zero, bytes } = this.#round!;
    this.#round = null;
    for (const link of this.#streams) this.#send(link, { type: 'end', round: number });
    this.#out.roundSent({ round: number, pages: data, zeroPages: zero, bytes });
  }

  #sendOfRound(link: Link, pfns: readonly number[]): void {
    const round = this.#round!;
    const contents = this.#read(pfns);
    for (const content of contents) {
      if (isZero(content)) round.zero++;
      else round.data++;
      round.bytes += contentBytes(content);
    }
    this.#send(link, { type: 'pages', round: round.number, pfns, contents });
  }

  #nextToPush(): number[] | null {
    if (this.#order === null || this.#host.around.time.nowNs < this.#pushFromNs) return null;
    if (!this.#order.takeRun(BATCH_PAGES)) return null;
    const { pfn, pages } = this.#order;
    return Array.from({ length: pages }, (_, i) => pfn + i);
  }

  #sendServed(link: Link, pfns: readonly number[], why: 'demanded' | 'pushed'): void {
    const contents = this.#read(pfns);
    this.served[why] += pfns.length;
    for (const content of contents) if (isZero(content)) this.served.zero++;
    this.served.bytes += this.#send(link, { type: 'pages', round: this.#servingRound, pfns, contents });
  }

  #demanded(item: PageItem): void {
    if (item.type !== 'demand' || this.#demand === null) return;
    const { pfn } = item;
    if (this.#order?.demand(pfn) === true) this.#sendServed(this.#demand, [pfn], 'demanded');
  }

  /** As they are now; what is read goes into the table. */
  #read(pfns: readonly number[]): PageContent[] {
    const { guest, around } = this.#host;
    guest.catchUp(around.time.nowNs);
    return pfns.map((pfn) => {
      const content = guest.memory.read(pfn);
      this.#table.take(pfn, content);
      return content;
    });
  }
}
