/**
 * The header of every record on a secured byte stream. SPEC.md, "Security".
 *
 *   0      1       2          4            8
 *   │ kind │ phase │ reserved │ length u32 │ length bytes │ tag 16 (sealed only)
 *
 *   HANDSHAKE 1   TLS 1.3 bytes, only until both sides have the session's secret; not ours to read
 *   SEALED 2      ciphertext and tag; the whole header is authenticated, the number is implied by the order
 *
 * Big-endian, as the control messages that it carries.
 */
import { TAG_BYTES } from './suite.js';

export const RECORD_HEADER_BYTES = 8;
/** Plaintext of one record at most: sixteen pages. Longer ones gain nothing, shorter ones cost calls. */
export const RECORD_BODY_MAX = 65_536;
/** What sealing adds. */
export const RECORD_OVERHEAD = RECORD_HEADER_BYTES + TAG_BYTES;
export const SEALED_RECORD_MAX = RECORD_OVERHEAD + RECORD_BODY_MAX;

export const RECORD_HANDSHAKE = 1;
export const RECORD_SEALED = 2;

const KIND_AT = 0;
const PHASE_AT = 1;
const RESERVED_AT = 2;
const LENGTH_AT = 4;

export function writeSecureHeader(
  view: DataView,
  at: number,
  kind: number,
  phase: number,
  length: number,
): void {
  view.setUint8(at + KIND_AT, kind);
  view.setUint8(at + PHASE_AT, phase);
  view.setUint16(at + RESERVED_AT, 0);
  view.setUint32(at + LENGTH_AT, length);
}

export function secureKind(view: DataView, at: number): number {
  return view.getUint8(at + KIND_AT);
}

export function securePhase(view: DataView, at: number): number {
  return view.getUint8(at + PHASE_AT);
}

/**
 * Bytes of the whole record, header and tag included; -1 when no record of this layer begins so. Nothing is
 * reserved for a length before it was found to be in range.
 */
export function secureRecordBytes(view: DataView, at: number): number {
  const kind = view.getUint8(at + KIND_AT);
  const length = view.getUint32(at + LENGTH_AT);
  if (length < 1 || length > RECORD_BODY_MAX || view.getUint16(at + RESERVED_AT) !== 0) return -1;
  if (kind === RECORD_SEALED) return RECORD_OVERHEAD + length;
  return kind === RECORD_HANDSHAKE ? RECORD_HEADER_BYTES + length : -1;
}
