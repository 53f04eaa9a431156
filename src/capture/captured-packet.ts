/**
 * A packet in a capture as everything that reads or writes captures sees it, whatever the file's format.
 *
 * Time is a pair, so that no BigInt is needed and nothing is rounded: the capture's `epoch` (that of its first
 * packet, seconds since 1970 and nanoseconds) and each packet's distance to it in integer nanoseconds, exact for
 * 104 days.
 */

/** LINKTYPE_ETHERNET and LINKTYPE_WIRESHARK_UPPER_PDU (tcpdump.org/linktypes.html). */
export const LINK_ETHERNET = 1;
export const LINK_EVENTS = 252;
/** LINKTYPE_RAW: the packet begins with its IPv4 or IPv6 header. */
export const LINK_RAW_IP = 101;
/** The longest packet that is read or written; what libpcap calls MAXIMUM_SNAPLEN. */
export const MAX_SNAP_BYTES = 262_144;

/** Seconds since 1970-01-01 UTC, and 0..999,999,999 nanoseconds. */
export interface CaptureEpoch {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** As the interface it was seen at has it: `in` was received there, `out` sent. */
export type PacketDirection = 'in' | 'out';

/** What became of a packet: pcapng's epb_verdict (draft-ietf-opsawg-pcapng, 4.3). */
export interface Verdict {
  /** 0 hardware, 1 and 2 Linux eBPF; ours is 0. */
  readonly kind: number;
  readonly value: Uint8Array;
}

export interface CapturedPacket {
  /** Index into the interfaces of the capture. */
  readonly interfaceId: number;
  /** After the capture's epoch; negative for one stamped before the first. One without a stamp has that of the one before it. */
  readonly atNs: number;
  /** What was captured. A reader's bytes stay as they are, but keep up to 1 MiB of the file alive: copy what is kept long. */
  readonly bytes: Uint8Array;
  /** Its length on the wire, at least `bytes.length` unless the file says otherwise. */
  readonly originalBytes: number;
  readonly direction: PacketDirection | null;
  /** The same at every interface that one packet passes; null where the file has none. Exact below 2^53. */
  readonly packetId: number | null;
  readonly verdict: Verdict | null;
  readonly comment: string | null;
}

/** A packet as it is read: and where in the file it begins. */
export interface ReadPacket extends CapturedPacket {
  readonly offset: number;
}

export interface CaptureInterface {
  /** if_name; empty where the file has none, always so in a classic file. */
  readonly name: string;
  readonly description: string;
  /** LINKTYPE_…, `LINK_ETHERNET` for all that carry frames. */
  readonly linkType: number;
  /** Longest packet kept; 0 for no limit. */
  readonly snapBytes: number;
}

/** What a file says of itself before its first packet. */
export interface CaptureSection {
  readonly format: 'pcapng' | 'pcap';
  readonly byteOrder: 'little' | 'big';
  /** Of a classic file, what a stamp counts; a pcapng file says so by interface. */
  readonly resolution: 'us' | 'ns' | null;
  /** shb_userappl, shb_hardware, shb_os, and the comments of the section header. */
  readonly application: string | null;
  readonly hardware: string | null;
  readonly operatingSystem: string | null;
  readonly comments: readonly string[];
}

/** isb_… of one interface; null where the file does not say. */
export interface InterfaceStatistics {
  readonly interfaceId: number;
  readonly received: number | null;
  readonly droppedByInterface: number | null;
  readonly droppedByFilter: number | null;
  readonly comment: string | null;
}

/** Why reading ended before the end of the file. */
export interface CaptureDamage {
  readonly code: CaptureErrorCode;
  readonly text: string;
  /** Where in the file. */
  readonly offset: number;
}

export type CaptureErrorCode =
  /** There is nothing in it. */
  | 'CAPTURE_EMPTY'
  /** It is something else, which is named where it can be. */
  | 'CAPTURE_FOREIGN'
  /** A version or a variant that is not read. */
  | 'CAPTURE_VERSION'
  /** It ends within a packet or block. */
  | 'CAPTURE_TRUNCATED'
  /** A length that the format does not allow. */
  | 'CAPTURE_LENGTH'
  /** A block that contradicts itself or what came before it. */
  | 'CAPTURE_BLOCK'
  /** A filter that cannot be understood. */
  | 'CAPTURE_FILTER'
  /** A setting of a recording that is out of range. */
  | 'CAPTURE_OPTIONS'
  /** The file cannot be opened, read or written. */
  | 'CAPTURE_FILE';

/** What was dropped on purpose in the fabric, by the verdict that its recorder writes; null for all others. */
export function dropReasonOf({ verdict }: CapturedPacket): string | null {
  return verdict !== null && verdict.kind === 0 ? new TextDecoder().decode(verdict.value) : null;
}

/** The verdict that says why a frame was dropped. @param reason the fabric's own word, such as `queue-full` */
export function dropVerdict(reason: string): Verdict {
  return { kind: 0, value: new TextEncoder().encode(reason) };
}

/** `a` minus `b` in nanoseconds; exact below 104 days. */
export function epochDifferenceNs(a: CaptureEpoch, b: CaptureEpoch): number {
  return (a.seconds - b.seconds) * 1e9 + (a.nanoseconds - b.nanoseconds);
}

/** The last second that a Date can tell, ECMA-262, 21.4.1.1. */
const LAST_SECOND = 8.64e12;

/**
 * `2026-11-23T16:05:07.000000001Z`; what a file stamps beyond all calendars as `18446744073709551615.000000001 s`.
 * @param atNs after the epoch
 */
export function formatInstant(epoch: CaptureEpoch, atNs: number): string {
  const nanoseconds = epoch.nanoseconds + atNs;
  const carry = Math.floor(nanoseconds / 1e9);
  const rest = nanoseconds - carry * 1e9;
  const fraction = String(rest).padStart(9, '0');
  const seconds = epoch.seconds + carry;
  if (Math.abs(seconds) > LAST_SECOND) return `${seconds}.${fraction} s`;
  return `${new Date(seconds * 1000).toISOString().replace(/\.000Z$/, '')}.${fraction}Z`;
}
