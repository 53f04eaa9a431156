/**
 * Where every frame, packet and wire byte of a lane is. Each amount is counted where it happens, none
 * is derived from the others, so that the sum is a proof and not a definition:
 *
 *   offered = delivered + Σ dropped + queued + inFlight          in frames, in packets and in wire bytes
 *
 * A super-frame that loses some packets stays one frame: its lost packets and their bytes are dropped,
 * with no frame beside them.
 */

/** Why a lane drops. */
export const DROP_REASONS = ['queue-full', 'queue-aqm', 'loss', 'link-down'] as const;
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
  return { 'queue-full': newTally(), 'queue-aqm': newTally(), loss: newTally(), 'link-down': newTally() };
}

/** All drops of a snapshot, whatever the reason. */
export function totalDropped(counters: LaneCounters): Tally {
  const sum = newTally();
  for (const reason of DROP_REASONS) add(sum, counters.dropped[reason]);
  return sum;
}

/** Whether every frame, packet and byte that was offered is accounted for. */
export function accountingCloses(counters: LaneCounters): boolean {
  const sum = totalDropped(counters);
  for (const part of [counters.delivered, counters.queued, counters.inFlight]) add(sum, part);
  const { offered } = counters;
  return (
    sum.frames === offered.frames && sum.packets === offered.packets && sum.wireBytes === offered.wireBytes
  );
}

/** Spans in a row seen as one lane: what the first was offered, what the last delivered, the sum of what is between. */
export function inRow(spans: readonly LaneCounters[]): LaneCounters {
  const dropped = newDropTallies();
  const queued = newTally();
  const inFlight = newTally();
  let queuePeakBytes = 0;
  for (const span of spans) {
    for (const reason of DROP_REASONS) add(dropped[reason], span.dropped[reason]);
    add(queued, span.queued);
    add(inFlight, span.inFlight);
    queuePeakBytes = Math.max(queuePeakBytes, span.queuePeakBytes);
  }
  const { offered } = spans[0]!;
  const { delivered } = spans.at(-1)!;
  return { offered, delivered, dropped, queued, inFlight, queuePeakBytes };
}

function add(into: Tally, more: Readonly<Tally>): void {
  count(into, more.frames, more.packets, more.wireBytes);
}
