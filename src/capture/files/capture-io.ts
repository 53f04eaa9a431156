/**
 * What reads and writes capture files, as those who use it see it: `openCapture` (open-capture.ts) gives a
 * `CaptureReader`, `createCapture` (create-capture.ts) a `CaptureWriter`.
 */
import type {
  CaptureDamage,
  CapturedPacket,
  CaptureEpoch,
  CaptureInterface,
  CaptureSection,
  InterfaceStatistics,
  ReadPacket,
  ResolvedName,
} from '../index.js';

export interface OpenOptions {
  /** Damage ends the reading quietly and stands in `damage`; else it is thrown after what came before it. */
  readonly tolerant?: boolean;
}

/**
 * A capture being read, in order and once. What the file says is known as far as it was read: `batches` has to be
 * asked for the first batch before `epoch`, and to its end before `statistics` and `damage`.
 */
export interface CaptureReader {
  readonly path: string;
  readonly section: CaptureSection;
  /** By `interfaceId`; grows while a pcapng file is read. A classic file has one. */
  readonly interfaces: readonly CaptureInterface[];
  /** The first packet's instant; null before it was read. */
  readonly epoch: CaptureEpoch | null;
  readonly statistics: readonly InterfaceStatistics[];
  /** Names of addresses that the file brings along. */
  readonly names: readonly ResolvedName[];
  /** Null when the file was whole as far as it was read. */
  readonly damage: CaptureDamage | null;
  /** The packets, about 1 MiB of the file at a time. @throws ConfigError `CAPTURE_…` unless tolerant */
  batches(): AsyncGenerator<readonly ReadPacket[], void, undefined>;
  /** Closes the file; ending `batches` does so too. */
  close(): Promise<void>;
}

export interface CreateOptions {
  /** `pcapng` when left out. The classic ones keep neither interfaces, directions, ids, verdicts nor comments. */
  readonly format?: 'pcapng' | 'pcap-us' | 'pcap-ns';
  /** What `atNs` of its packets counts from. */
  readonly epoch: CaptureEpoch;
  /** Comments of the section header. */
  readonly comments?: readonly string[];
  /** A packet is kept up to here; `MAX_SNAP_BYTES` when left out. */
  readonly snapBytes?: number;
  /** Goes on in a new file, `NAME_00001.EXT` and up; left out, one file of the name that was given. */
  readonly ring?: RingOptions;
}

/** When a file is full, and how many are kept. */
export interface RingOptions {
  /** Bytes after which the next file begins, from 64 KiB. */
  readonly maxBytes?: number;
  /** Time between the first packet of a file and the first of the next, ns. */
  readonly maxNs?: number;
  /** Older files are removed; left out, all stay. */
  readonly files?: number;
}

/** A packet to be written: what is left out is absent in the file. */
export type WritePacket = Pick<CapturedPacket, 'interfaceId' | 'atNs' | 'bytes'> & Partial<CapturedPacket>;

/** A capture being written. Everything is synchronous and buffered: nothing is in the file for certain before `close`. */
export interface CaptureWriter {
  /** Packets written so far, and bytes of the file. */
  readonly packets: number;
  readonly bytes: number;
  /** @returns its `interfaceId`; a classic file has one interface, and every call answers 0 */
  addInterface(description: Partial<CaptureInterface> & Pick<CaptureInterface, 'name'>): number;
  /** @throws LonghaulError `CAPTURE_FILE` when the file cannot be written */
  write(packet: WritePacket): void;
  /** A line at an instant, on an interface of its own; a classic file leaves it out. */
  comment(atNs: number, text: string): void;
  /** Writes the interfaces' statistics, if given, and closes the file. */
  close(statistics?: readonly InterfaceStatistics[]): void;
}
