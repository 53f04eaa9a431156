/**
 * Sealed records on an ordered byte stream, one direction: the number of a record is its place in the order, so a
 * record that is dropped, repeated or moved does not open, and neither does any after it. RFC 8446, 5.2 and 5.3.
 */
import { TrafficKey, useKey } from './key-schedule.js';
import { KEY_LIMITS, type KeyLimits, KeyUsage } from './key-usage.js';
import {
  RECORD_HEADER_BYTES,
  RECORD_OVERHEAD,
  RECORD_SEALED,
  securePhase,
  secureRecordBytes,
  writeSecureHeader,
} from './record-header.js';
import { type Aead, type Place, type RecordSuite, TAG_BYTES } from './suite.js';

/** Seals: `begin`, as many `add`s as the plaintext has pieces, `end`. */
export class StreamSealer {
  readonly #traffic: TrafficKey;
  readonly #cipher: Aead;
  readonly #usage: KeyUsage;
  readonly #out: Place;
  readonly #view: DataView;
  #number = 0;
  /** Where the next ciphertext goes. */
  #at = 0;

  /** @param secret traffic secret of this direction; the sealer's from now on @param out where records are built */
  constructor(suite: RecordSuite, secret: Uint8Array, out: Place, limits: KeyLimits = KEY_LIMITS) {
    this.#traffic = new TrafficKey(suite, secret);
    this.#cipher = suite.sealing();
    this.#usage = new KeyUsage(limits);
    this.#out = out;
    this.#view = new DataView(out.bytes.buffer, out.bytes.byteOffset, out.bytes.length);
    useKey(this.#cipher, this.#traffic);
  }

  /** Records sealed. */
  get records(): number {
    return this.#number;
  }

  /** Keys left behind, modulo 256. */
  get phase(): number {
    return this.#traffic.phase;
  }

  /** Begins a record at `at` of the send buffer. @param length of the plaintext, 1..RECORD_BODY_MAX */
  begin(at: number, length: number): void {
    if (this.#usage.due(length)) {
      this.#traffic.advance();
      useKey(this.#cipher, this.#traffic);
      this.#usage.reset();
    }
    writeSecureHeader(this.#view, at, RECORD_SEALED, this.#traffic.phase, length);
    this.#traffic.setNumber(this.#number);
    this.#cipher.begin(this.#traffic.nonce, this.#out, at, RECORD_HEADER_BYTES);
    this.#usage.count(length);
    this.#number++;
    this.#at = at + RECORD_HEADER_BYTES;
  }

  /** Encrypts a piece of the plaintext into the send buffer; the piece itself is only read, once. */
  add(from: Place, fromAt: number, length: number): void {
    this.#cipher.update(from, fromAt, this.#out, this.#at, length);
    this.#at += length;
  }

  /** @returns where the record ends in the send buffer */
  end(): number {
    this.#cipher.finish(this.#out, this.#at);
    this.#at += TAG_BYTES;
    return this.#at;
  }

  close(): void {
    this.#cipher.close();
    this.#traffic.wipe();
  }
}

/** Opens records in the order in which they were sealed. */
export class StreamOpener {
  readonly #traffic: TrafficKey;
  readonly #cipher: Aead;
  readonly #buffer: Place;
  readonly #view: DataView;
  #number = 0;
  #forged = false;

  /** @param secret traffic secret of this direction; the opener's from now on @param buffer where records come in */
  constructor(suite: RecordSuite, secret: Uint8Array, buffer: Place) {
    this.#traffic = new TrafficKey(suite, secret);
    this.#cipher = suite.opening();
    this.#buffer = buffer;
    this.#view = new DataView(buffer.bytes.buffer, buffer.bytes.byteOffset, buffer.bytes.length);
    useKey(this.#cipher, this.#traffic);
  }

  /** Records opened. */
  get records(): number {
    return this.#number;
  }

  /**
   * Opens the sealed record at `at`, in place: its plaintext then stands behind the header.
   * @param at of a whole record, as `secureRecordBytes` measured it
   * @returns bytes of plaintext; -1 when it is not authentic: then nothing more opens
   */
  open(at: number): number {
    if (this.#forged) return -1;
    const length = secureRecordBytes(this.#view, at) - RECORD_OVERHEAD;
    const phase = securePhase(this.#view, at);
    if (phase !== this.#traffic.phase) {
      // The sender's next key, or a forgery: either way there is no going back, a stream has no second try.
      if (phase !== ((this.#traffic.phase + 1) & 0xff)) return this.#refuse();
      this.#traffic.advance();
      useKey(this.#cipher, this.#traffic);
    }
    this.#traffic.setNumber(this.#number);
    const body = at + RECORD_HEADER_BYTES;
    this.#cipher.begin(this.#traffic.nonce, this.#buffer, at, RECORD_HEADER_BYTES);
    this.#cipher.update(this.#buffer, body, this.#buffer, body, length);
    if (!this.#cipher.finish(this.#buffer, body + length)) return this.#refuse();
    this.#number++;
    return length;
  }

  close(): void {
    this.#forged = true;
    this.#cipher.close();
    this.#traffic.wipe();
  }

  #refuse(): number {
    this.#forged = true;
    return -1;
  }
}
