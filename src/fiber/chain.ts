/**
 * One direction of a fiber: its lanes in the order of travel. What lane i delivers is offered to lane
 * i+1 at the exact instant it is due, however late the driver is.
 *
 *   frame-offered ──► lane ──deliver, dueNs──► lane ──► … ──► deliver
 *                      └── drop ──────────────────┴──────────► (passed on as it is)
 *
 * Why the next lane's clock is never ahead of such an offer: a lane stepped at `now` has delivered all
 * that is due by then, save what leaves at `now` itself, and that is due at `now` or later.
 *
 * A frame that one span duplicates goes on twice, and either may be the last the driver hears of it: the
 * chain counts how many of it are under way and says `last` with the last.
 */
import { type Frame, WOKE } from '../core/index.js';
import { inRow, type LaneCounters } from './accounting.js';
import type { Lane } from './lane.js';
import type { Deliver, FrameOffered, LaneAction, LaneEvent } from './lane-contract.js';

export class Chain {
  /** In order of travel. */
  readonly lanes: readonly Lane[];
  /** What each lane but the last has ordered and was not handed on yet; empty between steps. */
  readonly #between: readonly LaneAction[][];
  /** Copies that all but the last span made and that have not left the chain: by frame, only where there are any. */
  readonly #copies = new Map<Frame, number>();

  constructor(lanes: readonly Lane[]) {
    this.lanes = lanes;
    this.#between = lanes.slice(1).map(() => []);
  }

  /** Brings every lane to `nowNs`, in order of travel, and gives `event` to the lane at position `at`. */
  step(nowNs: number, at: number, event: LaneEvent, out: LaneAction[]): void {
    const first = out.length;
    for (let i = 0; i < this.lanes.length; i++) {
      const lane = this.lanes[i]!;
      const sink = this.#between[i] ?? out;
      if (i > 0) this.#handOn(this.#between[i - 1]!, lane, sink, out);
      if (i === at) lane.step(nowNs, event, sink);
      else if (lane.nextWakeNs() <= nowNs) lane.step(nowNs, WOKE, sink);
    }
    if (this.#copies.size > 0) for (let i = first; i < out.length; i++) this.#tellLast(out[i]!);
  }

  nextWakeNs(): number {
    let wakeNs = Number.POSITIVE_INFINITY;
    for (const lane of this.lanes) wakeNs = Math.min(wakeNs, lane.nextWakeNs());
    return wakeNs;
  }

  counters(): LaneCounters {
    return inRow(this.lanes.map((lane) => lane.counters()));
  }

  #handOn(actions: LaneAction[], lane: Lane, sink: LaneAction[], out: LaneAction[]): void {
    for (const action of actions) {
      if (action.type === 'drop') {
        out.push(action);
        continue;
      }
      if (!action.last) this.#copies.set(action.frame, (this.#copies.get(action.frame) ?? 0) + 1);
      lane.step(action.dueNs, offerOf(action), sink);
    }
    actions.length = 0;
  }

  /** An action leaves the chain: it is not the last of its frame while others of it are under way. */
  #tellLast(action: LaneAction): void {
    const copies = this.#copies.get(action.frame);
    if (copies === undefined || !action.last) return;
    action.last = false;
    if (copies > 1) this.#copies.set(action.frame, copies - 1);
    else this.#copies.delete(action.frame);
  }
}

/** What one span delivered, as the next is offered it: only the packets that are still there. */
function offerOf(arrived: Deliver): FrameOffered {
  const { frame, trafficClass, packets, wireBytes, packetBytes } = arrived;
  const { lost, corrupted, corruptSeed, duplicate } = arrived;
  return {
    type: 'frame-offered',
    frame,
    trafficClass,
    packets,
    wireBytes,
    packetBytes,
    lost,
    corrupted,
    corruptSeed,
    duplicate,
  };
}
