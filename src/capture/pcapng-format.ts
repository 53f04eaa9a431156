/**
 * pcapng by name: block types, options and where their fields lie.
 *
 *   block:  type u32 │ total length u32 │ body, padded to 4 │ options │ total length u32
 *   option: code u16 │ length u16 │ value, padded to 4                    (code 0 ends the list)
 *
 * Numbers are in the byte order of their section, which its header's magic shows; a stamp is two words, the upper
 * one first. Source: draft-ietf-opsawg-pcapng (IETF), sections 3 and 4.
 */
export const BLOCK_SECTION = 0x0a0d0d0a;
export const BLOCK_INTERFACE = 1;
/** Obsolete, and still found in old files. */
export const BLOCK_PACKET = 2;
export const BLOCK_SIMPLE_PACKET = 3;
export const BLOCK_NAMES = 4;
export const BLOCK_STATISTICS = 5;
export const BLOCK_ENHANCED_PACKET = 6;

/** Type and both lengths. */
export const BLOCK_FRAME_BYTES = 12;
export const BLOCK_LENGTH = 4;
export const BLOCK_BODY = 8;

export const SECTION_MAGIC = 8;
export const SECTION_MAJOR = 12;
export const SECTION_MINOR = 14;
export const SECTION_LENGTH = 16;
export const SECTION_OPTIONS = 24;
export const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

export const INTERFACE_LINK = 8;
export const INTERFACE_SNAP = 12;
export const INTERFACE_OPTIONS = 16;

/** The enhanced packet block; the obsolete one has the interface in its first two bytes and is the same after it. */
export const PACKET_INTERFACE = 8;
export const PACKET_STAMP_HIGH = 12;
export const PACKET_STAMP_LOW = 16;
export const PACKET_CAPTURED = 20;
export const PACKET_ORIGINAL = 24;
export const PACKET_DATA = 28;

export const SIMPLE_ORIGINAL = 8;
export const SIMPLE_DATA = 12;

export const STATISTICS_INTERFACE = 8;
export const STATISTICS_OPTIONS = 20;

export const OPTION_END = 0;
export const OPTION_COMMENT = 1;
export const SECTION_HARDWARE = 2;
export const SECTION_OS = 3;
export const SECTION_APPLICATION = 4;
export const INTERFACE_NAME = 2;
export const INTERFACE_DESCRIPTION = 3;
export const INTERFACE_RESOLUTION = 9;
export const INTERFACE_OFFSET = 14;
export const PACKET_FLAGS = 2;
export const PACKET_DROPS = 4;
export const PACKET_ID = 5;
export const PACKET_VERDICT = 7;
export const STATISTICS_RECEIVED = 4;
export const STATISTICS_DROPPED = 5;
export const STATISTICS_FILTER_ACCEPTED = 6;

/** The two low bits of epb_flags. */
export const FLAG_INBOUND = 1;
export const FLAG_OUTBOUND = 2;

/** if_tsresol: microseconds where it is left out, nanoseconds in what we write. */
export const RESOLUTION_US = 6;
export const RESOLUTION_NS = 9;

/** Bytes with their padding to four. */
export function padded(bytes: number): number {
  return (bytes + 3) & ~3;
}
