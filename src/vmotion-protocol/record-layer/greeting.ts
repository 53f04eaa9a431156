/**
 * The first bytes on a secured link. Who cannot make them hears nothing and costs one HMAC. SPEC.md, "Security".
 *
 *   0        4      5        6          8            24         40       56
 *   │ 'LHVS' │ kind │ from   │ reserved │ session 16 │ nonce 16 │ MAC 16 │
 *
 *   BEGIN 1   a TLS 1.3 handshake follows; session is zeros; MAC under the run's knock key
 *   JOIN 2    sealed records follow at once; MAC under the named session's join key
 *
 * `from` is the site that opens the link: both hosts hold the same run key, and a greeting reflected to its sender
 * must not be taken for the peer's (RFC 9257, 6). The nonce makes the keys of each link, so it opens one link only:
 * `NonceMemory` refuses it the second time, one for all that begins and one of each session for what joins it.
 */
import type { RecordSuite } from './suite.js';

export const GREETING_BYTES = 56;
export const GREETING_BEGIN = 1;
export const GREETING_JOIN = 2;
export const SESSION_NAME_BYTES = 16;
export const NONCE_BYTES = 16;

const MAGIC = 0x4c485653;
const KIND_AT = 4;
const FROM_AT = 5;
const RESERVED_AT = 6;
const SESSION_AT = 8;
const NONCE_AT = 24;
const MAC_AT = 40;
const MAC_BYTES = 16;

export type SiteName = 'a' | 'b';

export interface Greeting {
  readonly kind: typeof GREETING_BEGIN | typeof GREETING_JOIN;
  readonly from: SiteName;
  /** 16 bytes, zeros in BEGIN. */
  readonly session: Uint8Array;
  /** 16 random bytes, never used before. */
  readonly nonce: Uint8Array;
}

/** @param key the knock key or the session's join key */
export function encodeGreeting(suite: RecordSuite, greeting: Greeting, key: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(GREETING_BYTES);
  new DataView(bytes.buffer).setUint32(0, MAGIC);
  bytes[KIND_AT] = greeting.kind;
  bytes[FROM_AT] = greeting.from.charCodeAt(0);
  bytes.set(greeting.session, SESSION_AT);
  bytes.set(greeting.nonce, NONCE_AT);
  bytes.set(suite.mac(key, bytes.subarray(0, MAC_AT)).subarray(0, MAC_BYTES), MAC_AT);
  return bytes;
}

/** What the bytes claim to be, nothing of it proven; null when they are no greeting. */
export function decodeGreeting(bytes: Uint8Array): Greeting | null {
  if (bytes.length < GREETING_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, GREETING_BYTES);
  const kind = view.getUint8(KIND_AT);
  const from = String.fromCharCode(view.getUint8(FROM_AT));
  if (view.getUint32(0) !== MAGIC || view.getUint16(RESERVED_AT) !== 0) return null;
  if ((kind !== GREETING_BEGIN && kind !== GREETING_JOIN) || (from !== 'a' && from !== 'b')) return null;
  return {
    kind,
    from,
    session: bytes.slice(SESSION_AT, NONCE_AT),
    nonce: bytes.slice(NONCE_AT, MAC_AT),
  };
}

/** Whether the greeting was made with this key. The comparison takes the same time wherever they differ. */
export function greetingIsAuthentic(suite: RecordSuite, bytes: Uint8Array, key: Uint8Array): boolean {
  const mac = suite.mac(key, bytes.subarray(0, MAC_AT));
  let difference = 0;
  for (let i = 0; i < MAC_BYTES; i++) difference |= mac[i]! ^ bytes[MAC_AT + i]!;
  return difference === 0;
}

/**
 * Nonces that have opened a link. What is to happen beyond `max` differs. A BEGIN that comes again leads to a new
 * handshake, which whoever recorded the old one cannot end: the oldest nonce is forgotten. A JOIN that comes again would
 * lead to the same keys, and to nonces used twice under them: then no more are taken.
 */
export class NonceMemory {
  readonly #full: 'forget' | 'refuse';
  readonly #max: number;
  readonly #seen = new Set<string>();

  constructor(full: 'forget' | 'refuse', max = 4096) {
    this.#full = full;
    this.#max = max;
  }

  /** @returns false when the nonce was taken before, or no more are taken. Only for greetings found authentic: others fill no memory. */
  take(nonce: Uint8Array): boolean {
    const name = String.fromCharCode(...nonce);
    if (this.#seen.has(name)) return false;
    if (this.#seen.size === this.#max) {
      if (this.#full === 'refuse') return false;
      this.#seen.delete(this.#seen.values().next().value!);
    }
    this.#seen.add(name);
    return true;
  }
}
