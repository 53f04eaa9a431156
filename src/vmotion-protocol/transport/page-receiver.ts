/**
 * Receives page streams. What becomes of the pages is `page-landing.ts`'s business.
 *
 *   rounds of pre-copy   the link puts bytes straight into guest memory
 *   rounds behind ARM    into a payload buffer: the page may be missing, and a system call that is given a missing page
 *                        fails (`stageFrom`)
 *   post-copy            held back until FINAL has said what is missing (`holdFrom`, `release`)
 *   encoded pages        into a payload buffer
 *
 * A payload arrives in pages of a guest that does not run, or from the buffer in one step: half a record is no harm.
 */
import { PAGE_SIZE, type PageSet } from '../../core/index.js';
import { MAX_RECORD_PAGES, type PageApplier, PageStreamReader, STAGING_BYTES } from '../index.js';
import { Chain, newRegion, type Region } from './chain.js';
import type { Link } from './link.js';
import { PageLanding, type PageStage, type StagedContent } from './page-landing.js';
import type { RoundReceiver } from './page-ways.js';

/** Bytes taken from one stream, or made of what came, before the others and the control channel have their turn. */
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
  readonly stagingView: DataView;
  /** Pages of one record, once records are staged or encoded. */
  payload: Region | null;
  payloadAt: number;
  readonly chain: Chain;
  /** Rounds this stream has ended. */
  ended: number;
  open: boolean;
}

export class PageReceiver implements RoundReceiver {
  readonly #memory: Region;
  readonly #pages: number;
  readonly #landing: PageLanding;
  readonly #events: PageReceiverEvents;
  readonly #lanes: Lane[] = [];
  #demandLane: Lane | null = null;
  #streams = 0;
  #firstRound = 1;
  #roundsApplied = 0;
  #holdFrom = Number.POSITIVE_INFINITY;

  constructor(memory: Region, pages: number, content: StagedContent, events: PageReceiverEvents) {
    this.#memory = memory;
    this.#pages = pages;
    this.#landing = new PageLanding(memory, pages, content, (code, text) => events.onViolation(code, text));
    this.#events = events;
  }

  /**
   * Expects this many streams; they may come before or after.
   * @param applier makes pages of encoded ones; null refuses them
   */
  begin(streams: number, applier: PageApplier | null): void {
    this.#streams = streams;
    this.#landing.begin(applier);
  }

