/**
 * The first bytes on every link say what it is, so that one port serves control and pages.
 *
 *   0      4      5        6             8                 24
 *   │ LHVM │ kind │ stream │ attempt BE │ migration id 16 B │        SPEC.md, "Links"
 */
export const PREAMBLE_BYTES = 24;
const MAGIC = 0x4c48564d;
/** The kind on the wire is the place in this list. */
const KINDS = [null, 'control', 'pages', 'demand'] as const;

export interface Preamble {
  /** `demand`: pages that the guest waits for, and the requests for them the other way. */
  readonly kind: 'control' | 'pages' | 'demand';
  /** Number of the page stream, from 0; 0 on the other kinds. */
  readonly stream: number;
  /** Counts the control links of a migration, from 0; page and demand links carry that of theirs. */
  readonly attempt: number;
  readonly migrationId: Uint8Array;
}

export function encodePreamble(p: Preamble): Uint8Array {
  const bytes = new Uint8Array(PREAMBLE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, false);
  view.setUint16(6, p.attempt, false);
  bytes[4] = KINDS.indexOf(p.kind);
  bytes[5] = p.stream;
  bytes.set(p.migrationId, 8);
  return bytes;
}

/** Null when the bytes are not a preamble of this protocol: the link is closed without a word. */
export function decodePreamble(bytes: Uint8Array): Preamble | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < PREAMBLE_BYTES || view.getUint32(0, false) !== MAGIC) return null;
  const kind = KINDS[bytes[4]!] ?? null;
  if (kind === null || bytes[5]! > 15) return null;
  const attempt = view.getUint16(6, false);
  return { kind, stream: bytes[5]!, attempt, migrationId: bytes.slice(8, PREAMBLE_BYTES) };
}
