/**
 * Post-copy's source over UDP: the face of `PageServer`. Pages leave as frames of the connection, demanded ones ahead of
 * all others; requests come back on the demand link, a connection of its own that carries nothing else.
 *
 *   armed ── the final flight and FINAL have arrived, or a request says so ──► serving, in PushOrder's order
 *
 * A connection sends one round at a time, so this one begins when the final flight is over: known a round trip after
 * FINAL, which is when pages may be pushed anyway, or at the first request, since the guest runs then.
 */
import { PAGE_SIZE, type PageSet } from '../../core/index.js';
import { PushedPages, PushOrder } from '../index.js';
import { DEMAND_AGAIN, DemandRequests, LINK_BROKEN, NO_REQUEST } from './demand-requests.js';
import type { Link, LinkPoller } from './link.js';
import type { MissingServer } from './page-ways.js';
import { RecordLane } from './record-lane.js';
import type { UdpPageSender } from './udp-page-sender.js';

export class UdpPageServer implements MissingServer {
  readonly #sender: UdpPageSender;
  readonly #pages: number;
  readonly #lane: RecordLane;
  readonly #requests: DemandRequests;
  #armed: { readonly round: number; readonly pages: PageSet; readonly hot: PageSet | null } | null = null;
  #serving = false;
  /** Of the pages to be served. */
  #count = 0;

  pagesDemanded = 0;
  pagesAgain = 0;

  /** @param sender of the rounds before; @param demand a new link, on which requests come back */
  constructor(
    sender: UdpPageSender,
    memoryBytes: number,
    poller: LinkPoller,
    demand: Link,
    preamble: Uint8Array,
  ) {
    this.#sender = sender;
    this.#pages = memoryBytes / PAGE_SIZE;
    this.#lane = new RecordLane(demand, poller, preamble);
    this.#lane.flush();
    this.#requests = new DemandRequests(demand);
  }

  begin(round: number, pages: PageSet, hot: PageSet | null): void {
    this.#armed = { round, pages, hot };
    this.#count = pages.count();
    this.#serving = false;
  }

  get began(): boolean {
    return this.#armed !== null;
  }

  get unserved(): number {
    return this.#serving ? this.#count - this.#sender.handedOver().count() : this.#count;
  }

  get eager(): boolean {
    return this.#armed !== null && !this.#serving && this.#sender.settled;
  }

  get pagesPushed(): number {
    if (!this.#serving) return 0;
    return this.#sender.pagesSent + this.#sender.zeroPages - this.pagesDemanded - this.pagesAgain;
  }

  get zeroPages(): number {
    return this.#serving ? this.#sender.zeroPages : 0;
  }

  get bytes(): number {
    return this.#serving ? this.#sender.bytes : 0;
  }

  pump(push: boolean): boolean {
    if (!this.#lane.flush()) return false;
    if (this.#armed === null) return true;
    for (let request = this.#requests.next(); request !== NO_REQUEST; request = this.#requests.next()) {
      if (request === LINK_BROKEN) return false;
      if (!this.#serving) this.#serve();
      this.#requested(request);
    }
    if (push && this.eager) this.#serve();
    return this.#sender.push();
  }

  close(): void {
    this.#lane.link.close();
  }

  #serve(): void {
    const { round, pages, hot } = this.#armed!;
    this.#serving = true;
    this.#sender.serve(round, new PushedPages(new PushOrder(pages, hot)), this.#count);
  }

  /** A page that was pushed already is on its way: it is not sent twice. A pfn beyond the memory is nobody's page. */
  #requested(request: number): void {
    const again = request >= DEMAND_AGAIN;
    const pfn = again ? request - DEMAND_AGAIN : request;
    if (pfn >= this.#pages) return;
    if (this.#sender.demand(pfn)) this.pagesDemanded++;
    else if (again) {
      this.pagesAgain++;
      this.#sender.again(pfn);
    }
  }
}
