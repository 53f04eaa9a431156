/** A fiber in words: the lines of the summary, its bandwidth-delay product, and what to be wary of. */
import { formatBps, formatBytes, formatNs } from '../core/index.js';
import type { JitterSettings } from './jitter.js';
import { type LossModelSettings, meanLossProb } from './loss-model.js';
import { DIRECTIONS, type Direction, type FiberSettings, type LaneSettings } from './settings.js';
import { FULL_PACKET_WIRE_BYTES } from './wire-size.js';

/** 64 KiB of TCP payload in packets of MTU 1500: 46 × 1448 bytes of payload. */
const SUPER_FRAME_WIRE_BYTES = 46 * FULL_PACKET_WIRE_BYTES;
/** Mathis, Semke, Mahdavi, Ott (CCR 1997): rate = MSS / RTT × sqrt(3/2) / sqrt(loss), for loss-based congestion control. */
const MATHIS_CONSTANT = Math.sqrt(3 / 2);
const MSS_BYTES = 1448;

/** The lanes of a direction in the order of travel. */
export function lanesOf(settings: FiberSettings, direction: Direction): readonly LaneSettings[] {
  if (direction === 'a-b') return settings.spans.map((span) => span.aToB);
  return settings.spans.map((span) => span.bToA).reverse();
}

/** Propagation of a direction over all spans. */
export function oneWayNs(settings: FiberSettings, direction: Direction): number {
  return lanesOf(settings, direction).reduce((sum, lane) => sum + lane.oneWayNs, 0);
}

/** Propagation there and back. */
export function rttNs(settings: FiberSettings): number {
  return oneWayNs(settings, 'a-b') + oneWayNs(settings, 'b-a');
}

/** The rate of the slowest span of a direction; Infinity when all are unlimited. */
export function bottleneckBps(settings: FiberSettings, direction: Direction): number {
  return Math.min(...lanesOf(settings, direction).map((lane) => lane.rateBps));
}

/** The share of packets that chance loses in one span or another of a direction, in the long run; scripted drops are not in it. */
export function lossProb(settings: FiberSettings, direction: Direction): number {
  // Summing logarithms keeps a loss of 1e-12 from drowning in 1 − (1 − p).
  const logPass = lanesOf(settings, direction).reduce(
    (sum, lane) => sum + Math.log1p(-meanLossProb(lane.lossProb, lane.lossModel)),
    0,
  );
  return -Math.expm1(logPass);
}

/** Bytes on the wire that one round trip at the bottleneck's rate takes; Infinity when unlimited. */
export function bandwidthDelayProductBytes(settings: FiberSettings, direction: Direction): number {
  const bps = bottleneckBps(settings, direction);
  return bps === Number.POSITIVE_INFINITY ? bps : Math.round((bps * rttNs(settings)) / 8e9);
}

/**
 * One line per direction: `a-b: 400 µs one way, 10.0 Gbit/s, queue 4.00 MiB, no loss`. What goes wrong
 * otherwise is told only where it does.
 */
export function describeFiber(settings: FiberSettings): readonly string[] {
  return DIRECTIONS.map((direction) => {
    const lanes = lanesOf(settings, direction);
    const loss = lossProb(settings, direction);
    const models = lanes.flatMap((lane) => lane.lossModel ?? []).map(describeLossModel);
    const drops = lanes.reduce((sum, lane) => sum + lane.drops.length, 0);
    const parts = [
      ...(lanes.length > 1 ? [`${lanes.length} spans`] : []),
      `${formatNs(oneWayNs(settings, direction))} one way`,
      ...lanes.flatMap((lane) => lane.jitter ?? []).map(describeJitter),
      ...(lanes.some((lane) => lane.reorder) ? ['reordering'] : []),
      formatBps(bottleneckBps(settings, direction)),
      describeQueue(bottleneckLane(settings, direction)),
      loss > 0 ? ['loss', formatProb(loss), ...models].join(' ') : 'no loss',
      ...(drops > 0 ? [`${drops} scripted drop${drops > 1 ? 's' : ''}`] : []),
      ...chancePart(
        'duplicates',
        lanes.map((lane) => lane.duplicateProb),
      ),
      ...chancePart(
        'damages',
        lanes.map((lane) => lane.corruptProb),
      ),
      ...(lanes.some((lane) => lane.link === 'down') ? ['link down'] : []),
    ];
    return `${direction}: ${parts.join(', ')}`;
  });
}

function describeQueue({ queueBytes, queueFrames, queueDiscipline }: LaneSettings): string {
  if (queueDiscipline.kind === 'none') return 'queue without a limit';
  const frames = Number.isFinite(queueFrames) ? ` or ${queueFrames} packets` : '';
  const codel = queueDiscipline.kind === 'codel' ? ` CoDel ${formatNs(queueDiscipline.targetNs)}` : '';
  return `queue ${formatBytes(queueBytes)}${frames}${codel}`;
}

