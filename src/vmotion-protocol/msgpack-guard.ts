/**
 * Looks over MessagePack bytes before the decoder sees them. A decoder believes an array header that
 * says "two hundred million elements" and allocates them; this walk believes nothing.
 *
 * Accepted: one map with text keys, nested at most `DEPTH_MAX` deep, of integers, floats, booleans,
 * nil, text and binary, each of which ends inside the bytes, and nothing after the map.
 * Refused: arrays, extension types, more than `ENTRIES_MAX` entries a map.
 * Source: the MessagePack specification (msgpack.org), "Formats".
 */
const DEPTH_MAX = 3;
const ENTRIES_MAX = 32;

/**
 * @returns -1 when the bytes are well formed, else the offset of the first byte that is not.
 * O(values); allocates nothing.
 */
export function findMsgpackFault(bytes: Uint8Array): number {
  if (bytes.length === 0) return 0;
  const end = walkMap(bytes, 0, 0);
  if (end < 0) return -1 - end;
  return end === bytes.length ? -1 : end;
}

/** @returns the offset after the map, or -1 - offset of the fault. */
function walkMap(b: Uint8Array, at: number, depth: number): number {
  const tag = b[at]!;
  let entries: number;
  let next: number;
  if (tag >= 0x80 && tag <= 0x8f) {
    entries = tag & 0x0f;
    next = at + 1;
  } else if (tag === 0xde && at + 3 <= b.length) {
    entries = (b[at + 1]! << 8) | b[at + 2]!;
    next = at + 3;
  } else return -1 - at;
  if (entries > ENTRIES_MAX || depth >= DEPTH_MAX) return -1 - at;
  for (let i = 0; i < entries; i++) {
    if (next >= b.length || !isText(b[next]!)) return -1 - Math.min(next, b.length);
    const key = walkScalar(b, next);
    if (key < 0) return key;
    if (key >= b.length) return -1 - b.length;
    next = isMap(b[key]!) ? walkMap(b, key, depth + 1) : walkScalar(b, key);
    if (next < 0) return next;
  }
  return next;
}

function isMap(tag: number): boolean {
  return (tag & 0xf0) === 0x80 || tag === 0xde;
}

function isText(tag: number): boolean {
  return (tag & 0xe0) === 0xa0 || tag === 0xd9 || tag === 0xda || tag === 0xdb;
}

/** @returns the offset after the value at `at`, or -1 - at. */
function walkScalar(b: Uint8Array, at: number): number {
  const size = scalarBytes(b, at);
  return size < 0 || at + size > b.length ? -1 - at : at + size;
}

/** Bytes of the value at `at` with its tag and length field; -1 for a format that is not accepted. */
function scalarBytes(b: Uint8Array, at: number): number {
  const tag = b[at]!;
  if (tag < 0x80 || tag >= 0xe0) return 1; // fixint, negative fixint
  if ((tag & 0xe0) === 0xa0) return 1 + (tag & 0x1f); // fixstr
  switch (tag) {
    case 0xc0: // nil
    case 0xc2: // false
    case 0xc3: // true
      return 1;
    case 0xc4: // bin 8
    case 0xd9: // str 8
      return 2 + lengthAt(b, at + 1, 1);
    case 0xc5: // bin 16
    case 0xda: // str 16
      return 3 + lengthAt(b, at + 1, 2);
    case 0xc6: // bin 32
    case 0xdb: // str 32
      return 5 + lengthAt(b, at + 1, 4);
    case 0xcc: // uint 8
    case 0xd0: // int 8
      return 2;
    case 0xcd: // uint 16
    case 0xd1: // int 16
      return 3;
    case 0xca: // float 32
    case 0xce: // uint 32
    case 0xd2: // int 32
      return 5;
    case 0xcb: // float 64
    case 0xcf: // uint 64
    case 0xd3: // int 64
      return 9;
    default: // maps stand elsewhere; arrays, extensions and 0xc1 are refused
      return -1;
  }
}

/** A big-endian length; `Infinity` when it is itself cut off, so that the caller finds it too long. */
function lengthAt(b: Uint8Array, at: number, bytes: number): number {
  if (at + bytes > b.length) return Number.POSITIVE_INFINITY;
  let n = 0;
  for (let i = 0; i < bytes; i++) n = n * 256 + b[at + i]!;
  return n;
}
