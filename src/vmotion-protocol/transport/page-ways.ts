/**
 * What a host asks of whatever carries pages, so that its roles need not know which transport it is.
 *
 *   source        RoundSender   ── pre-copy rounds and the final flight ──►   RoundReceiver   destination
 *                 MissingServer ── post-copy: what the guest lacks there ──►       │
 *                       ▲                                                          ▼ stage (memory with pages missing)
 *                       └───────────────── requests, on the demand link ───────────┘
 *
 *   TCP   page-sender.ts, page-server.ts, page-receiver.ts: records on page links and on the demand link
 *   UDP   udp-page-sender.ts, udp-page-server.ts, udp-page-receiver.ts: frames beside the control stream; the demand
 *         link carries requests only
 */
import type { PageSet } from '../../core/index.js';
import type { PageApplier } from '../index.js';
import type { Link } from './link.js';
import type { PageStage } from './page-landing.js';

/** Sends the pages of one round after the other. */
export interface RoundSender {
  /** Begins a round. The set is read while the round lasts: do not change it. @param final the guest stands */
  begin(round: number, pages: PageSet, final: boolean): void;
  /** Whether a round is being sent. */
  readonly busy: boolean;
  /** Whether `pump` can go on at once. */
  readonly eager: boolean;
  /**
   * Sends as much as can leave.
   * @returns 'done' when every byte of the round is handed over, 'more' to be called again, 'broken' when a link failed
   */
  pump(): 'done' | 'more' | 'broken';
  /** Of this round: pages with content, pages of zeros, bytes of records. */
  readonly pagesSent: number;
  readonly zeroPages: number;
  readonly bytes: number;
  /** Pages of the round in hand, or of the last one, that were given to a link: some may not have arrived. */
  handedOver(): PageSet;
}

/** Sends the pages that the guest lacks at the destination, those that it waits for first. */
export interface MissingServer {
  /** Sends `pages`; `hot` ones go first. Both sets are the server's from now on. */
  begin(round: number, pages: PageSet, hot: PageSet | null): void;
  /** Whether there were pages to serve. */
  readonly began: boolean;
  /** Pages that were to be served and have not been given to a link. */
  readonly unserved: number;
  /** Whether `pump` can go on at once. */
  readonly eager: boolean;
  /** Answers requests; where `push` is set, sends what nobody has asked for. @returns false when a link is broken */
  pump(push: boolean): boolean;
  close(): void;
  readonly pagesDemanded: number;
  readonly pagesPushed: number;
  readonly zeroPages: number;
  readonly pagesAgain: number;
  readonly bytes: number;
}

/** Takes in the pages of one round after the other. */
export interface RoundReceiver {
  /**
   * Pages are taken from now on.
   * @param streams page links to expect @param applier makes pages of encoded ones; null refuses them
   */
  begin(streams: number, applier: PageApplier | null): void;
  /** A page link has come. */
  addStream(link: Link, stream: number): void;
  /** The demand link has come; pages on it are of `round`. */
  addDemandLink(link: Link, round: number): void;
  /** Pages of `round` and later go through `stage`; those of the round behind it wait for `release`. */
  stageFrom(round: number, stage: PageStage): void;
  /** Missing pages may come now. */
  release(): void;
  /** The control link is a new one: from now on nothing is taken from links of before. */
  reconnect(control: Link): void;
  /**
   * Pages come over new links, from `round` on: what came of it, or of rounds behind it, counts for nothing.
   * Once pages were staged they all are, since some of them may be missing.
   * @param hold whether the round behind `round` waits for `release`
   */
  takeUp(round: number, hold: boolean): void;
  /** The last round of which anything came; 0 before the first. */
  readonly cameRound: number;
  /** The pages that did not come in that round. */
  notCome(): PageSet;
  /** Whether something was left waiting by the last `receive`, so that it wants to be called again at once. */
  readonly eager: boolean;
  /** Takes what has come. */
  receive(): void;
  close(): void;
}