function describeLossModel(model: LossModelSettings): string {
  if (model.model === 'periodic') return `(every ${model.every}th)`;
  if (model.model === '4-state') return '(4-state)';
  return `(Gilbert–Elliott, bad for ${Number((1 / model.r).toPrecision(3))} packets)`;
}

function describeJitter(jitter: JitterSettings): string {
  switch (jitter.model) {
    case 'uniform':
      return `jitter ±${formatNs(jitter.halfWidthNs)}`;
    case 'normal':
      return `jitter σ ${formatNs(jitter.sigmaNs)}`;
    case 'pareto':
      return `jitter Pareto ${formatNs(jitter.scaleNs)}, shape ${jitter.shape}`;
    case 'table':
      return `jitter by ${jitter.quantiles.length} quantiles × ${formatNs(jitter.scaleNs)}`;
  }
}

/** The chance that something befalls a packet in one span or another; nothing where it is 0. */
function chancePart(what: string, probs: readonly number[]): readonly string[] {
  const prob = -Math.expm1(probs.reduce((sum, p) => sum + Math.log1p(-p), 0));
  return prob > 0 ? [`${what} ${formatProb(prob)}`] : [];
}

/** One sentence for each thing that makes figures from this fiber differ from what one may expect. */
export function fiberWarnings(settings: FiberSettings): readonly string[] {
  const warnings: string[] = [];
  for (const direction of DIRECTIONS) {
    const bps = bottleneckBps(settings, direction);
    const slowest = bottleneckLane(settings, direction);
    const hasLimit = slowest.queueDiscipline.kind !== 'none' && Number.isFinite(bps);
    const queue = slowest.queueBytes;
    const bdp = bandwidthDelayProductBytes(settings, direction);
    if (hasLimit && queue < bdp) {
      warnings.push(
        `${direction}: a queue of ${formatBytes(queue)} is below the bandwidth-delay product of ${formatBytes(bdp)}; one loss-based TCP stream will not fill ${formatBps(bps)}`,
      );
    }
    if (hasLimit && queue < SUPER_FRAME_WIRE_BYTES) {
      warnings.push(
        `${direction}: a queue of ${formatBytes(queue)} does not hold one super-frame of 64 KiB; its last packets are dropped whenever it has to wait`,
      );
    }
    const loss = lossProb(settings, direction);
    const lossBoundBps = (MATHIS_CONSTANT * MSS_BYTES * 8e9) / (rttNs(settings) * Math.sqrt(loss));
    if (loss > 0 && lossBoundBps < Math.min(bps, LOSS_BOUND_WORTH_SAYING_BPS)) {
      warnings.push(
        `${direction}: with loss ${formatProb(loss)} and ${formatNs(rttNs(settings))} RTT one Reno-like TCP stream reaches about ${formatBps(lossBoundBps)}`,
      );
    }
    if (slowest.queueDiscipline.kind === 'none' && Number.isFinite(bps)) {
      warnings.push(
        `${direction}: a queue without a limit grows until memory ends; a sender that fills it waits ever longer and is never told by loss`,
      );
    }
    const { queueDiscipline } = slowest;
    if (queueDiscipline.kind === 'codel' && queueDiscipline.intervalNs < rttNs(settings)) {
      warnings.push(
        `${direction}: CoDel's interval of ${formatNs(queueDiscipline.intervalNs)} is below the round trip of ${formatNs(rttNs(settings))}; it drops before a sender can have answered`,
      );
    }
    for (const lane of lanesOf(settings, direction)) {
      const reachNs = lane.jitter === null ? 0 : downwardNs(lane.jitter);
      if (reachNs <= lane.oneWayNs) continue;
      warnings.push(
        `${direction}: jitter takes up to ${formatNs(reachNs)} from a delay of ${formatNs(lane.oneWayNs)}; what would be below 0 is 0`,
      );
    }
    if (lanesOf(settings, direction).some((lane) => lane.link === 'down')) {
      warnings.push(`${direction}: the link is down; nothing passes until it is set up`);
    }
  }
  return warnings;
}

/** Where loss bounds a stream above this, it is not what bounds a migration on this class of machine. */
const LOSS_BOUND_WORTH_SAYING_BPS = 20e9;

/** The slowest span: the queue in front of it is the one that fills. */
function bottleneckLane(settings: FiberSettings, direction: Direction): LaneSettings {
  return lanesOf(settings, direction).reduce((slowest, lane) =>
    lane.rateBps < slowest.rateBps ? lane : slowest,
  );
}

/** How much jitter may take from the delay: all of it, or three standard deviations. */
function downwardNs(jitter: JitterSettings): number {
  switch (jitter.model) {
    case 'uniform':
      return jitter.halfWidthNs;
    case 'normal':
      return 3 * jitter.sigmaNs;
    case 'pareto':
      return 0;
    case 'table':
      return Math.max(0, -jitter.quantiles[0]! * jitter.scaleNs);
  }
}

/** `1.5%`, `0.01%`, `1e-7`. */
function formatProb(prob: number): string {
  return prob >= 1e-5 ? `${Number((prob * 100).toPrecision(3))}%` : String(Number(prob.toPrecision(3)));
}
