/**
 * The cryptography that the record layer is given: this folder keeps sequence numbers, keys and windows, and
 * computes no cipher itself. `transport/secure-suite.ts` gives it libcrypto's; a test may give a transparent one.
 */

/** Memory that both an array and an address name: send buffers, receive buffers, guest memory. */
export interface Place {
  readonly bytes: Uint8Array;
  readonly address: number;
}

/** AES-256-GCM for one direction, record by record. The `AesGcm` of `sys` is one. */
export interface Aead {
  setKey(key: Uint8Array): void;
  /** @param nonce 12 bytes @param header authenticated, not encrypted */
  begin(nonce: Place, header: Place, headerAt: number, headerBytes: number): void;
  update(from: Place, fromAt: number, to: Place, toAt: number, length: number): void;
  /** Writes the tag, or checks it. @returns false when it is wrong */
  finish(tag: Place, tagAt: number): boolean;
  close(): void;
}

export interface RecordSuite {
  sealing(): Aead;
  opening(): Aead;
  /** HMAC-SHA-256, 32 bytes. */
  mac(key: Uint8Array, message: Uint8Array): Uint8Array;
  /** Memory at a stable address. */
  place(length: number): Place;
}

export const KEY_BYTES = 32;
export const SECRET_BYTES = 32;
export const SALT_BYTES = 12;
export const TAG_BYTES = 16;
