/** What a replay says: one JSON, and everything a report prints is taken from it. */
import { describeFiber } from '../fiber/index.js';
import type { DirectionReport, SenderReport } from './messages.js';
import { describePace } from './pacing.js';
import type { Distribution } from './pacing-errors.js';
import type { ReplayOptions } from './replay.js';
import type { Side, SideMap } from './sides.js';
import type { LossReasons, StageReport } from './stage.js';
import { describeTarget } from './targets.js';
import type { TrainCounters } from './train.js';

export const REPLAY_SCHEMA = 'longhaul/replay/1';
const ADDRESSES_LISTED = 32;

/** Where nothing is known of what arrives, that is null. */
export interface DirectionResult {
  readonly sent: number;
  readonly sentBytes: number;
  /** Not sent: the socket had no room for a second. */
  readonly refused: number;
  readonly delivered: number | null;
  readonly lost: number | null;
  /** Frames by why they did not arrive, as the fabric counted them; `unexplained` is what is left. */
  readonly lostBy: LossReasons;
  readonly reordered: number | null;
  readonly duplicated: number | null;
  /** Frames that arrived and were not sent so: changed on the way. */
  readonly changed: number | null;
  /** From the instant before the write to the kernel's stamp at the other end. */
  readonly oneWayNs: Distribution | null;
}

export interface ReplayResult extends TrainCounters {
  readonly schema: typeof REPLAY_SCHEMA;
  readonly file: string;
  readonly target: string;
  readonly pace: string;
  readonly loops: number;
  readonly seed: string;
  /** One line a direction; empty where there is no fiber. */
  readonly fiber: readonly string[];
  readonly sides: Readonly<Record<Side, readonly string[]>>;
  readonly directions: Readonly<Record<'a-b' | 'b-a', DirectionResult>>;
  readonly oneWayNs: Readonly<Record<'a-b' | 'b-a', Distribution | null>>;
  /** How far from its instant each packet left; all 0 where the pace is none of the clock's. */
  readonly pacingErrorNs: Distribution;
  /** How much later the end was than the beginning, against the plan. */
  readonly driftNs: number;
  readonly durationNs: number;
  /** Packets whose stamp lay before one ahead of them; sent together with that one. */
  readonly backwards: number;
  /** Times that the file was not read fast enough. */
  readonly starved: number;
  readonly arrivedNotKept: number;
  /** Of the packets, how many left while the thread that sends was in the real-time class: 0..1. */
  readonly realTimeShare: number;
  /** How late the fabric released frames, ns; null without a fabric. */
  readonly lateness: { readonly p50Ns: number; readonly p99Ns: number; readonly maxNs: number } | null;
}

export interface ResultParts {
  readonly options: ReplayOptions;
  readonly sides: SideMap;
  readonly train: TrainCounters;
  readonly report: SenderReport;
  readonly stage: StageReport | null;
}

export function resultOf({ options, sides, train, report, stage }: ResultParts): ReplayResult {
  const [aToB, bToA] = report.directions;
  const directions = {
    'a-b': directionOf(aToB, stage?.lostBy.a ?? null),
    'b-a': directionOf(bToA, stage?.lostBy.b ?? null),
  };
  const { pacingErrorNs, driftNs, durationNs, backwards, starved, arrivedNotKept, realTimeShare } = report;
  const late = stage?.fabric.lateness;
  return {
    schema: REPLAY_SCHEMA,
    file: options.file,
    target: describeTarget(options.target),
    pace: describePace(options.pace),
    loops: options.loops,
    seed: options.fabric.seed,
    fiber: stage === null ? [] : describeFiber(stage.fabric.fiberSettings),
    sides: sides.describe(ADDRESSES_LISTED),
    ...train,
    directions,
    oneWayNs: { 'a-b': directions['a-b'].oneWayNs, 'b-a': directions['b-a'].oneWayNs },
    pacingErrorNs,
    driftNs,
    durationNs,
    backwards,
    starved,
    arrivedNotKept,
    realTimeShare,
    lateness: late === undefined ? null : { p50Ns: late.p50Ns, p99Ns: late.p99Ns, maxNs: late.maxNs },
  };
}

function directionOf(report: DirectionReport, lostBy: LossReasons | null): DirectionResult {
  const { sent, sentBytes, refused, delivered, reordered, duplicated, unknown, oneWayNs } = report;
  if (lostBy === null) {
    return {
      ...{ sent, sentBytes, refused, delivered: null, lost: null, lostBy: {} },
      ...{ reordered: null, duplicated: null, changed: null, oneWayNs: null },
    };
  }
  const lost = sent - refused - delivered;
  // A frame that was changed arrived, though not as it was sent: it is lost, and no drop explains it.
  const explained = Object.values(lostBy).reduce((sum, n) => sum + n, 0);
  const left = lost - explained - Math.min(unknown, Math.max(0, lost - explained));
  return {
    ...{ sent, sentBytes, refused, delivered, lost },
    lostBy: {
      ...lostBy,
      ...(unknown > 0 ? { changed: unknown } : {}),
      ...(left > 0 ? { unexplained: left } : {}),
    },
    ...{ reordered, duplicated, changed: unknown, oneWayNs },
  };
}
