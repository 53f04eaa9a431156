/**
 * The datagrams of the UDP transport. SPEC.md, "The UDP transport". All fields little-endian, as page records are.
 *
 *   0      2       3         4            8              14      16
 *   │ 'LU' │ flags │ reserved│ connection │ packet number│ round │ frames …
 *   │ u16  │ u8    │ = 0     │ u32        │ u48          │ u16   │
 *
 *   PAGE 1     │ 1 │ encoding u8 │ offset u16 │ length u16 │ record bytes u16 │ pfn u32 │ version u32 │ bytes
 *   ZERO 2     │ 2 │ 0           │ count u16  │ pfn u32    │ version u32 │
 *   END 3      │ 3 │ 0 0 0       │ pages u32  │
 *   CONTROL 4  │ 4 │ fin u8      │ length u16 │ offset u48 │ 0 0 │ bytes
 *   ACK 5      │ 5 │ ranges u8   │ 0 0 │ delay µs u32 │ largest u48 │ 0 0 │ control ack u48 │ 0 0 │ window u32 │
 *              │ ranges × (received u16, missing u16), from `largest` downwards
 *   PARITY 6   │ 6 │ 0           │ length u16 │ members u32 │ first packet u48 │ XOR of lengths u16 │ bytes
 *   PROBE 7    │ 7 │ 0 0 0 │ and padding to the end of the datagram
 *   PING 8     │ 8 │ 0 0 0 │
 *   CLOSE 9    │ 9 │ 0 0 0 │
 *
 * Header and PAGE frame take 16 bytes each and records are cut at multiples of 16, so that a datagram of 1472 or of
 * 8960 bytes is filled to its last byte. Left out: authentication. An AEAD tag stands behind the frames, the
 * header is what it authenticates besides, and the packet number is its nonce: see `reservedBytes` in connection.ts
 * and `transport/datagram-seal.ts`.
 * Longer than 400 lines: writer and reader of each frame share the offsets of one format.
 */
import { PAGE_SIZE } from '../../core/index.js';

export const PACKET_HEADER_BYTES = 16;
export const PAGE_FRAME_BYTES = 16;
export const ZERO_FRAME_BYTES = 12;
export const END_FRAME_BYTES = 8;
export const CONTROL_FRAME_BYTES = 12;
export const ACK_FRAME_BYTES = 28;
export const ACK_RANGE_BYTES = 4;
export const PARITY_FRAME_BYTES = 16;
export const SHORT_FRAME_BYTES = 4;

/** Records are cut at multiples of this, so that what has come of one is a small bitmap. */
export const FRAGMENT_UNIT = 16;
/** A page and 512 bytes beside it, for what a pipeline adds: an incompressible page's header, a hash. */
export const RECORD_BYTES_MAX = 4608;
/** Ranges of one ACK. */
export const ACK_RANGES_MAX = 64;
/** The smallest and the largest datagram this format is used with. */
export const DATAGRAM_BYTES_MIN = 512;
export const DATAGRAM_BYTES_MAX = 9_200;
/** Pages that one ZERO frame names. */
export const ZERO_PAGES_MAX = 512;

/** The connection begins: on every datagram of its initiator until the peer has been heard. */
export const FLAG_OPENING = 1;
/** Sent by the side that opened the connection; the two directions never mistake each other's datagrams. */
export const FLAG_INITIATOR = 2;
/** A parity group covers this datagram: keep it until the group is complete. */
export const FLAG_PROTECTED = 4;
/** Acknowledge at once. */
export const FLAG_ACK_NOW = 8;
/** The frames are sealed and `reserved` is the key's phase: taken off before a reader sees the datagram. */
export const FLAG_SEALED = 16;
const FLAGS_KNOWN = 15;

export const FRAME_NONE = 0;
export const FRAME_PAGE = 1;
export const FRAME_ZERO = 2;
export const FRAME_END = 3;
export const FRAME_CONTROL = 4;
export const FRAME_ACK = 5;
export const FRAME_PARITY = 6;
export const FRAME_PROBE = 7;
export const FRAME_PING = 8;
export const FRAME_CLOSE = 9;
/** What `PacketReader.next` says of bytes it refuses. */
export const FRAME_BAD = -1;

/** Encodings of a page record: how its bytes become the page. Those in between are the page pipeline's. */
export const ENCODING_RAW = 0;
/** The page, and behind it its hash (lo u32, hi u32): in post-copy, where no digest of the whole follows. */
export const ENCODING_HASHED = 5;
/** Bytes of a HASHED record. */
export const HASHED_BYTES = PAGE_SIZE + 8;

