/**
 * Node's own OpenSSL through koffi: AES-256-GCM by the EVP interface, EVP_EncryptInit(3), with addresses in place
 * of buffers, so that a record is encrypted from guest memory straight into the send buffer. An EVP call costs
 * about 0.15 µs; node:crypto makes an object and a copy per record and takes about 7 µs.
 *
 * The symbols are there in Node's official builds and where Node is linked against a shared libcrypto. A build that
 * hides them gets null here, and `aes-gcm.ts` falls back to node:crypto.
 */
import koffi from 'koffi';

type N = number;

/** The raw functions. Contexts, ciphers and buffers are addresses; 1 is success, as OpenSSL has it. */
export interface LibCrypto {
  readonly newContext: () => N;
  readonly freeContext: (context: N) => void;
  readonly aes256Gcm: () => N;
  /** @param encrypting 1 or 0 @param cipher, key, nonce 0 to leave as it is */
  readonly init: (context: N, cipher: N, engine: N, key: N, nonce: N, encrypting: N) => N;
  readonly update: (context: N, out: N, outLength: N, from: N, length: N) => N;
  readonly final: (context: N, out: N, outLength: N) => N;
  readonly control: (context: N, type: N, arg: N, address: N) => N;
}

/** evp.h: read or set the tag of an AEAD cipher. */
export const EVP_CTRL_AEAD_GET_TAG = 0x10;
export const EVP_CTRL_AEAD_SET_TAG = 0x11;

function load(): LibCrypto | null {
  try {
    const lib = koffi.load(null);
    const declare = <F>(prototype: string): F => lib.func(prototype) as unknown as F;
    return {
      newContext: declare('uintptr_t EVP_CIPHER_CTX_new()'),
      freeContext: declare('void EVP_CIPHER_CTX_free(uintptr_t ctx)'),
      aes256Gcm: declare('uintptr_t EVP_aes_256_gcm()'),
      init: declare(
        'int EVP_CipherInit_ex(uintptr_t ctx, uintptr_t cipher, uintptr_t engine, uintptr_t key, uintptr_t iv, int enc)',
      ),
      update: declare(
        'int EVP_CipherUpdate(uintptr_t ctx, uintptr_t out, uintptr_t outl, uintptr_t in, int inl)',
      ),
      final: declare('int EVP_CipherFinal_ex(uintptr_t ctx, uintptr_t out, uintptr_t outl)'),
      control: declare('int EVP_CIPHER_CTX_ctrl(uintptr_t ctx, int type, int arg, uintptr_t ptr)'),
    };
  } catch {
    return null;
  }
}

/** Null where this Node hides its OpenSSL. */
export const libcrypto: LibCrypto | null = load();