  addStream(link: Link, stream: number): void {
    if (this.#lanes[stream] !== undefined) return link.close();
    this.#lanes[stream] = this.#laneOf(link, this.#firstRound);
  }

  /** The link on which demanded pages come, all of round `round`; it is read once `release` was called. */
  addDemandLink(link: Link, round: number): void {
    this.#demandLane?.link.close();
    this.#demandLane = this.#laneOf(link, round);
  }

  /**
   * The source is back over new links: those of before are closed, and the streams that come now begin with `round`.
   * Once pages were staged they all are, since some of them may be missing.
   * @param hold whether the round behind `round` waits for `release`
   */
  takeUp(round: number, hold: boolean): void {
    this.close();
    this.#lanes.length = 0;
    this.#demandLane = null;
    this.#firstRound = round;
    this.#roundsApplied = round - 1;
    if (this.#landing.takeUp(round)) this.#holdFrom = hold ? round + 1 : Number.POSITIVE_INFINITY;
  }

  reconnect(): void {} // page links belong to the attempt, and takeUp closes them

  /** The last round of which anything came; 0 before the first. */
  get cameRound(): number {
    return this.#landing.cameRound;
  }

  /** The pages that did not come in that round. */
  notCome(): PageSet {
    return this.#landing.notCome();
  }

  /** Records of `round` and later go through `stage`; those of the round behind it wait for `release`. */
  stageFrom(round: number, stage: PageStage): void {
    this.#landing.stageFrom(round, stage);
    this.#holdFrom = round + 1;
  }

  /** Missing pages may come now. */
  release(): void {
    this.#holdFrom = Number.POSITIVE_INFINITY;
  }

  /** Whether bytes were left waiting by the last `receive`, so that it wants to be called again at once. */
  eager = false;

  /** Of the stream in hand, in this turn. */
  #budget = 0;

  /** Takes what has come on every stream, demanded pages first. */
  receive(): void {
    this.eager = false;
    if (this.#demandLane?.open) this.#receiveLane(this.#demandLane);
    for (const lane of this.#lanes) if (lane?.open) this.#receiveLane(lane);
  }

  close(): void {
    for (const lane of this.#lanes) lane?.link.close();
    this.#demandLane?.link.close();
  }

  #laneOf(link: Link, firstRound: number): Lane {
    const staging = newRegion(STAGING_BYTES);
    return {
      link,
      reader: new PageStreamReader(this.#pages, firstRound),
      staging,
      stagingView: new DataView(staging.bytes.buffer),
      payload: null,
      payloadAt: 0,
      chain: new Chain(),
      ended: firstRound - 1,
      open: true,
    };
  }

  #receiveLane(lane: Lane): void {
    this.#budget = TURN_BYTES;
    while (this.#budget > 0) {
      if (lane.reader.streamRound >= this.#holdFrom) return;
      const n = this.#receiveSome(lane);
      if (n === 0) return awaitRecord(lane);
      if (n < 0) {
        lane.open = false;
        return;
      }
      this.#budget -= n;
      if (!this.#took(lane, n)) return;
      if (lane.chain.bytes > 0) return awaitRecord(lane); // less than was asked for: no more is here
    }
    this.eager = true;
  }

  /** Lets the link put bytes where the reader wants them, over all runs of a record in one call. */
  #receiveSome(lane: Lane): number {
    const { reader, chain, staging } = lane;
    chain.clear();
    if (reader.phase === 'staging') {
      chain.push(staging, reader.stagingOffset, reader.needBytes);
    } else if (reader.phase === 'encoded' || this.#landing.isStaged(reader)) {
      chain.push(payloadOf(lane), lane.payloadAt, reader.payloadBytesLeft);
    } else {
      chain.push(this.#memory, reader.memoryOffset, reader.needBytes);
      for (let r = reader.run + 1; r < reader.runs; r++)
        chain.push(this.#memory, reader.pfns[r]! * PAGE_SIZE, reader.counts[r]! * PAGE_SIZE);
    }
    return lane.link.receive(chain);
  }

  /** Tells the reader what came. @returns false when the lane is of no more use */
  #took(lane: Lane, bytes: number): boolean {
    const { reader } = lane;
    if (reader.phase === 'staging') {
      const at = reader.stagingOffset;
      reader.staging.set(lane.staging.bytes.subarray(at, at + bytes), at);
    } else lane.payloadAt += bytes;
    let left = bytes;
    while (left > 0) {
      const step = Math.min(left, reader.needBytes);
      left -= step;
      switch (reader.taken(step)) {
        case 'data':
          lane.payloadAt = 0;
          break;
        case 'data-done':
          this.#landing.data(lane);
          break;
        case 'encoded':
          lane.payloadAt = 0;
          break;
        case 'encoded-done':
          if (this.#landing.encoded(lane)) {
            this.#budget -= reader.pages * PAGE_SIZE;
            break;
          }
          lane.open = false;
          return false;
        case 'zero':
          this.#landing.zeros(lane);
          break;
        case 'end':
          lane.ended++;
          this.#endRounds();
          break;
        case 'bad':
          lane.open = false;
          this.#events.onViolation(reader.failure!.code, reader.failure!.text);
          return false;
      }
    }
    return true;
  }

  #endRounds(): void {
    if (this.#streams === 0) return;
    for (;;) {
      let ended = 0;
      for (let i = 0; i < this.#streams; i++) if ((this.#lanes[i]?.ended ?? 0) > this.#roundsApplied) ended++;
      if (ended < this.#streams) return;
      const round = ++this.#roundsApplied;
      this.#events.onRoundApplied(round, this.#landing.takePagesOf(round));
    }
  }
}

function payloadOf(lane: Lane): Region {
  lane.payload ??= newRegion(MAX_RECORD_PAGES * PAGE_SIZE);
  return lane.payload;
}

/** A record is of use when it is whole: its last bytes wake us, not each of its segments. */
function awaitRecord({ link, reader }: Lane): void {
  link.expect?.(Math.max(1, reader.payloadBytesLeft));
}
