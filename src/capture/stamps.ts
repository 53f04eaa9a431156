/**
 * Stamps of captures as whole seconds and nanoseconds, exact and without BigInt on the way of a packet.
 *
 *   a pcapng stamp = upper word · 2^32 + lower word, in units of if_tsresol:
 *   0nnnnnnn  10^-n s      1nnnnnnn  2^-n s            (draft-ietf-opsawg-pcapng, 4.2)
 *
 * The division by the units of a second is done in steps of 16 bits, so that every remainder stays below 2^53;
 * finer units than 2^-37 s go through BigInt. What is below a nanosecond is cut off.
 */
import type { CaptureEpoch } from './captured-packet.js';

const WORD = 0x1_0000_0000;
/** The finest units of a second whose remainder times 2^16 is still exact. */
const MOST_UNITS = 2 ** 37;
const NS_PER_S = 1e9;

/** What the stamps of one interface mean. The last `read` stands in `seconds` and `nanoseconds`. */
export class StampScale {
  seconds = 0;
  nanoseconds = 0;
  readonly #unitsPerS: number;
  /** The same for units finer than numbers can divide by; null for all others. */
  readonly #fine: bigint | null;
  readonly #offsetS: number;

  /**
   * @param resolution if_tsresol's octet
   * @param offsetS if_tsoffset: seconds to be added
   */
  constructor(resolution: number, offsetS = 0) {
    const exponent = resolution & 0x7f;
    const base = (resolution & 0x80) === 0 ? 10 : 2;
    this.#unitsPerS = base ** exponent;
    this.#fine = this.#unitsPerS > MOST_UNITS ? BigInt(base) ** BigInt(exponent) : null;
    this.#offsetS = offsetS;
  }

  read(high: number, low: number): void {
    if (this.#fine !== null) return this.#readFine(this.#fine, high, low);
    const units = this.#unitsPerS;
    let quotient = Math.floor(high / units);
    let rest = (high % units) * 0x10000 + (low >>> 16);
    quotient = quotient * 0x10000 + Math.floor(rest / units);
    rest = (rest % units) * 0x10000 + (low & 0xffff);
    this.seconds = quotient * 0x10000 + Math.floor(rest / units) + this.#offsetS;
    rest %= units;
    // Whole where units divide 10^9 or are multiples of it; of powers of two the product may need more than 53 bits.
    if (units <= NS_PER_S && NS_PER_S % units === 0) this.nanoseconds = rest * (NS_PER_S / units);
    else if (units <= 2 ** 23) this.nanoseconds = Math.floor((rest * NS_PER_S) / units);
    else this.nanoseconds = Number((BigInt(rest) * 1_000_000_000n) / BigInt(units));
  }

  #readFine(units: bigint, high: number, low: number): void {
    const stamp = (BigInt(high) << 32n) | BigInt(low);
    this.seconds = Number(stamp / units) + this.#offsetS;
    this.nanoseconds = Number(((stamp % units) * 1_000_000_000n) / units);
  }
}

/** Nanoseconds since 1970 as the two words of a pcapng stamp. The last `set` stands in `high` and `low`. */
export class NsStamp {
  high = 0;
  low = 0;
  readonly #epoch: CaptureEpoch;

  constructor(epoch: CaptureEpoch) {
    this.#epoch = epoch;
  }

  /** @param atNs after the epoch; the instant must not lie before 1970 or after 2554 */
  set(atNs: number): void {
    const carry = Math.floor((this.#epoch.nanoseconds + atNs) / NS_PER_S);
    const nanoseconds = this.#epoch.nanoseconds + atNs - carry * NS_PER_S;
    const seconds = this.#epoch.seconds + carry;
    // seconds · 10^9 in halves of 16 bits, each exact.
    const upper = Math.floor(seconds / 0x10000) * NS_PER_S;
    const lower = (upper % 0x10000) * 0x10000 + (seconds % 0x10000) * NS_PER_S + nanoseconds;
    this.high = Math.floor(upper / 0x10000) + Math.floor(lower / WORD);
    this.low = lower % WORD;
  }
}
