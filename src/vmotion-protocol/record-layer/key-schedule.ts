/**
 * From the secret of a session to the keys of a record.
 *
 *   run key ──┬─ "psk a to b"   ─► TLS 1.3 pre-shared key of the direction in which links are opened
 *             └─ "knock a to b" ─► key of the greetings that begin a session
 *   TLS exporter ─► session secret ──┬─ "name"             ─► the session's public name
 *                                    ├─ "join"             ─► key of the greetings that join it
 *                                    ├─ "opener"   + nonce ─► traffic secret 0 ─ "rekey" ─► secret 1 ─ "rekey" ─► …
 *                                    └─ "acceptor" + nonce ─►      …                │
 *                                                                                   ├─ "key"  ─► AES-256 key
 *                                                                                   └─ "salt" ─► 12 bytes
 *   nonce of a record = salt xor its number (RFC 8446, 5.3)
 *
 * Every arrow is HKDF-Expand-Label with SHA-256 (RFC 8446, 7.1; HKDF-Expand of RFC 5869, 2.3) under a prefix of our
 * own. A traffic secret is replaced by its successor and wiped, so that a key taken later opens nothing earlier (as
 * TLS's KeyUpdate, 7.2).
 */
import { KEY_BYTES, type Place, type RecordSuite, SALT_BYTES, SECRET_BYTES } from './suite.js';

const PREFIX = 'longhaul 1 ';
const HASH_BYTES = 32;
const NOTHING = new Uint8Array(0);
const text = new TextEncoder();

/**
 * HKDF-Expand-Label.
 * @param label and context, 0..255 bytes each, say what the result is for
 * @param length 1..8160 bytes
 */
export function expandLabel(
  suite: RecordSuite,
  secret: Uint8Array,
  label: string,
  context: Uint8Array = NOTHING,
  length = SECRET_BYTES,
): Uint8Array {
  const name = text.encode(PREFIX + label);
  const info = new Uint8Array(2 + 1 + name.length + 1 + context.length);
  new DataView(info.buffer).setUint16(0, length);
  info[2] = name.length;
  info.set(name, 3);
  info[3 + name.length] = context.length;
  info.set(context, 4 + name.length);
  return hkdfExpand(suite, secret, info, length);
}

/** RFC 5869, 2.3. */
export function hkdfExpand(
  suite: RecordSuite,
  secret: Uint8Array,
  info: Uint8Array,
  length: number,
): Uint8Array {
  const out = new Uint8Array(length);
  let block: Uint8Array = NOTHING;
  for (let at = 0, i = 1; at < length; at += HASH_BYTES, i++) {
    const message = new Uint8Array(block.length + info.length + 1);
    message.set(block);
    message.set(info, block.length);
    message[message.length - 1] = i;
    block = suite.mac(secret, message);
    out.set(block.subarray(0, Math.min(HASH_BYTES, length - at)), at);
  }
  return out;
}

/** One direction's chain of traffic secrets: the secret in hand, its phase, and the nonces under it. */
export class TrafficKey {
  readonly nonce: Place;
  readonly #suite: RecordSuite;
  readonly #view: DataView;
  #secret: Uint8Array;
  #saltLow = 0;
  #saltHigh = 0;
  #phase = 0;

  /** @param secret 32 bytes; this object's from now on */
  constructor(suite: RecordSuite, secret: Uint8Array) {
    this.#suite = suite;
    this.#secret = secret;
    this.nonce = suite.place(SALT_BYTES);
    this.#view = new DataView(this.nonce.bytes.buffer, this.nonce.bytes.byteOffset, SALT_BYTES);
    this.#resalt();
  }

  /** How often the secret was replaced, modulo 256: it stands in every header. */
  get phase(): number {
    return this.#phase;
  }

  /** A fresh copy of the phase's AES key: hand it to a cipher and wipe it. */
  key(): Uint8Array {
    return expandLabel(this.#suite, this.#secret, 'key', NOTHING, KEY_BYTES);
  }

  /** The next phase: the old secret is gone. */
  advance(): void {
    const next = expandLabel(this.#suite, this.#secret, 'rekey');
    this.#secret.fill(0);
    this.#secret = next;
    this.#phase = (this.#phase + 1) & 0xff;
    this.#resalt();
  }

  /** The chain one phase further, beside this one. */
  successor(): TrafficKey {
    const next = new TrafficKey(this.#suite, this.#secret.slice());
    next.#phase = this.#phase;
    next.advance();
    return next;
  }

  /** Makes `nonce` that of a record. @param number below 2^53 */
  setNumber(number: number): void {
    this.#view.setUint32(4, this.#saltHigh ^ Math.floor(number / 0x100000000));
    this.#view.setUint32(8, this.#saltLow ^ (number >>> 0));
  }

  wipe(): void {
    this.#secret.fill(0);
    this.nonce.bytes.fill(0);
  }

  #resalt(): void {
    const salt = expandLabel(this.#suite, this.#secret, 'salt', NOTHING, SALT_BYTES);
    this.nonce.bytes.set(salt);
    this.#saltHigh = this.#view.getUint32(4);
    this.#saltLow = this.#view.getUint32(8);
  }
}

/** Gives a cipher the phase's key and wipes the copy. */
export function useKey(cipher: { setKey(key: Uint8Array): void }, traffic: TrafficKey): void {
  const key = traffic.key();
  cipher.setKey(key);
  key.fill(0);
}
