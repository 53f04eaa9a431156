/**
 * Receives page streams straight into guest memory: the reader says where the next bytes belong, the link puts
 * them there, and each page is hashed by reading it back once it is whole. docs/design.md, "Results", memoryIdentical.
 *
 * A payload arrives in pages of a guest that does not run: half a record is no harm, since without FINAL and a
 * fitting digest nothing ever starts.
 */
import { PAGE_SIZE } from '../../core/index.js';
import { PageStreamReader, STAGING_BYTES } from '../index.js';
import { Chain, newRegion, type Region } from './chain.js';
import type { Link } from './link.js';
import type { PageContent } from './page-sender.js';

/** Bytes taken from one stream before the others and the control channel have their turn. */
const TURN_BYTES = 1 << 20;

export interface PageReceiverEvents {
  /** Every stream has ended this round and all of it lies in memory. @param pages data and zero pages of the round */
  onRoundApplied(round: number, pages: number): void;
  onViolation(code: string, text: string): void;
}

interface Lane {
  readonly link: Link;
  readonly reader: PageStreamReader;
  readonly staging: Region;
  readonly chain: Chain;
  /** Rounds this stream has ended. */
  ended: number;
  open: boolean;
}

export class PageReceiver {
  readonly #memory: Region;
  readonly #pages: number;
  readonly #content: PageContent;
  readonly #events: PageReceiverEvents;
  readonly #lanes: Lane[] = [];
  #streams = 0;
  #roundsApplied = 0;
  /** Pages applied by round; a fast stream may be a round ahead. */
  readonly #pagesOf = new Map<number, number>();

  constructor(memory: Region, pages: number, content: PageContent, events: PageReceiverEvents) {
    this.#memory = memory;
    this.#pages = pages;
    this.#content = content;
    this.#events = events;
  }

  /** Expects this many streams; they may come before or after. */
  begin(streams: number): void {
    this.#streams = streams;
  }

  addStream(link: Link, stream: number): void {
    if (this.#lanes[stream] !== undefined) return link.close();
    this.#lanes[stream] = {
      link,
      reader: new PageStreamReader(this.#pages),
      staging: newRegion(STAGING_BYTES),
      chain: new Chain(),
      ended: 0,
      open: true,
    };
  }

  /** Whether bytes were left waiting by the last `receive`, so that it wants to be called again at once. */
  eager = false;

  /** Takes what has come on every stream. */
  receive(): void {
    this.eager = false;
    for (const lane of this.#lanes) if (lane?.open) this.#receiveLane(lane);
  }

  close(): void {
    for (const lane of this.#lanes) lane?.link.close();
  }

  #receiveLane(lane: Lane): void {
    const { reader, chain } = lane;
    let budget = TURN_BYTES;
    while (budget > 0) {
      const wanted = reader.needBytes;
      chain.clear();
      if (reader.phase === 'payload') chain.push(this.#memory, reader.memoryOffset, wanted);
      else chain.push(lane.staging, 0, wanted);
      const n = lane.link.receive(chain);
      if (n === 0) return;
      if (n < 0) {
        lane.open = false;
        return;
      }
      budget -= n;
      if (reader.phase === 'staging')
        reader.staging.set(lane.staging.bytes.subarray(0, n), reader.stagingOffset);
      switch (reader.taken(n)) {
        case 'data-done':
          this.#applied(reader);
          break;
        case 'zero':
          this.#clear(reader);
          this.#applied(reader);
          break;
        case 'end':
          lane.ended++;
          this.#endRounds();
          break;
        case 'bad':
          lane.open = false;
          return this.#events.onViolation(reader.failure!.code, reader.failure!.text);
      }
    }
    this.eager = true;
  }

  /** Zero pages: written only where they are not zero already, so that untouched memory stays unpopulated. */
  #clear(reader: PageStreamReader): void {
    for (let r = 0; r < reader.runs; r++) {
      const first = reader.pfns[r]!;
      for (let pfn = first; pfn < first + reader.counts[r]!; pfn++) {
        if (!this.#content.hash(pfn)) this.#memory.bytes.fill(0, pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE);
      }
    }
  }

  #applied(reader: PageStreamReader): void {
    for (let r = 0; r < reader.runs; r++) {
      const first = reader.pfns[r]!;
      for (let pfn = first; pfn < first + reader.counts[r]!; pfn++) this.#content.hash(pfn);
    }
    this.#pagesOf.set(reader.round, (this.#pagesOf.get(reader.round) ?? 0) + reader.pages);
  }

  #endRounds(): void {
    if (this.#streams === 0) return;
    for (;;) {
      let ended = 0;
      for (let i = 0; i < this.#streams; i++) if ((this.#lanes[i]?.ended ?? 0) > this.#roundsApplied) ended++;
      if (ended < this.#streams) return;
      const round = ++this.#roundsApplied;
      const pages = this.#pagesOf.get(round) ?? 0;
      this.#pagesOf.delete(round);
      this.#events.onRoundApplied(round, pages);
    }
  }
}
