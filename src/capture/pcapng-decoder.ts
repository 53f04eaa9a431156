/**
 * Reads pcapng from chunks of any size: whole blocks are taken, the rest is asked for again with more behind it.
 *
 *   section ─► interfaces ─► packets, statistics, names …       in either byte order, section after section
 *
 * Never throws on bytes and never waits for more than `MAX_BLOCK_BYTES`: what the format does not allow stands in
 * `damage` and ends the decoding; blocks and options that are not known are passed over by their lengths.
 * Interfaces of later sections are numbered on. Source: draft-ietf-opsawg-pcapng.
 * Left out on purpose: secrets, custom blocks and journal entries, which carry no packet.
 */
import { BlockView, type TakeOption } from './block-view.js';
import {
  type CaptureDamage,
  type CaptureEpoch,
  type CaptureInterface,
  type CaptureSection,
  type InterfaceStatistics,
  MAX_SNAP_BYTES,
  type PacketDirection,
  type ReadPacket,
  type Verdict,
} from './captured-packet.js';
import { decodeNames, type ResolvedName } from './name-records.js';
import {
  BLOCK_ENHANCED_PACKET,
  BLOCK_FRAME_BYTES,
  BLOCK_INTERFACE,
  BLOCK_LENGTH,
  BLOCK_NAMES,
  BLOCK_PACKET,
  BLOCK_SECTION,
  BLOCK_SIMPLE_PACKET,
  BLOCK_STATISTICS,
  BYTE_ORDER_MAGIC,
  FLAG_INBOUND,
  FLAG_OUTBOUND,
  INTERFACE_DESCRIPTION,
  INTERFACE_LINK,
  INTERFACE_NAME,
  INTERFACE_OFFSET,
  INTERFACE_OPTIONS,
  INTERFACE_RESOLUTION,
  INTERFACE_SNAP,
  OPTION_COMMENT,
  PACKET_CAPTURED,
  PACKET_DATA,
  PACKET_FLAGS,
  PACKET_ID,
  PACKET_INTERFACE,
  PACKET_ORIGINAL,
  PACKET_STAMP_HIGH,
  PACKET_STAMP_LOW,
  PACKET_VERDICT,
  padded,
  RESOLUTION_US,
  SECTION_APPLICATION,
  SECTION_HARDWARE,
  SECTION_MAGIC,
  SECTION_MAJOR,
  SECTION_OPTIONS,
  SECTION_OS,
  SIMPLE_DATA,
  SIMPLE_ORIGINAL,
  STATISTICS_DROPPED,
  STATISTICS_FILTER_ACCEPTED,
  STATISTICS_INTERFACE,
  STATISTICS_OPTIONS,
  STATISTICS_RECEIVED,
} from './pcapng-format.js';
import { StampScale } from './stamps.js';

/** The longest block that is read rather than passed over: the longest packet, and options of the longest kind. */
export const MAX_BLOCK_BYTES = MAX_SNAP_BYTES + 8 * 65_536;
/** Interfaces of all sections together. */
const MAX_INTERFACES = 65_536;
/** Resolved names that are kept. */
const MAX_NAMES = 65_536;

interface Described {
  readonly snapBytes: number;
  readonly scale: StampScale;
}

export class PcapngDecoder {
  readonly interfaces: CaptureInterface[] = [];
  readonly statistics: InterfaceStatistics[] = [];
  readonly names: ResolvedName[] = [];
  /** The first section's; null before it. */
  section: CaptureSection | null = null;
  epoch: CaptureEpoch | null = null;
  damage: CaptureDamage | null = null;
  readonly #described: Described[] = [];
  /** Interfaces of the sections before this one. */
  #base = 0;
  /** Bytes of a long block that are still to be passed over; where it begins, and how long it says it is. */
  #skip = 0;
  #skippedAt = 0;
  #skippedBytes = 0;
  #lastNs = 0;
  readonly #in = new BlockView();
  // Of the packet whose options were read last.
  #direction: PacketDirection | null = null;
  #packetId: number | null = null;
  #verdict: Verdict | null = null;
  #comment: string | null = null;

