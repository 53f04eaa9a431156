/** Traffic and drivers for the tests of lanes and fibers: frames with an id, and traces to compare. */
import fc from 'fast-check';
import { type Frame, type Machine, NO_OFFLOAD, WOKE, type Woke } from '../../src/core/index.js';
import {
  type FrameOffered,
  type LaneAction,
  type LaneSettings,
  type TrafficClass,
  UNIMPAIRED,
} from '../../src/fiber/index.js';

export const LANE: LaneSettings = {
  oneWayNs: 400_000,
  rateBps: 10e9,
  queueBytes: 4 * 1024 * 1024,
  queueFrames: Number.POSITIVE_INFINITY,
  ...UNIMPAIRED,
};

const NO_BYTES = new Uint8Array(0);

/** A frame that is told apart by its `start`; the fiber never looks inside. */
export function frameNo(id: number): Frame {
  return { data: NO_BYTES, start: id, length: 60, offload: NO_OFFLOAD };
}

export interface Shape {
  readonly packets: number;
  readonly packetBytes: number;
  /** What the last packet takes, at most `packetBytes`. */
  readonly lastBytes: number;
}

export const FULL: Shape = { packets: 1, packetBytes: 1538, lastBytes: 1538 };
export const SMALL: Shape = { packets: 1, packetBytes: 84, lastBytes: 84 };

export function offer(id: number, trafficClass: TrafficClass = 0, shape: Shape = FULL): FrameOffered {
  const { packets, packetBytes, lastBytes } = shape;
  const wireBytes = (packets - 1) * packetBytes + lastBytes;
  return { type: 'frame-offered', frame: frameNo(id), trafficClass, packets, wireBytes, packetBytes };
}

/** Ordinary packets and super-frames. */
export const shapes: fc.Arbitrary<Shape> = fc
  .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 84, max: 1538 }), fc.nat())
  .map(([packets, packetBytes, n]) => ({ packets, packetBytes, lastBytes: 84 + (n % (packetBytes - 83)) }));

export interface Input<Event> {
  readonly atNs: number;
  readonly event: Event;
}

/** Inputs whose instants are sums of gaps, so that they never decrease and often coincide. */
export function atGaps<Event>(items: readonly (readonly [number, Event])[]): Input<Event>[] {
  let atNs = 0;
  return items.map(([gapNs, event]) => {
    atNs += gapNs;
    return { atNs, event };
  });
}

/** An action as it can be compared: which frame, what became of it. */
export function outcomeOf(action: LaneAction): object {
  const { type, direction, span, packets, wireBytes } = action;
  const common = { type, id: action.frame.start, direction, span, packets, wireBytes };
  return action.type === 'drop'
    ? { ...common, reason: action.reason }
    : { ...common, dueNs: action.dueNs, lost: action.lost };
}

export interface Driving<Action> {
  /** How late the driver is at its n-th wake-up; 0 for a punctual one. */
  readonly latenessNs?: (wake: number) => number;
  /** Whether a wake-up due at the instant of an input comes before it. */
  readonly wakeFirst?: boolean;
  /** Called after every step with what it ordered. */
  readonly check?: (nowNs: number, ordered: readonly Action[], woke: boolean) => void;
}

/** Gives a machine its inputs and the wake-ups it asks for, until it asks for none. Returns all actions. */
export function drive<Event, Action>(
  machine: Machine<Event | Woke, Action>,
  inputs: readonly Input<Event>[],
  driving: Driving<Action> = {},
): Action[] {
  const all: Action[] = [];
  let nowNs = 0;
  let wakes = 0;
  const step = (atNs: number, event: Event | Woke) => {
    const out: Action[] = [];
    nowNs = atNs;
    machine.step(nowNs, event, out);
    driving.check?.(nowNs, out, event === WOKE);
    all.push(...out);
  };
  const wakeUntil = (limitNs: number) => {
    for (;;) {
      const dueNs = machine.nextWakeNs();
      if (dueNs === Number.POSITIVE_INFINITY || dueNs > limitNs) return;
      const atNs = Math.max(nowNs, dueNs + (driving.latenessNs?.(wakes++) ?? 0));
      if (atNs > limitNs) return; // too late: the input comes first
      step(atNs, WOKE);
    }
  };
  for (const { atNs, event } of inputs) {
    wakeUntil(driving.wakeFirst ? atNs : atNs - 1);
    step(atNs, event);
  }
  wakeUntil(Number.MAX_SAFE_INTEGER);
  return all;
}
