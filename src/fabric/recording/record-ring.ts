/**
 * The ring through which the fabric's thread hands what it saw to the thread that writes it: one writer, one reader,
 * a fixed size, and neither waits for the other.
 *
 *   control: │ head u32 │ tail u32 │ sleeping u32 │        positions in bytes, counted on for ever (mod 2^32)
 *   record:  │ size u32 │ kind u8 │ direction u8 │ interface u16 │ at f64 │ packet id f64 │ frame bytes u32 │
 *            │ reason u16 │ offload 10 B │ kept bytes u32 │ unrecorded u32 │ kept bytes …, padded to 8
 *
 * A record lies in one piece: what does not fit before the end of the store goes to its beginning, after a record of
 * kind `PAD`. A record for which there is no room is not written and the caller counts it.
 */
import type { Frame } from '../../core/index.js';

/** A power of two: some ten milliseconds of a 10 Gbit/s link seen at four places. */
const STORE_BYTES = 2 ** 26;
/** A ring that is a quarter full wakes its reader, and is emptied whatever was to be held back. */
const CROWDED_SHIFT = 2;
const CONTROL_BYTES = 64;
const HEAD = 0;
const TAIL = 1;
const SLEEPING = 2;

export const KIND_FRAME = 1;
export const KIND_INTERFACE = 2;
export const KIND_EVENT = 3;
const KIND_PAD = 4;

const SIZE = 0;
const KIND = 4;
const DIRECTION = 5;
const INTERFACE = 6;
const AT = 8;
const PACKET_ID = 16;
const FRAME_BYTES = 24;
const REASON = 28;
const FLAGS = 30;
const GSO_TYPE = 31;
const HEADER_BYTES = 32;
const GSO_SIZE = 34;
const CSUM_START = 36;
const CSUM_OFFSET = 38;
const KEPT_BYTES = 40;
const UNRECORDED = 44;
const DATA = 48;

const LITTLE = true;

/** Memory for a ring. @param bytes a power of two, for tests; left out, what a recording uses */
export function newRingMemory(bytes = STORE_BYTES): SharedArrayBuffer {
  return new SharedArrayBuffer(CONTROL_BYTES + bytes);
}

/** The fabric's end. */
export class RingWriter {
  readonly #control: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #capacity: number;
  #head: number;

  constructor(memory: SharedArrayBuffer) {
    this.#control = new Int32Array(memory, 0, 4);
    this.#bytes = new Uint8Array(memory, CONTROL_BYTES);
    this.#view = new DataView(memory, CONTROL_BYTES);
    this.#capacity = this.#bytes.length;
    this.#head = Atomics.load(this.#control, HEAD) >>> 0;
  }