  /**
   * Takes the whole blocks at the beginning of `bytes`.
   * @param offset where in the file `bytes` begins
   * @param isLast nothing comes behind them
   * @returns how many were taken: the rest is to be given again, with what follows it
   */
  decode(bytes: Uint8Array, offset: number, isLast: boolean, out: ReadPacket[]): number {
    this.#in.show(bytes);
    let at = Math.min(this.#skip, bytes.length);
    this.#skip -= at;
    while (this.damage === null && at < bytes.length && this.#skip === 0) {
      const taken = this.#block(at, offset, out);
      if (taken === 0) break;
      if (at + taken > bytes.length) {
        this.#skip = at + taken - bytes.length;
        this.#skippedAt = offset + at;
        this.#skippedBytes = taken;
      }
      at = Math.min(at + taken, bytes.length);
    }
    if (isLast && this.damage === null) {
      if (this.#skip > 0) this.#truncated(this.#skippedAt, this.#skippedBytes);
      else if (at < bytes.length) {
        const isFramed = at + BLOCK_FRAME_BYTES <= bytes.length;
        this.#truncated(offset + at, isFramed ? this.#in.u32(at + BLOCK_LENGTH) : BLOCK_FRAME_BYTES);
      }
    }
    return at;
  }

  /** @returns the block's length, 0 when it is not all there or is harmed */
  #block(at: number, offset: number, out: ReadPacket[]): number {
    const left = this.#in.bytes.length - at;
    if (left < BLOCK_FRAME_BYTES) return 0;
    const type = this.#in.u32(at);
    if (type === BLOCK_SECTION && !this.#readByteOrder(at, offset)) return 0;
    const length = this.#in.u32(at + BLOCK_LENGTH);
    const where = offset + at;
    if (this.section === null && type !== BLOCK_SECTION) {
      return this.#harm('CAPTURE_BLOCK', where, 'a section header is expected first');
    }
    if (length < BLOCK_FRAME_BYTES || length % 4 !== 0) {
      const allowed = `a multiple of 4 from ${BLOCK_FRAME_BYTES}`;
      return this.#harm(
        'CAPTURE_LENGTH',
        where + BLOCK_LENGTH,
        `a block of ${length} bytes; ${allowed} is expected`,
      );
    }
    const isKnown = type === BLOCK_SECTION || (type >= BLOCK_INTERFACE && type <= BLOCK_ENHANCED_PACKET);
    if (length > MAX_BLOCK_BYTES) {
      // What nobody here reads may be as long as it likes, and its end is not looked at.
      if (!isKnown) return length;
      const text = `a block of ${length} bytes; at most ${MAX_BLOCK_BYTES} are expected`;
      return this.#harm('CAPTURE_LENGTH', where + BLOCK_LENGTH, text);
    }
    if (length > left) return 0;
    const behind = this.#in.u32(at + length - 4);
    if (behind !== length) {
      return this.#harm(
        'CAPTURE_BLOCK',
        where + length - 4,
        `a block of ${length} bytes ends with length ${behind}`,
      );
    }
    if (isKnown && !this.#take(type, at, at + length - 4, where, out)) return 0;
    return length;
  }

  /** @param end of the block's body @returns false when it is harmed */
  #take(type: number, at: number, end: number, where: number, out: ReadPacket[]): boolean {
    switch (type) {
      case BLOCK_ENHANCED_PACKET:
      case BLOCK_PACKET:
        return this.#packet(type, at, end, where, out);
      case BLOCK_SIMPLE_PACKET:
        return this.#simplePacket(at, end, where, out);
      case BLOCK_INTERFACE:
        return this.#interface(at, end, where);
      case BLOCK_STATISTICS:
        return this.#statistics(at, end, where);
      case BLOCK_NAMES:
        decodeNames(this.#in.bytes, at + 8, end, this.#in.littleEndian, MAX_NAMES, this.names);
        return true;
      default:
        return this.#section(at, end, where);
    }
  }

  #readByteOrder(at: number, offset: number): boolean {
    this.#in.littleEndian = true;
    this.#in.littleEndian = this.#in.u32(at + SECTION_MAGIC) === BYTE_ORDER_MAGIC;
    if (this.#in.u32(at + SECTION_MAGIC) === BYTE_ORDER_MAGIC) return true;
    this.#harm(
      'CAPTURE_BLOCK',
      offset + at + SECTION_MAGIC,
      'the section has no byte-order magic (1a2b3c4d)',
    );
    return false;
  }

