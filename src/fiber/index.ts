/** The fiber between two sites: rate, queue, loss and distance, as machines in virtual or real time. */
export {
  accountingCloses,
  DROP_REASONS,
  type DropReason,
  type LaneCounters,
  queueOverrun,
  type Tally,
  totalDropped,
} from './accounting.js';
export { Codel, type CodelSettings } from './codel.js';
export { corruptedBit } from './corruption.js';
export {
  bandwidthDelayProductBytes,
  bottleneckBps,
  describeFiber,
  fiberWarnings,
  lossProb,
  oneWayNs,
  rttNs,
} from './describe.js';
export type { DropRule } from './drop-script.js';
export {
  Fiber,
  type FiberAction,
  type FiberCounters,
  type FiberEvent,
  type FiberFrameOffered,
  type FiberRunOptions,
} from './fiber.js';
export { type FrameFilter, FrameMatcher } from './frame-filter.js';
export { type Jitter, type JitterSettings, newJitter, parseDistribution } from './jitter.js';
export { Lane, type LaneOptions } from './lane.js';
export type {
  Deliver,
  Drop,
  FrameOffered,
  LaneAction,
  LaneChanged,
  LaneEvent,
} from './lane-contract.js';
export { BernoulliLoss, type LossModel } from './loss.js';
export { type LossModelSettings, meanLossProb, newLossModel } from './loss-model.js';
export { DEFAULT_PROFILE, type FiberProfile, PROFILES } from './profiles.js';
export { type Backlog, type Candidate, DropTail, type QueueDiscipline } from './queue-discipline.js';
export { CODEL_DEFAULTS, type QueueDisciplineSettings } from './queue-settings.js';
export type { FiberErrorCode } from './refuse.js';
export {
  type FiberOptions,
  type LaneOverrides,
  resolveFiber,
  type SpanOptions,
  type UserProfile,
} from './resolve.js';
export {
  checkLane,
  DIRECTIONS,
  type Direction,
  type FiberSettings,
  type LaneSettings,
  propagationNs,
  type SpanSettings,
  UNIMPAIRED,
  withChanges,
} from './settings.js';
export {
  checkTrack,
  type FiberChanged,
  FiberTimeline,
  type Timeline,
  type TimelineEntry,
  type Track,
} from './timeline.js';
export { parseTrace, type TracePlayback, type TraceRow, traceTrack } from './trace.js';
export type { TrafficClass } from './traffic-class.js';
export {
  FCS_BYTES,
  FULL_PACKET_WIRE_BYTES,
  GAP_BYTES,
  MIN_FRAME_BYTES,
  PREAMBLE_BYTES,
  packetWireBytes,
  wireBytesOf,
} from './wire-size.js';
