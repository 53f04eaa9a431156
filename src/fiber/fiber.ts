/**
 * The fiber between the sites: two directions that know nothing of each other, each one or more spans.
 *
 *            ┌── span 0 ──┐  ┌── span 1 ──┐
 *   a-b ──►  │ lane aToB  ├─►│ lane aToB  ├──► deliver at B
 *   b-a  ◄── │ lane bToA  │◄─┤ lane bToA  │◄── offered at B
 *            └────────────┘  └────────────┘
 *
 * Every lane draws from forks of its own, so what happens in one shifts nothing in another. A time line
 * changes settings at its own instants, however late the driver is: it is looked at before every event.
 */
import { type Machine, type Rng, WOKE, type Woke } from '../core/index.js';
import type { LaneCounters } from './accounting.js';
import { Chain } from './chain.js';
import { bandwidthDelayProductBytes, describeFiber, fiberWarnings } from './describe.js';
import { Lane } from './lane.js';
import type { FrameOffered, LaneAction } from './lane-contract.js';
import type { Direction, FiberSettings, LaneSettings } from './settings.js';
import { type FiberChanged, FiberTimeline, type Timeline } from './timeline.js';

/** A frame reached the site that `direction` begins at. The caller may reuse the event object. */
export interface FiberFrameOffered extends FrameOffered {
  direction: Direction;
}

export type FiberEvent = FiberFrameOffered | FiberChanged | Woke;
/** `deliver` comes from the last span of a direction only; `drop` from any. */
export type FiberAction = LaneAction;

/** What each direction has counted. */
export interface FiberCounters {
  readonly aToB: LaneCounters;
  readonly bToA: LaneCounters;
}

export interface FiberRunOptions {
  /** What changes while it runs: checked tracks. */
  readonly timeline?: Timeline;
  /** The instant from which times of the time line and of scripted drops count; 0 when left out. */
  readonly epochNs?: number;
}

export class Fiber implements Machine<FiberEvent, FiberAction> {
  readonly #profile: string;
  readonly #aToB: Chain;
  readonly #bToA: Chain;
  readonly #timeline: FiberTimeline;
  /** Scratch: changes that are due. */
  readonly #due: FiberChanged[] = [];
  #changes = 0;

  /** @param rng the experiment's; forked per lane and purpose as `loss a→b span 0` */
  constructor(settings: FiberSettings, rng: Rng, options: FiberRunOptions = {}) {
    const { timeline = [], epochNs = 0 } = options;
    this.#profile = settings.profile;
    this.#timeline = new FiberTimeline(timeline, epochNs);
    this.#aToB = new Chain(
      settings.spans.map(({ aToB }, span) => new Lane(aToB, rng, { direction: 'a-b', span, epochNs })),
    );
    // From site B the span at site A is the last one.
    this.#bToA = new Chain(
      settings.spans
        .map(({ bToA }, span) => new Lane(bToA, rng, { direction: 'b-a', span, epochNs }))
        .reverse(),
    );
  }

  step(nowNs: number, event: FiberEvent, out: FiberAction[]): void {
    if (this.#timeline.nextWakeNs() <= nowNs) this.#playTo(nowNs, out);
    if (event.type === 'frame-offered') {
      this.#chain(event.direction).step(nowNs, 0, event, out);
    } else if (event.type === 'woke') {
      this.#aToB.step(nowNs, NO_LANE, event, out);
      this.#bToA.step(nowNs, NO_LANE, event, out);
    } else {
      this.#change(nowNs, event, out);
    }
  }

  nextWakeNs(): number {
    return Math.min(this.#aToB.nextWakeNs(), this.#bToA.nextWakeNs(), this.#timeline.nextWakeNs());
  }

  /** How many changes were made, by events and by the time line: a driver that keeps figures derived from `settings` compares. */
  get changes(): number {
    return this.#changes;
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

  /** Makes the time line's changes up to `nowNs`, each at its own instant. */
  #playTo(nowNs: number, out: FiberAction[]): void {
    for (let atNs = this.#timeline.nextWakeNs(); atNs <= nowNs; atNs = this.#timeline.nextWakeNs()) {
      this.#timeline.step(atNs, WOKE, this.#due);
      for (const change of this.#due) this.#change(atNs, change, out);
      this.#due.length = 0;
    }
  }

  #change(nowNs: number, event: FiberChanged, out: FiberAction[]): void {
    this.#changes++;
    if (event.direction !== 'b-a') this.#changeChain(nowNs, this.#aToB, event, out);
    if (event.direction !== 'a-b') this.#changeChain(nowNs, this.#bToA, event, out);
  }

  #changeChain(nowNs: number, chain: Chain, event: FiberChanged, out: FiberAction[]): void {
    for (let at = 0; at < chain.lanes.length; at++) {
      const span = chain === this.#aToB ? at : chain.lanes.length - 1 - at;
      if (event.span === undefined || event.span === span) chain.step(nowNs, at, event, out);
    }
  }
}

/** A position that no lane has: the whole chain is only brought to now. */
const NO_LANE = -1;