  /**
   * @param direction 0 none, 1 in, 2 out
   * @param reason index of why it was dropped; 0 when it was not
   * @param keptBytes how much of the frame is kept, from its beginning
   * @param unrecorded how many of this interface went before it and were not recorded
   * @returns false when there is no room: nothing was written
   */
  frame(
    interfaceId: number,
    direction: number,
    atNs: number,
    packetId: number,
    frame: Frame,
    reason: number,
    keptBytes: number,
    unrecorded: number,
  ): boolean {
    const at = this.#begin(KIND_FRAME, interfaceId, atNs, keptBytes);
    if (at < 0) return false;
    const view = this.#view;
    const { data, start, length, offload } = frame;
    view.setUint8(at + DIRECTION, direction);
    view.setFloat64(at + PACKET_ID, packetId, LITTLE);
    view.setUint32(at + FRAME_BYTES, length, LITTLE);
    view.setUint16(at + REASON, reason, LITTLE);
    view.setUint8(at + FLAGS, offload.flags);
    view.setUint8(at + GSO_TYPE, offload.gsoType);
    view.setUint16(at + HEADER_BYTES, offload.hdrLen, LITTLE);
    view.setUint16(at + GSO_SIZE, offload.gsoSize, LITTLE);
    view.setUint16(at + CSUM_START, offload.csumStart, LITTLE);
    view.setUint16(at + CSUM_OFFSET, offload.csumOffset, LITTLE);
    view.setUint32(at + UNRECORDED, unrecorded, LITTLE);
    copy(data, start, this.#bytes, at + DATA, keptBytes);
    this.#publish();
    return true;
  }

  /** A text: an interface's description, or an event. @returns false when there is no room */
  text(
    kind: typeof KIND_INTERFACE | typeof KIND_EVENT,
    interfaceId: number,
    atNs: number,
    text: string,
  ): boolean {
    const bytes = new TextEncoder().encode(text);
    const at = this.#begin(kind, interfaceId, atNs, bytes.length);
    if (at < 0) return false;
    this.#bytes.set(bytes, at + DATA);
    this.#publish();
    return true;
  }

  /** Room for a record, its first fields filled in; -1 when there is none. */
  #begin(kind: number, interfaceId: number, atNs: number, keptBytes: number): number {
    const size = (DATA + keptBytes + 7) & ~7;
    const capacity = this.#capacity;
    const used = (this.#head - Atomics.load(this.#control, TAIL)) >>> 0;
    let at = this.#head & (capacity - 1);
    const tillEnd = capacity - at;
    const pad = size > tillEnd ? tillEnd : 0;
    if (used + pad + size > capacity) return -1;
    const view = this.#view;
    if (pad > 0) {
      view.setUint32(at + SIZE, pad, LITTLE);
      view.setUint8(at + KIND, KIND_PAD);
      at = 0;
    }
    view.setUint32(at + SIZE, size, LITTLE);
    view.setUint8(at + KIND, kind);
    view.setUint16(at + INTERFACE, interfaceId, LITTLE);
    view.setFloat64(at + AT, atNs, LITTLE);
    view.setUint32(at + KEPT_BYTES, keptBytes, LITTLE);
    this.#head = (this.#head + pad + size) >>> 0;
    return at;
  }

  /** Lets the reader see it; wakes it where it sleeps and a quarter is full, which costs a system call. */
  #publish(): void {
    Atomics.store(this.#control, HEAD, this.#head | 0);
    const used = (this.#head - Atomics.load(this.#control, TAIL)) >>> 0;
    if (used < this.#capacity >>> CROWDED_SHIFT || Atomics.load(this.#control, SLEEPING) === 0) return;
    Atomics.store(this.#control, SLEEPING, 0);
    Atomics.notify(this.#control, SLEEPING);
  }
}

/** The writing thread's end: records are looked at where they lie, and given back from the oldest on. */
export class RingReader {
  readonly bytes: Uint8Array;
  readonly #control: Int32Array;
  readonly #view: DataView;
  readonly #capacity: number;
  #scanned: number;

  constructor(memory: SharedArrayBuffer) {
    this.#control = new Int32Array(memory, 0, 4);
    this.bytes = new Uint8Array(memory, CONTROL_BYTES);
    this.#view = new DataView(memory, CONTROL_BYTES);
    this.#capacity = this.bytes.length;
    this.#scanned = Atomics.load(this.#control, TAIL) >>> 0;
  }

  /** The position of the next record that was not looked at; -1 when there is none. */
  scan(): number {
    for (;;) {
      if (this.#scanned === Atomics.load(this.#control, HEAD) >>> 0) return -1;
      const position = this.#scanned;
      const at = position & (this.#capacity - 1);
      this.#scanned = (position + this.#view.getUint32(at + SIZE, LITTLE)) >>> 0;
      if (this.#view.getUint8(at + KIND) !== KIND_PAD) return position;
    }
  }

  /** Gives back all before `position`; all that was looked at when it is -1. */
  free(position: number): void {
    Atomics.store(this.#control, TAIL, (position < 0 ? this.#scanned : position) | 0);
  }

  /** Whether the ring is so full that what is held back has to go. */
  get isCrowded(): boolean {
    const used = (Atomics.load(this.#control, HEAD) - Atomics.load(this.#control, TAIL)) >>> 0;
    return used >= this.#capacity >>> CROWDED_SHIFT;
  }

  /** Sleeps, at most this long, until the ring fills. */
  sleep(limitMs: number): void {
    Atomics.store(this.#control, SLEEPING, 1);
    Atomics.wait(this.#control, SLEEPING, 1, limitMs);
    Atomics.store(this.#control, SLEEPING, 0);
  }

  kind(position: number): number {
    return this.#view.getUint8(this.#at(position) + KIND);
  }

  /** 0 none, 1 in, 2 out. */
  direction(position: number): number {
    return this.#view.getUint8(this.#at(position) + DIRECTION);
  }

  interfaceId(position: number): number {
    return this.#view.getUint16(this.#at(position) + INTERFACE, LITTLE);
  }

  atNs(position: number): number {
    return this.#view.getFloat64(this.#at(position) + AT, LITTLE);
  }

  packetId(position: number): number {
    return this.#view.getFloat64(this.#at(position) + PACKET_ID, LITTLE);
  }

  reason(position: number): number {
    return this.#view.getUint16(this.#at(position) + REASON, LITTLE);
  }

  unrecorded(position: number): number {
    return this.#view.getUint32(this.#at(position) + UNRECORDED, LITTLE);
  }

  frameBytes(position: number): number {
    return this.#view.getUint32(this.#at(position) + FRAME_BYTES, LITTLE);
  }

  keptBytes(position: number): number {
    return this.#view.getUint32(this.#at(position) + KEPT_BYTES, LITTLE);
  }

  /** Where in `bytes` the kept bytes begin. */
  dataAt(position: number): number {
    return this.#at(position) + DATA;
  }

  /** The record as the frame it was; its bytes are the ring's. */
  frame(position: number): Frame {
    const at = this.#at(position);
    const view = this.#view;
    return {
      data: this.bytes,
      start: at + DATA,
      length: this.keptBytes(position),
      offload: {
        flags: view.getUint8(at + FLAGS),
        gsoType: view.getUint8(at + GSO_TYPE),
        hdrLen: view.getUint16(at + HEADER_BYTES, LITTLE),
        gsoSize: view.getUint16(at + GSO_SIZE, LITTLE),
        csumStart: view.getUint16(at + CSUM_START, LITTLE),
        csumOffset: view.getUint16(at + CSUM_OFFSET, LITTLE),
      },
    };
  }

  text(position: number): string {
    const at = this.dataAt(position);
    return new TextDecoder().decode(this.bytes.slice(at, at + this.keptBytes(position)));
  }

  #at(position: number): number {
    return position & (this.#capacity - 1);
  }
}

/** Below this many bytes a loop is quicker than the view that `set` wants. */
const LOOP_BYTES = 96;

function copy(from: Uint8Array, start: number, to: Uint8Array, at: number, count: number): void {
  if (count <= LOOP_BYTES) for (let i = 0; i < count; i++) to[at + i] = from[start + i]!;
  else to.set(from.subarray(start, start + count), at);
}
