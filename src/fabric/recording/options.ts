/** How a recording is asked for, and what its threads say to each other. */

import type { RingOptions } from '../../capture/files/index.js';
import {
  CaptureFilter,
  type InterfaceStatistics,
  MAX_SNAP_BYTES,
  type RecordingReport,
} from '../../capture/index.js';
import type { InterfaceTally } from './frame-tap.js';

export interface RecordingOptions {
  /** `-` for standard output. */
  readonly path: string;
  readonly format?: 'pcapng' | 'pcap-us' | 'pcap-ns';
  /** Cut super-frames into the packets that they stand for, checksums complete. */
  readonly wire?: boolean;
  /** What is kept of a packet, bytes; all when left out. Not with `wire`. */
  readonly snapBytes?: number;
  /** An expression over our own fields: capture/capture-filter.ts. */
  readonly filter?: string;
  readonly ring?: RingOptions;
  /** Comments of the section header: the run's configuration and seed. */
  readonly comments?: readonly string[];
}

export type RecorderRequest =
  | { readonly type: 'comment'; readonly atNs: number; readonly text: string }
  /** Null when the fabric could not say any more. */
  | { readonly type: 'finish'; readonly tallies: readonly InterfaceTally[] | null };

export type RecorderReply =
  | { readonly type: 'ready' }
  | {
      readonly type: 'refused';
      readonly code: string;
      readonly text: string;
      readonly hint: string | undefined;
    }
  | { readonly type: 'finished'; readonly report: RecordingReport };

/** The filter of these options. @throws ConfigError CAPTURE_FILTER */
export function filterOf({ filter }: RecordingOptions): CaptureFilter | null {
  return filter === undefined || filter.trim() === '' ? null : new CaptureFilter(filter);
}

/** How much of a frame the fabric copies: all that is to be cut, else what is kept. */
export function tapSnapBytes({ wire = false, snapBytes = MAX_SNAP_BYTES }: RecordingOptions): number {
  return wire ? MAX_SNAP_BYTES : snapBytes;
}

/** An interface's statistics block. */
export function statisticsOf(tally: InterfaceTally, filtered: number): InterfaceStatistics {
  const { interfaceId, recorded, unrecorded } = tally;
  return {
    interfaceId,
    received: recorded + unrecorded,
    droppedByInterface: unrecorded,
    droppedByFilter: filtered,
    comment: unrecorded === 0 ? null : `${unrecorded} frames were not recorded: the recorder's ring was full`,
  };
}