/** Leading bytes of a record that are the page's own, as it stands in memory: a wire may gather them from there. */
export function bytesInMemory(encoding: number): number {
  return encoding === ENCODING_RAW || encoding === ENCODING_HASHED ? PAGE_SIZE : 0;
}

/** Whether a record of this encoding may have so many bytes; the pipeline's encodings judge for themselves. */
export function recordFits(encoding: number, recordBytes: number): boolean {
  if (encoding === ENCODING_RAW) return recordBytes === PAGE_SIZE;
  return encoding !== ENCODING_HASHED || recordBytes === HASHED_BYTES;
}

const MAGIC = 0x554c;
const MAGIC_AT = 0;
const FLAGS_AT = 2;
const RESERVED_AT = 3;
const CONNECTION_AT = 4;
const NUMBER_AT = 8;
const ROUND_AT = 14;

const TWO_32 = 0x100000000;
/** Packet numbers and stream offsets stay below 2^48: at 100 Gbit/s that many packets last a year. */
const MISSING_OR_RECEIVED_MAX = 0xffff;

/** Whether a datagram begins as those of this format do; nothing else of it is judged. */
export function isPacket(view: DataView, at: number, length: number): boolean {
  return length >= PACKET_HEADER_BYTES && view.getUint16(at + MAGIC_AT, true) === MAGIC;
}

export function packetFlags(view: DataView, at: number): number {
  return view.getUint8(at + FLAGS_AT);
}

export function packetConnection(view: DataView, at: number): number {
  return view.getUint32(at + CONNECTION_AT, true);
}

export function packetNumber(view: DataView, at: number): number {
  return getU48(view, at + NUMBER_AT);
}

/** Writes what a seal says of itself: `FLAG_SEALED` and the phase, or neither. */
export function markSealed(view: DataView, at: number, sealed: boolean, phase: number): void {
  const flags = packetFlags(view, at);
  view.setUint8(at + FLAGS_AT, sealed ? flags | FLAG_SEALED : flags & ~FLAG_SEALED);
  view.setUint8(at + RESERVED_AT, phase);
}

export function sealPhase(view: DataView, at: number): number {
  return view.getUint8(at + RESERVED_AT);
}

function setU48(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint16(at + 4, Math.floor(value / TWO_32), true);
}

function getU48(view: DataView, at: number): number {
  return view.getUint16(at + 4, true) * TWO_32 + view.getUint32(at, true);
}

export function writePacketHeader(
  view: DataView,
  at: number,
  flags: number,
  connection: number,
  number: number,
  round: number,
): void {
  view.setUint16(at + MAGIC_AT, MAGIC, true);
  view.setUint8(at + FLAGS_AT, flags);
  view.setUint8(at + RESERVED_AT, 0);
  view.setUint32(at + CONNECTION_AT, connection, true);
  setU48(view, at + NUMBER_AT, number);
  view.setUint16(at + ROUND_AT, round, true);
}

/** The bytes of the fragment follow. @param offset in the record, a multiple of FRAGMENT_UNIT */
export function writePageFrame(
  view: DataView,
  at: number,
  encoding: number,
  pfn: number,
  version: number,
  offset: number,
  length: number,
  recordBytes: number,
): void {
  view.setUint8(at, FRAME_PAGE);
  view.setUint8(at + 1, encoding);
  view.setUint16(at + 2, offset, true);
  view.setUint16(at + 4, length, true);
  view.setUint16(at + 6, recordBytes, true);
  view.setUint32(at + 8, pfn, true);
  view.setUint32(at + 12, version, true);
}

export function writeZeroFrame(
  view: DataView,
  at: number,
  pfn: number,
  count: number,
  version: number,
): void {
  view.setUint8(at, FRAME_ZERO);
  view.setUint8(at + 1, 0);
  view.setUint16(at + 2, count, true);
  view.setUint32(at + 4, pfn, true);
  view.setUint32(at + 8, version, true);
}

/** The round of the packet's header has this many pages. */
export function writeEndFrame(view: DataView, at: number, pages: number): void {
  view.setUint32(at, FRAME_END, true);
  view.setUint32(at + 4, pages, true);
}

/** The bytes follow. */
export function writeControlFrame(
  view: DataView,
  at: number,
  offset: number,
  length: number,
  fin: boolean,
): void {
  view.setUint8(at, FRAME_CONTROL);
  view.setUint8(at + 1, fin ? 1 : 0);
  view.setUint16(at + 2, length, true);
  setU48(view, at + 4, offset);
  view.setUint16(at + 10, 0, true);
}

/** PROBE, PING or CLOSE. */
export function writeShortFrame(view: DataView, at: number, kind: number): void {
  view.setUint32(at, kind, true);
}

