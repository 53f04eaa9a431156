/**
 * Replays a capture: finds its sides, sends it at its pace, says what came of it.
 *
 *   file ─ survey (sides, duration) ─ train (frames in order) ─ sender's thread ─► fabric │ TAP │ interface │ …
 *                                                                     ▲ arrivals ───┘
 *
 * The file is read once to find the sides, and once more for every loop; nothing of it is kept.
 */

import type { CaptureReader } from '../capture/files/index.js';
import { ConfigError } from '../core/index.js';
import type { FabricSettings } from '../fabric/index.js';
import { closeFd } from '../sys/index.js';
import { ArrivedCapture } from './arrived-capture.js';
import type { ReplayErrorCode } from './errors.js';
import type { SenderReport, SenderSettings } from './messages.js';
import type { Pace } from './pacing.js';
import { sendRawIp } from './raw-ip.js';
import { type ReplayResult, resultOf } from './result.js';
import type { RewriteRules } from './rewrite.js';
import { sendAll } from './sending.js';
import { GivenSides, type Side } from './sides.js';
import { Stage, type StageReport } from './stage.js';
import { openEnd, type Target } from './targets.js';
import { survey, Train } from './train.js';

export interface ReplayOptions {
  readonly file: string;
  /** Opens the capture anew. */
  readonly open: () => Promise<CaptureReader>;
  readonly target: Target;
  readonly pace: Pace;
  readonly loops: number;
  readonly mtu: number;
  readonly rewrite: RewriteRules;
  /** Addresses at site A; empty: they are found. */
  readonly sideA: readonly string[];
  /** Of a target that is one place: only what leaves this site; null for all. */
  readonly from: Side | null;
  readonly interfaceName: string | null;
  /** Of a replay through the fabric. */
  readonly fabric: FabricSettings;
  /** How long `one-at-a-time` waits for a packet. */
  readonly patienceNs: number;
  /** Where what arrived is written; null for nowhere. */
  readonly outCapture: string | null;
}

export interface ReplayHooks {
  readonly signal: AbortSignal;
  readonly onNote: (text: string) => void;
  /** The fabric stands, nothing has been sent: who records it begins now. */
  readonly onStage?: (stage: Stage) => Promise<void>;
  /** All that was sent has arrived or is lost: who records it ends now. */
  readonly onSettled?: (stage: Stage) => Promise<void>;
}

const LOOPS_MAX = 1_000_000;
const MTU_MIN = 68;
const MTU_MAX = 9_216;

/**
 * @throws ConfigError REPLAY_… and CAPTURE_… for what the user can mend; EnvironmentError REPLAY_TARGET
 */
export async function replay(options: ReplayOptions, hooks: ReplayHooks): Promise<ReplayResult> {
  checkOptions(options);
  const { target, pace, sideA, interfaceName } = options;
  const through = target.kind === 'fabric';
  const given = sideA.length > 0 ? new GivenSides(sideA) : null;
  const found = await survey(options.open, interfaceName, given);
  if (found.packets === 0) {
    throw new ConfigError<ReplayErrorCode>('REPLAY_NOTHING', `${options.file} has no packet to replay`, {
      hint:
        interfaceName === null ? 'capinfos shows what is in it' : 'leave --interface out, or name another',
    });
  }
  const train = new Train(options.open, found, {
    mtu: options.mtu,
    rewrite: options.rewrite,
    loops: options.loops,
    interfaceName,
    sendAll: !through,
    from: through ? null : options.from,
  });
  let stageReport: StageReport | null = null;
  let report: SenderReport;
  if (target.kind === 'raw-ip') {
    report = await sendRawIp(train.batches(), pace, hooks.signal);
  } else if (target.kind === 'fabric') {
    const fail = new AbortController();
    const signal = AbortSignal.any([hooks.signal, fail.signal]);
    let failure: Error | null = null;
    const stage = await Stage.open(options.fabric, options.mtu, (e) => {
      failure = e;
      fail.abort();
    });
    const arrived = options.outCapture === null ? null : new ArrivedCapture(options.outCapture);
    try {
      await hooks.onStage?.(stage);
      report = await sendAll(
        train.batches(),
        {
          ...senderSettings(options, stage.ends, true),
          keepArrived: arrived !== null,
        },
        { settled: (frames) => stage.settled(frames), onArrived: (batch) => arrived?.write(batch) },
        signal,
      );
      if (failure !== null) throw failure as Error;
      stageReport = await stage.report();
      await hooks.onSettled?.(stage);
    } finally {
      arrived?.close();
      await stage.close();
    }
  } else {
    const end = openEnd(target);
    try {
      report = await sendAll(train.batches(), senderSettings(options, [end, end], false), null, hooks.signal);
    } finally {
      closeFd(end.fd);
    }
  }
  return resultOf({ options, sides: found.sides, train: train.counters, report, stage: stageReport });
}

function senderSettings(
  { pace, patienceNs }: ReplayOptions,
  ends: SenderSettings['ends'],
  arrivals: boolean,
): SenderSettings {
  return { ends, arrivals, pace, patienceNs, keepArrived: false };
}

function checkOptions({ loops, mtu, target, outCapture, pace }: ReplayOptions): void {
  const refuse = (text: string, hint: string): never => {
    throw new ConfigError<ReplayErrorCode>('REPLAY_OPTIONS', text, { hint });
  };
  if (!(Number.isInteger(loops) && loops >= 1 && loops <= LOOPS_MAX)) {
    refuse(`--loop ${loops} is outside 1..${LOOPS_MAX}`, 'give a whole number');
  }
  if (!(Number.isInteger(mtu) && mtu >= MTU_MIN && mtu <= MTU_MAX)) {
    refuse(
      `--mtu ${mtu} is outside ${MTU_MIN}..${MTU_MAX}`,
      'give what the wire takes behind the Ethernet header',
    );
  }
  if (outCapture !== null && target.kind !== 'fabric') {
    refuse('--out-capture needs a replay through the fabric', 'elsewhere nothing is known of what arrives');
  }
  if (pace.kind === 'one-at-a-time' && target.kind !== 'fabric') {
    refuse(
      '--pace one-at-a-time needs a replay through the fabric',
      'elsewhere nothing is known of what arrives',
    );
  }
}