  #section(at: number, end: number, where: number): boolean {
    if (!this.#fits(at, SECTION_OPTIONS, end)) return this.#short(where, 'section header');
    const major = this.#in.u16(at + SECTION_MAJOR);
    if (major !== 1) {
      this.#harm('CAPTURE_VERSION', where + SECTION_MAJOR, `pcapng version ${major}; 1 is expected`);
      return false;
    }
    const words = new Map<number, string>();
    const comments: string[] = [];
    const whole = this.#options(at + SECTION_OPTIONS, end, where, (code, value, length) => {
      if (code === OPTION_COMMENT) comments.push(this.#in.text(value, length));
      else words.set(code, this.#in.text(value, length));
    });
    if (!whole) return false;
    this.#base = this.interfaces.length;
    this.section ??= {
      format: 'pcapng',
      byteOrder: this.#in.littleEndian ? 'little' : 'big',
      resolution: null,
      application: words.get(SECTION_APPLICATION) ?? null,
      hardware: words.get(SECTION_HARDWARE) ?? null,
      operatingSystem: words.get(SECTION_OS) ?? null,
      comments,
    };
    return true;
  }

  #interface(at: number, end: number, where: number): boolean {
    if (!this.#fits(at, INTERFACE_OPTIONS, end)) return this.#short(where, 'interface description');
    if (this.interfaces.length === MAX_INTERFACES) {
      this.#harm('CAPTURE_BLOCK', where, `more than ${MAX_INTERFACES} interfaces`);
      return false;
    }
    let name = '';
    let description = '';
    let resolution = RESOLUTION_US;
    let offsetS = 0;
    const whole = this.#options(at + INTERFACE_OPTIONS, end, where, (code, value, length) => {
      if (code === INTERFACE_NAME) name = this.#in.text(value, length);
      else if (code === INTERFACE_DESCRIPTION) description = this.#in.text(value, length);
      else if (code === INTERFACE_RESOLUTION && length === 1) resolution = this.#in.bytes[value]!;
      else if (code === INTERFACE_OFFSET && length === 8) offsetS = this.#in.i64(value);
    });
    if (!whole) return false;
    const snapBytes = this.#in.u32(at + INTERFACE_SNAP);
    this.interfaces.push({ name, description, linkType: this.#in.u16(at + INTERFACE_LINK), snapBytes });
    this.#described.push({ snapBytes, scale: new StampScale(resolution, offsetS) });
    return true;
  }

  #packet(type: number, at: number, end: number, where: number, out: ReadPacket[]): boolean {
    if (!this.#fits(at, PACKET_DATA, end)) return this.#short(where, 'packet');
    const interfaceAt = at + PACKET_INTERFACE;
    const interfaceId = type === BLOCK_PACKET ? this.#in.u16(interfaceAt) : this.#in.u32(interfaceAt);
    const described = this.#described[this.#base + interfaceId];
    if (described === undefined) return this.#noInterface(where, interfaceId);
    const captured = this.#in.u32(at + PACKET_CAPTURED);
    if (captured > MAX_SNAP_BYTES || at + PACKET_DATA + captured > end) {
      const room = Math.min(MAX_SNAP_BYTES, end - at - PACKET_DATA);
      const text = `a packet of ${captured} captured bytes; its block has room for ${room}`;
      this.#harm('CAPTURE_LENGTH', where + PACKET_CAPTURED, text);
      return false;
    }
    const { scale } = described;
    scale.read(this.#in.u32(at + PACKET_STAMP_HIGH), this.#in.u32(at + PACKET_STAMP_LOW));
    this.epoch ??= { seconds: scale.seconds, nanoseconds: scale.nanoseconds };
    this.#lastNs = (scale.seconds - this.epoch.seconds) * 1e9 + (scale.nanoseconds - this.epoch.nanoseconds);
    const dataAt = at + PACKET_DATA;
    this.#direction = null;
    this.#packetId = null;
    this.#verdict = null;
    this.#comment = null;
    if (!this.#options(dataAt + padded(captured), end, where, this.#onPacketOption)) return false;
    out.push({
      interfaceId: this.#base + interfaceId,
      atNs: this.#lastNs,
      bytes: this.#in.bytes.subarray(dataAt, dataAt + captured),
      originalBytes: this.#in.u32(at + PACKET_ORIGINAL),
      direction: this.#direction,
      packetId: this.#packetId,
      verdict: this.#verdict,
      comment: this.#comment,
      offset: where,
    });
    return true;
  }

  readonly #onPacketOption = (code: number, value: number, length: number): void => {
    if (code === PACKET_FLAGS && length === 4) {
      const way = this.#in.u32(value) & 3;
      this.#direction = way === FLAG_INBOUND ? 'in' : way === FLAG_OUTBOUND ? 'out' : null;
    } else if (code === PACKET_ID && length === 8) this.#packetId = this.#in.u64(value);
    else if (code === PACKET_VERDICT && length > 0) {
      this.#verdict = {
        kind: this.#in.bytes[value]!,
        value: this.#in.bytes.slice(value + 1, value + length),
      };
    } else if (code === OPTION_COMMENT) {
      const comment = this.#in.text(value, length);
      this.#comment = this.#comment === null ? comment : `${this.#comment}\n${comment}`;
    }
  };

  /** Of the section's first interface, without a stamp. */
  #simplePacket(at: number, end: number, where: number, out: ReadPacket[]): boolean {
    if (!this.#fits(at, SIMPLE_DATA, end)) return this.#short(where, 'simple packet');
    const described = this.#described[this.#base];
    if (described === undefined) return this.#noInterface(where, 0);
    const originalBytes = this.#in.u32(at + SIMPLE_ORIGINAL);
    const most = described.snapBytes === 0 ? MAX_SNAP_BYTES : Math.min(described.snapBytes, MAX_SNAP_BYTES);
    const captured = Math.min(originalBytes, most);
    const dataAt = at + SIMPLE_DATA;
    if (dataAt + captured > end) {
      const text = `a simple packet of ${captured} bytes; its block has room for ${end - dataAt}`;
      this.#harm('CAPTURE_LENGTH', where + SIMPLE_ORIGINAL, text);
      return false;
    }
    const bytes = this.#in.bytes.subarray(dataAt, dataAt + captured);
    const absent = { direction: null, packetId: null, verdict: null, comment: null };
    out.push({ interfaceId: this.#base, atNs: this.#lastNs, bytes, originalBytes, ...absent, offset: where });
    return true;
  }

  #statistics(at: number, end: number, where: number): boolean {
    if (!this.#fits(at, STATISTICS_OPTIONS, end)) return this.#short(where, 'statistics');
    const interfaceId = this.#in.u32(at + STATISTICS_INTERFACE);
    if (this.#described[this.#base + interfaceId] === undefined) return this.#noInterface(where, interfaceId);
    const numbers = new Map<number, number>();
    let comment: string | null = null;
    const whole = this.#options(at + STATISTICS_OPTIONS, end, where, (code, value, length) => {
      if (code === OPTION_COMMENT) comment = this.#in.text(value, length);
      else if (length === 8) numbers.set(code, this.#in.u64(value));
    });
    if (!whole) return false;
    const received = numbers.get(STATISTICS_RECEIVED) ?? null;
    const accepted = numbers.get(STATISTICS_FILTER_ACCEPTED) ?? null;
    if (this.statistics.length < MAX_INTERFACES) {
      this.statistics.push({
        interfaceId: this.#base + interfaceId,
        received,
        droppedByInterface: numbers.get(STATISTICS_DROPPED) ?? null,
        droppedByFilter: received === null || accepted === null ? null : received - accepted,
        comment,
      });
    }
    return true;
  }

  /** @returns false when the list is harmed */
  #options(at: number, end: number, where: number, take: TakeOption): boolean {
    const tooLong = this.#in.options(at, end, take);
    if (tooLong < 0) return true;
    this.#harm('CAPTURE_LENGTH', where, `an option of ${tooLong} bytes does not fit into its block`);
    return false;
  }

  #fits(at: number, bytes: number, end: number): boolean {
    return at + bytes <= end;
  }

  #short(where: number, what: string): false {
    this.#harm('CAPTURE_LENGTH', where + BLOCK_LENGTH, `a ${what} block that is too short for its fields`);
    return false;
  }

  #noInterface(where: number, interfaceId: number): false {
    const text = `interface ${interfaceId} was not described; the section has ${this.interfaces.length - this.#base}`;
    this.#harm('CAPTURE_BLOCK', where, text);
    return false;
  }

  #truncated(offset: number, blockBytes: number): void {
    this.#harm('CAPTURE_TRUNCATED', offset, `the file ends within a block of ${blockBytes} bytes`);
  }

  #harm(code: CaptureDamage['code'], offset: number, text: string): 0 {
    this.damage = { code, text, offset };
    return 0;
  }
}
