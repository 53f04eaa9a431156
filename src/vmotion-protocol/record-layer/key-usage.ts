/**
 * When a key has done enough.
 *
 * RFC 8446, 5.5 lets AES-GCM protect 2^24.5 records of 2^14 bytes under one key, that is 2^34.5 blocks, for a chance
 * of 2^-57 that an attacker tells the cipher from a random one. Our records are up to four times as long, so the
 * bytes are bounded too: 64 GiB are 2^32 blocks, a fifth of that. Whichever limit comes first, the sender goes to
 * the next key; the phase in the header tells the receiver, so that neither has to count what the other lost.
 */
export interface KeyLimits {
  /** Records under one key at most. */
  readonly records: number;
  /** Plaintext bytes under one key at most. */
  readonly bytes: number;
}

export const KEY_LIMITS: KeyLimits = Object.freeze({ records: 2 ** 24, bytes: 64 * 2 ** 30 });

/** No number is used beyond this: a nonce is exact in a double up to here. */
export const NUMBER_MAX = Number.MAX_SAFE_INTEGER;

export class KeyUsage {
  readonly #limits: KeyLimits;
  #records = 0;
  #bytes = 0;

  constructor(limits: KeyLimits = KEY_LIMITS) {
    this.#limits = limits;
  }

  /** Whether a record of this many bytes asks for the next key. */
  due(bytes: number): boolean {
    return this.#records >= this.#limits.records || this.#bytes + bytes > this.#limits.bytes;
  }

  count(bytes: number): void {
    this.#records++;
    this.#bytes += bytes;
  }

  reset(): void {
    this.#records = 0;
    this.#bytes = 0;
  }
}
