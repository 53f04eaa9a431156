/** A fiber in words: the lines of the summary, its bandwidth-delay product, and what to be wary of. */
import { formatBps, formatBytes, formatNs } from '../core/index.js';
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

/** The chance that a packet is lost in one span or another of a direction. */
export function lossProb(settings: FiberSettings, direction: Direction): number {
  // Summing logarithms keeps a loss of 1e-12 from drowning in 1 − (1 − p).
  const logPass = lanesOf(settings, direction).reduce((sum, lane) => sum + Math.log1p(-lane.lossProb), 0);
  return -Math.expm1(logPass);
}

/** Bytes on the wire that one round trip at the bottleneck's rate takes; Infinity when unlimited. */
export function bandwidthDelayProductBytes(settings: FiberSettings, direction: Direction): number {
  const bps = bottleneckBps(settings, direction);
  return bps === Number.POSITIVE_INFINITY ? bps : Math.round((bps * rttNs(settings)) / 8e9);
}

/** One line per direction: `a-b: 400 µs one way, 10.0 Gbit/s, queue 4.00 MiB, no loss`. */
export function describeFiber(settings: FiberSettings): readonly string[] {
  return DIRECTIONS.map((direction) => {
    const lanes = lanesOf(settings, direction);
    const loss = lossProb(settings, direction);
    const parts = [
      ...(lanes.length > 1 ? [`${lanes.length} spans`] : []),
      `${formatNs(oneWayNs(settings, direction))} one way`,
      formatBps(bottleneckBps(settings, direction)),
      `queue ${formatBytes(bottleneckQueueBytes(settings, direction))}`,
      loss > 0 ? `loss ${formatProb(loss)}` : 'no loss',
      ...(lanes.some((lane) => lane.link === 'down') ? ['link down'] : []),
    ];
    return `${direction}: ${parts.join(', ')}`;
  });
}

/** One sentence for each thing that makes figures from this fiber differ from what one may expect. */
export function fiberWarnings(settings: FiberSettings): readonly string[] {
  const warnings: string[] = [];
  for (const direction of DIRECTIONS) {
    const bps = bottleneckBps(settings, direction);
    const queue = bottleneckQueueBytes(settings, direction);
    const bdp = bandwidthDelayProductBytes(settings, direction);
    if (Number.isFinite(bps) && queue < bdp) {
      warnings.push(
        `${direction}: a queue of ${formatBytes(queue)} is below the bandwidth-delay product of ${formatBytes(bdp)}; one loss-based TCP stream will not fill ${formatBps(bps)}`,
      );
    }
    if (Number.isFinite(bps) && queue < SUPER_FRAME_WIRE_BYTES) {
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
    if (lanesOf(settings, direction).some((lane) => lane.link === 'down')) {
      warnings.push(`${direction}: the link is down; nothing passes until it is set up`);
    }
  }
  return warnings;
}

/** Where loss bounds a stream above this, it is not what bounds a migration on this class of machine. */
const LOSS_BOUND_WORTH_SAYING_BPS = 20e9;

/** The queue in front of the slowest span: the one that fills. */
function bottleneckQueueBytes(settings: FiberSettings, direction: Direction): number {
  const lanes = lanesOf(settings, direction);
  return lanes.reduce((slowest, lane) => (lane.rateBps < slowest.rateBps ? lane : slowest)).queueBytes;
}

/** `1.5%`, `0.01%`, `1e-7`. */
function formatProb(prob: number): string {
  return prob >= 1e-5 ? `${Number((prob * 100).toPrecision(3))}%` : String(Number(prob.toPrecision(3)));
}
