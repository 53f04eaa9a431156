/**
 * Writes pcapng: one section, little-endian, stamps in nanoseconds. Blocks and options are those of
 * pcapng-format.ts. Left out on purpose: name resolution and simple packet blocks, which say less than what we have.
 */
import type { BlockBuffer } from './block-buffer.js';
import type {
  CaptureEpoch,
  CaptureInterface,
  InterfaceStatistics,
  PacketDirection,
  Verdict,
} from './captured-packet.js';
import {
  BLOCK_ENHANCED_PACKET,
  BLOCK_INTERFACE,
  BLOCK_SECTION,
  BLOCK_STATISTICS,
  BYTE_ORDER_MAGIC,
  FLAG_INBOUND,
  FLAG_OUTBOUND,
  INTERFACE_DESCRIPTION,
  INTERFACE_NAME,
  INTERFACE_RESOLUTION,
  OPTION_COMMENT,
  PACKET_DROPS,
  PACKET_FLAGS,
  PACKET_ID,
  PACKET_VERDICT,
  RESOLUTION_NS,
  SECTION_APPLICATION,
  SECTION_HARDWARE,
  SECTION_OS,
  STATISTICS_DROPPED,
  STATISTICS_FILTER_ACCEPTED,
  STATISTICS_RECEIVED,
} from './pcapng-format.js';
import { NsStamp } from './stamps.js';

export interface SectionWords {
  readonly application?: string;
  readonly hardware?: string;
  readonly operatingSystem?: string;
  readonly comments?: readonly string[];
}

/** What stands beside a packet's bytes; nothing of it is required. */
export interface PacketNotes {
  readonly direction?: PacketDirection | null;
  readonly packetId?: number | null;
  readonly verdict?: Verdict | null;
  readonly comment?: string | null;
  /** Packets of this interface between this one and the one before it that were not recorded. */
  readonly unrecorded?: number;
}

const SECTION_LENGTH_UNKNOWN = 0xffff_ffff;
const ONE_BYTE = new Uint8Array([RESOLUTION_NS]);

export class PcapngEncoder {
  readonly #out: BlockBuffer;
  readonly #stamp: NsStamp;

  /** @param epoch what `atNs` counts from */
  constructor(out: BlockBuffer, epoch: CaptureEpoch) {
    this.#out = out;
    this.#stamp = new NsStamp(epoch);
  }

  section(words: SectionWords): void {
    const out = this.#out;
    out.begin(BLOCK_SECTION);
    out.u32(BYTE_ORDER_MAGIC);
    out.u16(1);
    out.u16(0);
    out.u32(SECTION_LENGTH_UNKNOWN);
    out.u32(SECTION_LENGTH_UNKNOWN);
    out.textOption(SECTION_HARDWARE, words.hardware ?? '');
    out.textOption(SECTION_OS, words.operatingSystem ?? '');
    out.textOption(SECTION_APPLICATION, words.application ?? '');
    for (const comment of words.comments ?? []) out.textOption(OPTION_COMMENT, comment);
    out.end();
  }

  interface(description: CaptureInterface): void {
    const out = this.#out;
    out.begin(BLOCK_INTERFACE);
    out.u16(description.linkType);
    out.u16(0);
    out.u32(description.snapBytes);
    out.textOption(INTERFACE_NAME, description.name);
    out.textOption(INTERFACE_DESCRIPTION, description.description);
    out.option(INTERFACE_RESOLUTION, ONE_BYTE);
    out.end();
  }

  /** A packet whose captured bytes are `start..end` of `data`. */
  packet(
    interfaceId: number,
    atNs: number,
    data: Uint8Array,
    start: number,
    end: number,
    originalBytes: number,
    notes: PacketNotes,
  ): void {
    const out = this.#out;
    out.begin(BLOCK_ENHANCED_PACKET);
    out.u32(interfaceId);
    this.#putStamp(atNs);
    out.u32(end - start);
    out.u32(originalBytes);
    out.put(data, start, end);
    out.pad();
    const { direction, packetId, verdict, comment, unrecorded = 0 } = notes;
    if (direction === 'in' || direction === 'out') {
      out.beginOption(PACKET_FLAGS, 4);
      out.u32(direction === 'in' ? FLAG_INBOUND : FLAG_OUTBOUND);
    }
    if (unrecorded > 0) {
      out.beginOption(PACKET_DROPS, 8);
      out.u64(unrecorded);
    }
    if (packetId !== null && packetId !== undefined) {
      out.beginOption(PACKET_ID, 8);
      out.u64(packetId);
    }
    if (verdict !== null && verdict !== undefined) {
      out.beginOption(PACKET_VERDICT, 1 + verdict.value.length);
      out.u8(verdict.kind);
      out.put(verdict.value);
      out.pad();
    }
    if (comment !== null && comment !== undefined) out.textOption(OPTION_COMMENT, comment);
    out.end();
  }

  /** @param atNs when they were read */
  statistics(atNs: number, counts: InterfaceStatistics): void {
    const out = this.#out;
    out.begin(BLOCK_STATISTICS);
    out.u32(counts.interfaceId);
    this.#putStamp(atNs);
    const { received, droppedByInterface, droppedByFilter } = counts;
    const accepted = received !== null && droppedByFilter !== null ? received - droppedByFilter : null;
    for (const [code, value] of [
      [STATISTICS_RECEIVED, received],
      [STATISTICS_DROPPED, droppedByInterface],
      [STATISTICS_FILTER_ACCEPTED, accepted],
    ] as const) {
      if (value === null) continue;
      out.beginOption(code, 8);
      out.u64(value);
    }
    if (counts.comment !== null) out.textOption(OPTION_COMMENT, counts.comment);
    out.end();
  }

  #putStamp(atNs: number): void {
    this.#stamp.set(atNs);
    this.#out.u32(this.#stamp.high);
    this.#out.u32(this.#stamp.low);
  }
}
