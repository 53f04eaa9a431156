/**
 * The fiber between the sites: two directions that know nothing of each other, each one or more spans.
 *
 *            ┌── span 0 ──┐  ┌── span 1 ──┐
 *   a-b ──►  │ lane aToB  ├─►│ lane aToB  ├──► deliver at B
 *   b-a  ◄── │ lane bToA  │◄─┤ lane bToA  │◄── offered at B
 *            └────────────┘  └────────────┘
 *
 * Every lane draws its loss from a fork of its own, so what happens in one shifts nothing in another.
 */
import type { Machine, Rng, Woke } from '../core/index.js';
import type { LaneCounters } from './accounting.js';
import { Chain } from './chain.js';
import { bandwidthDelayProductBytes, describeFiber, fiberWarnings } from './describe.js';
import { Lane } from './lane.js';
import type { FrameOffered, LaneAction, LaneChanged } from './lane-contract.js';
import type { Direction, FiberSettings, LaneSettings } from './settings.js';

/** A frame reached the site that `direction` begins at. The caller may reuse the event object. */
export interface FiberFrameOffered extends FrameOffered {
  direction: Direction;
}

/** Settings changed while the fiber runs, of one lane or several; see `checkLane`. A span it does not have is no one's. */
export interface FiberChanged extends LaneChanged {
  readonly direction: Direction | 'both';
  /** Counted from site A; left out, all of them. */
  readonly span?: number;
}

export type FiberEvent = FiberFrameOffered | FiberChanged | Woke;
/** `deliver` comes from the last span of a direction only; `drop` from any. */
export type FiberAction = LaneAction;

/** What each direction has counted. */
export interface FiberCounters {
  readonly aToB: LaneCounters;
  readonly bToA: LaneCounters;
}

export class Fiber implements Machine<FiberEvent, FiberAction> {
  readonly #profile: string;
  readonly #aToB: Chain;
  readonly #bToA: Chain;

  /** @param rng the experiment's; forked per lane as `loss a→b span 0` */
  constructor(settings: FiberSettings, rng: Rng) {
    this.#profile = settings.profile;
    this.#aToB = new Chain(
      settings.spans.map(
        ({ aToB }, span) => new Lane(aToB, rng.fork(`loss a→b span ${span}`), { direction: 'a-b', span }),
      ),
    );
    // From site B the span at site A is the last one.
    this.#bToA = new Chain(
      settings.spans
        .map(
          ({ bToA }, span) => new Lane(bToA, rng.fork(`loss b→a span ${span}`), { direction: 'b-a', span }),
        )
        .reverse(),
    );
  }

  step(nowNs: number, event: FiberEvent, out: FiberAction[]): void {
    if (event.type === 'frame-offered') {
      this.#chain(event.direction).step(nowNs, 0, event, out);
    } else if (event.type === 'woke') {
      this.#aToB.step(nowNs, NO_LANE, event, out);
      this.#bToA.step(nowNs, NO_LANE, event, out);
    } else {
      if (event.direction !== 'b-a') this.#change(nowNs, this.#aToB, event, out);
      if (event.direction !== 'a-b') this.#change(nowNs, this.#bToA, event, out);
    }
  }

  nextWakeNs(): number {
    return Math.min(this.#aToB.nextWakeNs(), this.#bToA.nextWakeNs());
  }

  /** A snapshot of both directions as of their last steps, all spans taken together; `accountingCloses` holds for each. */
  counters(): FiberCounters {
    return { aToB: this.#aToB.counters(), bToA: this.#bToA.counters() };
  }

  /** The same span by span, the one at site A first. */
  spanCounters(): readonly FiberCounters[] {
    const back = this.#bToA.lanes.map((lane) => lane.counters()).reverse();
    return this.#aToB.lanes.map((lane, span) => ({ aToB: lane.counters(), bToA: back[span]! }));
  }

  /** As they are now. */
  get settings(): FiberSettings {
    const back: readonly LaneSettings[] = this.#bToA.lanes.map((lane) => lane.settings).reverse();
    return {
      profile: this.#profile,
      spans: this.#aToB.lanes.map((lane, span) => ({ aToB: lane.settings, bToA: back[span]! })),
    };
  }

  /** One line per direction, for the summary. */
  describe(): readonly string[] {
    return describeFiber(this.settings);
  }

  /** Bytes that fill the fiber for one round trip at the rate of this direction; Infinity when unlimited. */
  bandwidthDelayProductBytes(direction: Direction): number {
    return bandwidthDelayProductBytes(this.settings, direction);
  }

  /** What an engineer should know before trusting figures from this fiber; empty when nothing. */
  warnings(): readonly string[] {
    return fiberWarnings(this.settings);
  }

  #chain(direction: Direction): Chain {
    return direction === 'a-b' ? this.#aToB : this.#bToA;
  }

  #change(nowNs: number, chain: Chain, event: FiberChanged, out: FiberAction[]): void {
    for (let at = 0; at < chain.lanes.length; at++) {
      const span = chain === this.#aToB ? at : chain.lanes.length - 1 - at;
      if (event.span === undefined || event.span === span) chain.step(nowNs, at, event, out);
    }
  }
}

/** A position that no lane has: the whole chain is only brought to now. */
const NO_LANE = -1;
