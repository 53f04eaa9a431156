/** The fiber between two sites: rate, queue, loss and distance, as machines in virtual or real time. */
export {
  accountingCloses,
  DROP_REASONS,
  type DropReason,
  type LaneCounters,
  type Tally,
  totalDropped,
} from './accounting.js';
export {
  bandwidthDelayProductBytes,
  bottleneckBps,
  describeFiber,
  fiberWarnings,
  lossProb,
  oneWayNs,
  rttNs,
} from './describe.js';
export {
  Fiber,
  type FiberAction,
  type FiberChanged,
  type FiberCounters,
  type FiberEvent,
  type FiberFrameOffered,
} from './fiber.js';
export { Lane, type LaneOptions } from './lane.js';
export type {
  Deliver,
  Drop,
  FrameOffered,
  LaneAction,
  LaneChanged,
  LaneEvent,
  TrafficClass,
} from './lane-contract.js';
export { BernoulliLoss, type LossModel } from './loss.js';
export { DEFAULT_PROFILE, type FiberProfile, PROFILES } from './profiles.js';
export { type Backlog, type Candidate, DropTail, type QueueDiscipline } from './queue-discipline.js';
export { type FiberOptions, type LaneOverrides, resolveFiber, type SpanOptions } from './resolve.js';
export {
  checkLane,
  DIRECTIONS,
  type Direction,
  type FiberErrorCode,
  type FiberSettings,
  type LaneSettings,
  propagationNs,
  type SpanSettings,
} from './settings.js';
export {
  FCS_BYTES,
  FULL_PACKET_WIRE_BYTES,
  GAP_BYTES,
  MIN_FRAME_BYTES,
  PREAMBLE_BYTES,
  packetWireBytes,
  wireBytesOf,
} from './wire-size.js';
