/**
 * The first bytes on every link say what it is, so that one port serves control and pages.
 *
 *   0      4      5        6          8                 24
 *   │ LHVM │ kind │ stream │ reserved │ migration id 16 B │        SPEC.md, "Links"
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
  readonly migrationId: Uint8Array;
}

export function encodePreamble(p: Preamble): Uint8Array {
  const bytes = new Uint8Array(PREAMBLE_BYTES);
  new DataView(bytes.buffer).setUint32(0, MAGIC, false);
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
  return { kind, stream: bytes[5]!, migrationId: bytes.slice(8, PREAMBLE_BYTES) };
}
