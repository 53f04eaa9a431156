/**
 * `longhaul capture record FILE`: records a running bridge, which writes the file itself, until Ctrl-C or for a time.
 * `-` is this command's own standard output, which the bridge opens by its place in /proc: a pipe or a file.
 */
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeRecording, type RecordingReport } from '../capture/index.js';
import { parseDuration } from '../core/index.js';
import type { ControlClient } from '../lab/bridge/client.js';
import { type RecordingTyped, recordingOf } from './capture-options.js';
import { type CtlContext, connect } from './ctl.js';
import { EXIT_FAILED, EXIT_OK } from './exit-codes.js';

/** Between two looks whether it is recorded still. */
const LOOK_MS = 1000;
const DURATION = { min: 1e6, max: 86_400e9 * 30, text: '1ms..30 days' };

export interface CaptureRecordTyped extends RecordingTyped {
  readonly control?: string;
  readonly duration?: string;
  readonly json?: boolean;
}

/** What the command needs of the process besides a bridge. */
export interface CaptureRecordContext extends CtlContext {
  /** Where words for people go: standard output may be the capture. */
  readonly err: (text: string) => void;
  readonly pid: number;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/** @returns the exit code: 1 when the recording ended early @throws ConfigError what was typed, or the bridge refused */
export async function captureRecord(
  file: string,
  typed: CaptureRecordTyped,
  context: CaptureRecordContext,
): Promise<number> {
  const { signal, err, out } = context;
  const durationNs =
    typed.duration === undefined ? null : parseDuration(typed.duration, '--duration', DURATION);
  const path = file === '-' ? `/proc/${context.pid}/fd/1` : resolve(file);
  const { comments: _, ...recording } = recordingOf(path, typed);
  const client = await connect(typed.control, context);
  try {
    await client.ask({ do: 'record', recording });
    err(`recording into ${file}${durationNs === null ? '; Ctrl-C ends it' : ''}\n`);
    await untilOver(client, durationNs, signal);
    const report = (await client.ask({ do: 'stop-recording' })) as RecordingReport;
    if (typed.json) (file === '-' ? err : out)(`${JSON.stringify(report)}\n`);
    else err(`${describeRecording(file === '-' ? { ...report, path: file } : report)}\n`);
    return report.failure === null ? EXIT_OK : EXIT_FAILED;
  } finally {
    client.close();
  }
}

/** Returns when it is time, at Ctrl-C, or when the recording has ended by itself: the disk is full, its reader has gone. */
async function untilOver(
  client: ControlClient,
  durationNs: number | null,
  signal: AbortSignal,
): Promise<void> {
  const endMs = durationNs === null ? Number.POSITIVE_INFINITY : performance.now() + durationNs / 1e6;
  for (;;) {
    const leftMs = endMs - performance.now();
    if (signal.aborted || leftMs <= 0) return;
    await sleep(Math.min(leftMs, LOOK_MS), undefined, { signal }).catch(() => {});
    if (signal.aborted || leftMs <= LOOK_MS) continue;
    const { failure } = (await client.ask({ do: 'recording' })) as RecordingReport;
    if (failure !== null) return;
  }
}
