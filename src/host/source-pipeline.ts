/**
 * The page pipeline of one outgoing migration: made when both sides have agreed, told what the destination has and has
 * not, asked for its account at the end. Which page goes how is `vmotion-protocol/pipeline`'s business.
 */
import type { PageSet } from '../core/index.js';
import type { GuestMemory } from '../guest/index.js';
import { nowNs } from '../sys/index.js';
import {
  codecList,
  decodePageSet,
  type PageCodec,
  PagePipeline,
  PIPELINE_DEFAULTS,
  type RoundDone,
} from '../vmotion-protocol/index.js';
import { type Codecs, PageEncoder, regionOf } from '../vmotion-protocol/transport/index.js';
import type { PipelineOrders, PipelineReport } from './ipc.js';
import type { PageTable } from './page-table.js';

/** What an offer says of codecs: none where nothing is to be compressed. */
export function codecsToOffer({ compress, linkRateBps }: PipelineOrders, codecs: Codecs): string {
  return compress === 'off' ? '' : codecList(codecs.names(linkRateBps ?? Number.POSITIVE_INFINITY));
}

export class SourcePipeline {
  readonly encoder: PageEncoder;
  readonly #pipeline: PagePipeline;
  readonly #codec: PageCodec | null;
  readonly #pages: number;
  #misses = 0;

  /** @param codec what ACCEPT has named; null: nothing is compressed */
  constructor(memory: GuestMemory, table: PageTable, orders: PipelineOrders, codec: PageCodec | null) {
    const { compress, delta, dedup } = orders;
    this.#codec = codec;
    this.#pages = memory.pages;
    this.#pipeline = new PagePipeline(memory.bytes, {
      ...PIPELINE_DEFAULTS,
      compress,
      delta,
      dedup,
      codec,
      clockNs: nowNs,
    });
    this.encoder = new PageEncoder(regionOf(memory.bytes), table, this.#pipeline, nowNs);
  }

  /** A round lies at the destination, but for what it missed. */
  roundDone({ round, missed }: RoundDone): void {
    this.#pipeline.acknowledged(round);
    const pages = missed.length > 0 ? decodePageSet(this.#pages, missed) : null;
    if (pages === null) return;
    this.#misses += pages.count();
    this.#pipeline.forget(pages);
  }

  /** The destination drops these pages, or will. */
  dropped(pages: PageSet): void {
    this.#pipeline.forget(pages);
  }

  /** The links broke: what arrived of the round in hand is not known. */
  linksLost(): void {
    this.#pipeline.linksLost();
  }

  report(): PipelineReport {
    return { ...this.#pipeline.savings(), codec: this.#codec?.name ?? null, misses: this.#misses };
  }
}
