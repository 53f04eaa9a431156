/**
 * Big-endian integers in byte arrays, and the shape every decoder of this folder answers with.
 *
 * Plain shifts on the `Uint8Array` rather than a `DataView`: a frame crosses the bridge in well under a
 * microsecond, and a view object per frame would be most of what it costs. None of these functions checks
 * bounds; the decoder that calls them has compared the length first.
 */

/** What a decoder says: the value, or why not and at which offset of the buffer. */
export type Decoded<T, Code extends string> = { readonly ok: true; readonly value: T } | Refused<Code>;

export interface Refused<Code extends string> {
  readonly ok: false;
  readonly code: Code;
  /** Offset in the buffer of the byte or field that is wrong or missing. */
  readonly at: number;
}

export function decoded<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

export function refused<Code extends string>(code: Code, at: number): Refused<Code> {
  return { ok: false, code, at };
}

export function readU16(b: Uint8Array, at: number): number {
  return (b[at]! << 8) | b[at + 1]!;
}

export function readU32(b: Uint8Array, at: number): number {
  return ((b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!) >>> 0;
}

/** A 48-bit integer: exact in a double. */
export function readU48(b: Uint8Array, at: number): number {
  return readU16(b, at) * 0x1_0000_0000 + readU32(b, at + 2);
}

export function writeU16(b: Uint8Array, at: number, value: number): void {
  b[at] = value >>> 8;
  b[at + 1] = value;
}

/** @param value any integer; its low 32 bits are written */
export function writeU32(b: Uint8Array, at: number, value: number): void {
  b[at] = value >>> 24;
  b[at + 1] = value >>> 16;
  b[at + 2] = value >>> 8;
  b[at + 3] = value;
}

export function writeU48(b: Uint8Array, at: number, value: number): void {
  writeU16(b, at, Math.floor(value / 0x1_0000_0000));
  writeU32(b, at + 2, value % 0x1_0000_0000);
}