/**
 * The XOR of the members' frames follows.
 * @param members bit i: packet `first + i` is one of the group; bit 0 is set @param length of the longest member's frames
 */
export function writeParityFrame(
  view: DataView,
  at: number,
  members: number,
  first: number,
  lengthXor: number,
  length: number,
): void {
  view.setUint8(at, FRAME_PARITY);
  view.setUint8(at + 1, 0);
  view.setUint16(at + 2, length, true);
  view.setUint32(at + 4, members, true);
  setU48(view, at + 8, first);
  view.setUint16(at + 14, lengthXor, true);
}

/** Ranges received, ascending and disjoint: `start(i)` to `end(i)`, exclusive. */
export interface Ranges {
  readonly count: number;
  start(i: number): number;
  end(i: number): number;
}

/**
 * Writes the newest ranges that fit. Needs at least one range.
 * @param room bytes there are, at least ACK_FRAME_BYTES + ACK_RANGE_BYTES
 * @returns bytes written
 */
export function writeAckFrame(
  view: DataView,
  at: number,
  room: number,
  received: Ranges,
  delayNs: number,
  controlAck: number,
  controlWindow: number,
): number {
  const most = Math.min(ACK_RANGES_MAX, Math.floor((room - ACK_FRAME_BYTES) / ACK_RANGE_BYTES));
  const last = received.count - 1;
  let ranges = 0;
  for (let i = last; i >= 0 && ranges < most; i--) {
    let length = received.end(i) - received.start(i);
    while (length > 0 && ranges < most) {
      const part = Math.min(length, MISSING_OR_RECEIVED_MAX);
      length -= part;
      let missing = 0;
      if (length === 0 && i > 0) missing = received.start(i) - received.end(i - 1);
      const rangeAt = at + ACK_FRAME_BYTES + ranges * ACK_RANGE_BYTES;
      view.setUint16(rangeAt, part, true);
      view.setUint16(rangeAt + 2, Math.min(missing, MISSING_OR_RECEIVED_MAX), true);
      ranges++;
      if (missing > MISSING_OR_RECEIVED_MAX) i = 0; // older ones are of no use to the sender any more
    }
  }
  view.setUint8(at, FRAME_ACK);
  view.setUint8(at + 1, ranges);
  view.setUint16(at + 2, 0, true);
  view.setUint32(at + 4, Math.min(0xffffffff, Math.round(delayNs / 1000)), true);
  setU48(view, at + 8, received.end(last) - 1);
  view.setUint16(at + 14, 0, true);
  setU48(view, at + 16, controlAck);
  view.setUint16(at + 22, 0, true);
  view.setUint32(at + 24, controlWindow, true);
  return ACK_FRAME_BYTES + ranges * ACK_RANGE_BYTES;
}

/**
 * Reads a datagram in place, frame by frame, without allocating. A frame is checked as a whole before its fields
 * are given; nothing it says is trusted beyond the datagram's own bytes.
 *
 *   open ─► next: PAGE … ─► next: ACK … ─► next: FRAME_NONE at the end, FRAME_BAD at bytes that are no frame
 */
export class PacketReader {
  flags = 0;
  connection = 0;
  number = 0;
  round = 0;

  /** Of the frame in hand; which of them count depends on its kind. */
  encoding = 0;
  pfn = 0;
  version = 0;
  count = 0;
  offset = 0;
  /** Bytes of the frame's own payload, and where in the view they begin. */
  length = 0;
  bytesAt = 0;
  recordBytes = 0;
  fin = false;
  delayNs = 0;
  largest = 0;
  controlAck = 0;
  controlWindow = 0;
  members = 0;
  first = 0;
  lengthXor = 0;

  #view: DataView | null = null;
  #at = 0;
  #end = 0;

  /** Begins with a datagram of `length` bytes at `at`. @returns false when it is not of this format */
  open(view: DataView, at: number, length: number): boolean {
    this.#end = 0;
    this.#at = 0;
    if (length < PACKET_HEADER_BYTES || view.getUint16(at + MAGIC_AT, true) !== MAGIC) return false;
    this.flags = view.getUint8(at + FLAGS_AT);
    if ((this.flags & ~FLAGS_KNOWN) !== 0 || view.getUint8(at + RESERVED_AT) !== 0) return false;
    this.connection = view.getUint32(at + CONNECTION_AT, true);
    this.number = getU48(view, at + NUMBER_AT);
    this.round = view.getUint16(at + ROUND_AT, true);
    this.openFrames(view, at + PACKET_HEADER_BYTES, length - PACKET_HEADER_BYTES);
    return true;
  }

