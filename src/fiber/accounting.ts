/**
 * Where every frame, packet and wire byte of a lane is. Each amount is counted where it happens, none
 * is derived from the others, so that the sum is a proof and not a definition:
 *
 *   offered + duplicated = delivered + Σ dropped + queued + inFlight    in frames, in packets and in wire bytes
 *
 * A super-frame that loses some packets stays one frame: its lost packets and their bytes are dropped,
 * with no frame beside them. The copies of its duplicated packets are one frame more.
 */

import { LonghaulError } from '../core/index.js';
import type { FiberErrorCode } from './refuse.js';

/** Why a lane drops; `queue-overrun` says that figures of the run are void (`queueOverrun`). */
export const DROP_REASONS = ['queue-full', 'queue-aqm', 'queue-overrun', 'loss', 'link-down'] as const;
export type DropReason = (typeof DROP_REASONS)[number];

/** An amount of traffic. */
export interface Tally {
  frames: number;
  packets: number;
  wireBytes: number;
}

/** A snapshot of a lane, or of a direction of a fiber. */
export interface LaneCounters {
  readonly offered: Readonly<Tally>;
  /** Copies that came into being in the glass. */
  readonly duplicated: Readonly<Tally>;
  /** Packets damaged in the glass and not lost, with the frames they belong to; they are delivered all the same, copies of them too. */
  readonly corrupted: Readonly<Tally>;
  readonly delivered: Readonly<Tally>;
  readonly dropped: Readonly<Record<DropReason, Readonly<Tally>>>;
  /** Waiting for the transmitter. */
  readonly queued: Readonly<Tally>;
  /** On the transmitter or in the glass; packets that are lost there are counted here until they would have arrived. */
  readonly inFlight: Readonly<Tally>;
  /** The most that ever waited in one class's queue, wire bytes; several spans: the fullest. */
  readonly queuePeakBytes: number;
}

export function newTally(): Tally {
  return { frames: 0, packets: 0, wireBytes: 0 };
}

export function count(into: Tally, frames: number, packets: number, wireBytes: number): void {
  into.frames += frames;
  into.packets += packets;
  into.wireBytes += wireBytes;
}

export function newDropTallies(): Record<DropReason, Tally> {
  return {
    'queue-full': newTally(),
    'queue-aqm': newTally(),
    'queue-overrun': newTally(),
    loss: newTally(),
    'link-down': newTally(),
  };
}

/** All drops of a snapshot, whatever the reason. */
export function totalDropped(counters: LaneCounters): Tally {
  const sum = newTally();
  for (const reason of DROP_REASONS) add(sum, counters.dropped[reason]);
  return sum;
}

/** Whether every frame, packet and byte that was offered or duplicated is accounted for. */
export function accountingCloses(counters: LaneCounters): boolean {
  const sum = totalDropped(counters);
  for (const part of [counters.delivered, counters.queued, counters.inFlight]) add(sum, part);
  const { offered, duplicated } = counters;
  return (
    sum.frames === offered.frames + duplicated.frames &&
    sum.packets === offered.packets + duplicated.packets &&
    sum.wireBytes === offered.wireBytes + duplicated.wireBytes
  );
}

/** What ails a run in which a queue without a limit (`none`) met the end of memory; null when none did. */
export function queueOverrun(counters: {
  readonly aToB: LaneCounters;
  readonly bToA: LaneCounters;
}): LonghaulError<FiberErrorCode> | null {
  for (const [direction, lane] of [
    ['a-b', counters.aToB],
    ['b-a', counters.bToA],
  ] as const) {
    const { packets } = lane.dropped['queue-overrun'];
    if (packets === 0) continue;
    return new LonghaulError<FiberErrorCode>(
      'FIBER_QUEUE_OVERRUN',
      `${direction}: the queue without a limit met the end of memory and dropped ${packets} packets; figures of this run are void`,
      {
        details: { direction, packets },
        hint: 'offer less than the rate for so long, or give the queue a limit: queue-discipline: drop-tail',
      },
    );
  }
  return null;
}

/** Spans in a row seen as one lane: what the first was offered, what the last delivered, the sum of what is between. */
export function inRow(spans: readonly LaneCounters[]): LaneCounters {
  const dropped = newDropTallies();
  const duplicated = newTally();
  const corrupted = newTally();
  const queued = newTally();
  const inFlight = newTally();
  let queuePeakBytes = 0;
  for (const span of spans) {
    add(duplicated, span.duplicated);
    add(corrupted, span.corrupted);
    for (const reason of DROP_REASONS) add(dropped[reason], span.dropped[reason]);
    add(queued, span.queued);
    add(inFlight, span.inFlight);
    queuePeakBytes = Math.max(queuePeakBytes, span.queuePeakBytes);
  }
  const { offered } = spans[0]!;
  const { delivered } = spans.at(-1)!;
  return { offered, duplicated, corrupted, delivered, dropped, queued, inFlight, queuePeakBytes };
}

function add(into: Tally, more: Readonly<Tally>): void {
  count(into, more.frames, more.packets, more.wireBytes);
}
