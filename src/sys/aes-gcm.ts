/**
 * AES-256-GCM (NIST SP 800-38D) record by record: by OpenSSL's EVP on addresses where Node shows it, else by
 * node:crypto. Nonces are 12 bytes, tags 16. One object serves one direction and one key at a time.
 *
 *   begin(nonce, header) ─► update(piece) … ─► finish(tag)
 *
 * The tag is computed over the ciphertext that was written, never over the plaintext a second time: a guest that
 * writes a page while it is encrypted gets some mixture of old and new sent, as with a plain write, and a valid tag.
 */
import { type CipherGCM, createCipheriv, createDecipheriv, type DecipherGCM } from 'node:crypto';
import { LonghaulError } from '../core/index.js';
import { EVP_CTRL_AEAD_GET_TAG, EVP_CTRL_AEAD_SET_TAG, type LibCrypto, libcrypto } from './libcrypto.js';
import { NativeStruct } from './native-struct.js';

export const AES_KEY_BYTES = 32;
export const GCM_NONCE_BYTES = 12;
export const GCM_TAG_BYTES = 16;

/** Memory at a stable address. */
export interface Place {
  readonly bytes: Uint8Array;
  readonly address: number;
}

export interface AesGcm {
  readonly kind: 'libcrypto' | 'node:crypto';
  /** Takes a key of 32 bytes; the caller may wipe it afterwards. */
  setKey(key: Uint8Array): void;
  /** Begins a record. @param nonce 12 bytes, never the same twice under one key @param header is authenticated */
  begin(nonce: Place, header: Place, headerAt: number, headerBytes: number): void;
  /** Encrypts or decrypts a piece. `from` and `to` may be the same place, else they must not overlap. */
  update(from: Place, fromAt: number, to: Place, toAt: number, length: number): void;
  /**
   * Ends the record: writes the tag when sealing, checks it when opening.
   * @returns false when the tag is wrong: then nothing of what `update` wrote may be used
   */
  finish(tag: Place, tagAt: number): boolean;
  /** Frees what it holds, with the key in it. */
  close(): void;
}

/**
 * @param direction what it is for
 * @param kind `node:crypto` forbids libcrypto; omitted, libcrypto is taken where it is
 */
export function openAesGcm(direction: 'seal' | 'open', kind?: AesGcm['kind']): AesGcm {
  if (libcrypto === null || kind === 'node:crypto') return new NodeAesGcm(direction === 'seal');
  return new EvpAesGcm(libcrypto, direction === 'seal');
}

class EvpAesGcm implements AesGcm {
  readonly kind = 'libcrypto';
  readonly #lib: LibCrypto;
  readonly #sealing: boolean;
  /** Where EVP writes how much it wrote, and behind it a key on its way in. */
  readonly #scratch = new NativeStruct(64);
  #context: number;

  constructor(lib: LibCrypto, sealing: boolean) {
    this.#lib = lib;
    this.#sealing = sealing;
    this.#context = lib.newContext();
    this.#check(lib.init(this.#context, lib.aes256Gcm(), 0, 0, 0, sealing ? 1 : 0));
  }

  setKey(key: Uint8Array): void {
    requireKey(key);
    this.#scratch.bytes.set(key, 16);
    this.#check(this.#lib.init(this.#context, 0, 0, this.#scratch.address + 16, 0, -1));
    this.#scratch.bytes.fill(0);
  }

  begin(nonce: Place, header: Place, headerAt: number, headerBytes: number): void {
    this.#check(this.#lib.init(this.#context, 0, 0, 0, nonce.address, -1));
    const { address } = this.#scratch;
    this.#check(this.#lib.update(this.#context, 0, address, header.address + headerAt, headerBytes));
  }

  update(from: Place, fromAt: number, to: Place, toAt: number, length: number): void {
    const { address } = this.#scratch;
    this.#check(this.#lib.update(this.#context, to.address + toAt, address, from.address + fromAt, length));
  }

  finish(tag: Place, tagAt: number): boolean {
    const { address } = this.#scratch;
    if (this.#sealing) {
      this.#check(this.#lib.final(this.#context, address + 16, address));
      this.#check(
        this.#lib.control(this.#context, EVP_CTRL_AEAD_GET_TAG, GCM_TAG_BYTES, tag.address + tagAt),
      );
      return true;
    }
    this.#check(this.#lib.control(this.#context, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_BYTES, tag.address + tagAt));
    return this.#lib.final(this.#context, address + 16, address) === 1;
  }

  close(): void {
    if (this.#context === 0) return;
    this.#lib.freeContext(this.#context);
    this.#context = 0;
  }

  #check(result: number): void {
    if (result === 1) return;
    throw new LonghaulError('SYS_LIBCRYPTO', 'an AES-256-GCM call of libcrypto failed', {
      hint: 'this Node is built without AES-GCM, or the cipher was used after it was closed',
    });
  }
}

class NodeAesGcm implements AesGcm {
  readonly kind = 'node:crypto';
  readonly #sealing: boolean;
  readonly #key = new Uint8Array(AES_KEY_BYTES);
  #cipher: CipherGCM | DecipherGCM | null = null;

  constructor(sealing: boolean) {
    this.#sealing = sealing;
  }

  setKey(key: Uint8Array): void {
    requireKey(key);
    this.#key.set(key);
  }

  begin(nonce: Place, header: Place, headerAt: number, headerBytes: number): void {
    const iv = nonce.bytes.subarray(0, GCM_NONCE_BYTES);
    const make = this.#sealing ? createCipheriv : createDecipheriv;
    this.#cipher = make('aes-256-gcm', this.#key, iv, { authTagLength: GCM_TAG_BYTES }) as CipherGCM;
    this.#cipher.setAAD(header.bytes.subarray(headerAt, headerAt + headerBytes));
  }

  update(from: Place, fromAt: number, to: Place, toAt: number, length: number): void {
    to.bytes.set(this.#cipher!.update(from.bytes.subarray(fromAt, fromAt + length)), toAt);
  }

  finish(tag: Place, tagAt: number): boolean {
    const cipher = this.#cipher!;
    this.#cipher = null;
    if (this.#sealing) {
      cipher.final();
      tag.bytes.set((cipher as CipherGCM).getAuthTag(), tagAt);
      return true;
    }
    (cipher as DecipherGCM).setAuthTag(tag.bytes.subarray(tagAt, tagAt + GCM_TAG_BYTES));
    try {
      cipher.final();
      return true;
    } catch {
      return false;
    }
  }

  close(): void {
    this.#cipher = null;
    this.#key.fill(0);
  }
}

function requireKey(key: Uint8Array): void {
  if (key.length !== AES_KEY_BYTES)
    throw new RangeError(`a key of ${key.length} bytes is not ${AES_KEY_BYTES}`);
}