  /** Begins with frames that have no header of their own: what parity gave back. */
  openFrames(view: DataView, at: number, length: number): void {
    this.#view = view;
    this.#at = at;
    this.#end = at + length;
  }

  /** The next frame's kind; FRAME_NONE at the end, FRAME_BAD (for good) at bytes that are no frame. */
  next(): number {
    const left = this.#end - this.#at;
    if (left === 0) return FRAME_NONE;
    if (left < SHORT_FRAME_BYTES) return this.#bad();
    const view = this.#view!;
    const at = this.#at;
    switch (view.getUint8(at)) {
      case FRAME_PAGE:
        if (left < PAGE_FRAME_BYTES) return this.#bad();
        this.encoding = view.getUint8(at + 1);
        this.offset = view.getUint16(at + 2, true);
        this.length = view.getUint16(at + 4, true);
        this.recordBytes = view.getUint16(at + 6, true);
        this.pfn = view.getUint32(at + 8, true);
        this.version = view.getUint32(at + 12, true);
        return this.#payload(FRAME_PAGE, PAGE_FRAME_BYTES, left, this.#fragmentFits());
      case FRAME_ZERO:
        if (left < ZERO_FRAME_BYTES) return this.#bad();
        this.count = view.getUint16(at + 2, true);
        this.pfn = view.getUint32(at + 4, true);
        this.version = view.getUint32(at + 8, true);
        this.length = 0;
        return this.#payload(
          FRAME_ZERO,
          ZERO_FRAME_BYTES,
          left,
          this.count >= 1 && this.count <= ZERO_PAGES_MAX,
        );
      case FRAME_END:
        if (left < END_FRAME_BYTES) return this.#bad();
        this.count = view.getUint32(at + 4, true);
        this.length = 0;
        return this.#payload(FRAME_END, END_FRAME_BYTES, left, true);
      case FRAME_CONTROL:
        if (left < CONTROL_FRAME_BYTES) return this.#bad();
        this.fin = view.getUint8(at + 1) === 1;
        this.length = view.getUint16(at + 2, true);
        this.offset = getU48(view, at + 4);
        return this.#payload(FRAME_CONTROL, CONTROL_FRAME_BYTES, left, true);
      case FRAME_ACK: {
        if (left < ACK_FRAME_BYTES) return this.#bad();
        this.count = view.getUint8(at + 1);
        this.delayNs = view.getUint32(at + 4, true) * 1000;
        this.largest = getU48(view, at + 8);
        this.controlAck = getU48(view, at + 16);
        this.controlWindow = view.getUint32(at + 24, true);
        this.length = this.count * ACK_RANGE_BYTES;
        const fits = this.count >= 1 && this.count <= ACK_RANGES_MAX;
        return this.#payload(FRAME_ACK, ACK_FRAME_BYTES, left, fits);
      }
      case FRAME_PARITY:
        if (left < PARITY_FRAME_BYTES) return this.#bad();
        this.length = view.getUint16(at + 2, true);
        this.members = view.getUint32(at + 4, true);
        this.first = getU48(view, at + 8);
        this.lengthXor = view.getUint16(at + 14, true);
        return this.#payload(FRAME_PARITY, PARITY_FRAME_BYTES, left, (this.members & 1) === 1);
      case FRAME_PROBE:
        this.#at = this.#end;
        return FRAME_PROBE;
      case FRAME_PING:
        this.#at += SHORT_FRAME_BYTES;
        return FRAME_PING;
      case FRAME_CLOSE:
        this.#at += SHORT_FRAME_BYTES;
        return FRAME_CLOSE;
      default:
        return this.#bad();
    }
  }

  /** Of the ACK in hand: packets received in range `i`, and missing below it. */
  rangeReceived(i: number): number {
    return this.#view!.getUint16(this.bytesAt + i * ACK_RANGE_BYTES, true);
  }

  rangeMissing(i: number): number {
    return this.#view!.getUint16(this.bytesAt + i * ACK_RANGE_BYTES + 2, true);
  }

  #fragmentFits(): boolean {
    const end = this.offset + this.length;
    return (
      this.length > 0 &&
      this.offset % FRAGMENT_UNIT === 0 &&
      this.recordBytes <= RECORD_BYTES_MAX &&
      (end === this.recordBytes || (end < this.recordBytes && this.length % FRAGMENT_UNIT === 0))
    );
  }

  #payload(kind: number, headerBytes: number, left: number, valid: boolean): number {
    if (!valid || headerBytes + this.length > left) return this.#bad();
    this.bytesAt = this.#at + headerBytes;
    this.#at = this.bytesAt + this.length;
    return kind;
  }

  #bad(): number {
    this.#end = this.#at + 1;
    return FRAME_BAD;
  }
}
