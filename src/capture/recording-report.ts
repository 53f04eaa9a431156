/** What a recording says of itself when it ends. */
import { formatBytes } from '../core/index.js';

export interface RecordingReport {
  readonly path: string;
  readonly packets: number;
  readonly bytes: number;
  /** Packets that the filter left out. */
  readonly filtered: number;
  /** Frames that the recorder had no room for: what it records does not wait. */
  readonly unrecorded: number;
  /** Why it ended early; null when it did not. */
  readonly failure: string | null;
}

/** One line for people. */
export function describeRecording(report: RecordingReport): string {
  const { path, packets, bytes, filtered, unrecorded, failure } = report;
  if (failure !== null) return `the recording ended early: ${failure}`;
  const rest = [
    ...(filtered > 0 ? [`${filtered} left out by the filter`] : []),
    ...(unrecorded > 0 ? [`${unrecorded} not recorded, the fabric was faster`] : []),
  ];
  const more = rest.length === 0 ? '' : `; ${rest.join(', ')}`;
  return `${packets} packets (${formatBytes(bytes)}) recorded in ${path === '-' ? 'standard output' : path}${more}`;
}
