/**
 * What `query-migrate` says, read with care: every field may be missing, since QEMU leaves out what has not happened
 * yet and names differ by version. Times become nanoseconds, rates bits per second. qapi/migration.json,
 * MigrationInfo and MigrationStats, QEMU 7.2.
 */

export interface RamFigures {
  readonly totalBytes: number;
  readonly remainingBytes: number;
  /** Bytes that QEMU counts as handed to the channels, pages and headers. */
  readonly transferredBytes: number;
  readonly normalPages: number;
  /** Pages of one byte value, mostly zero, that travel as a header. */
  readonly duplicatePages: number;
  readonly pageBytes: number;
  /** Times the dirty bitmap was collected: pre-copy rounds. */
  readonly dirtySyncs: number;
  readonly dirtyPagesPerS: number;
  readonly throughputBps: number;
  readonly multifdBytes: number;
  readonly precopyBytes: number;
  /** Sent while the guest stood. */
  readonly downtimeBytes: number;
  readonly postcopyBytes: number;
  readonly postcopyRequests: number;
}

export interface MigrationFigures {
  /** none, setup, active, postcopy-active, device, completed, failed, cancelled … */
  readonly status: string;
  readonly errorText: string | null;
  readonly totalNs: number | null;
  readonly setupNs: number | null;
  /** QEMU's own figure of the pause, from vm_stop to the end of sending; whole milliseconds. */
  readonly downtimeNs: number | null;
  readonly expectedDowntimeNs: number | null;
  readonly ram: RamFigures | null;
}

const NS_PER_MS = 1e6;

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

/** A count that is there and makes sense, else 0. */
function count(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0;
}

function ms(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value * NS_PER_MS : null;
}

function ramFigures(ram: Fields): RamFigures {
  return {
    totalBytes: count(ram.total),
    remainingBytes: count(ram.remaining),
    transferredBytes: count(ram.transferred),
    normalPages: count(ram.normal),
    duplicatePages: count(ram.duplicate),
    pageBytes: count(ram['page-size']),
    dirtySyncs: count(ram['dirty-sync-count']),
    dirtyPagesPerS: count(ram['dirty-pages-rate']),
    throughputBps: count(ram.mbps) * 1e6,
    multifdBytes: count(ram['multifd-bytes']),
    precopyBytes: count(ram['precopy-bytes']),
    downtimeBytes: count(ram['downtime-bytes']),
    postcopyBytes: count(ram['postcopy-bytes']),
    postcopyRequests: count(ram['postcopy-requests']),
  };
}

/** Reads the answer to `query-migrate`. */
export function migrationFigures(answer: unknown): MigrationFigures {
  const info = fieldsOf(answer);
  return {
    status: typeof info.status === 'string' ? info.status : 'none',
    errorText: typeof info['error-desc'] === 'string' ? info['error-desc'] : null,
    totalNs: ms(info['total-time']),
    setupNs: ms(info['setup-time']),
    downtimeNs: ms(info.downtime),
    expectedDowntimeNs: ms(info['expected-downtime']),
    ram: info.ram === undefined ? null : ramFigures(fieldsOf(info.ram)),
  };
}
