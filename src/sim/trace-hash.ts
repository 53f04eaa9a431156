/**
 * A 64-bit digest of everything that happened in a world, in order: two runs are the same run when it is.
 *
 * Two lanes of 32-bit multiply-and-rotate (the mixing of MurmurHash3, Appleby) over words; texts go in as UTF-16
 * units with their length. Finds differences, not malice.
 */
import { formatNs } from '../core/index.js';

export class TraceHash {
  #a = 0x9e3779b9;
  #b = 0x7f4a7c15;
  #lines: string[] | null = null;

  /** Keeps what is noted as lines too, for people; none are kept unless asked. */
  keepLines(): void {
    this.#lines = [];
  }

  /** The lines kept so far. */
  get lines(): readonly string[] {
    return this.#lines ?? [];
  }

  /** Something happened at `atNs`. @param who the host, `lab` or `fabric` */
  note(atNs: number, who: string, what: string): void {
    this.number(atNs);
    this.#text(who);
    this.#text(what);
    this.#lines?.push(`${formatNs(atNs).padStart(9)}  ${who.padEnd(6)} ${what}`);
  }

  /** A number up to 2^53, without a line. */
  number(value: number): void {
    this.#word(value >>> 0);
    this.#word(Math.floor(value / 0x100000000) >>> 0);
  }

  /** 16 hexadecimal digits. */
  digest(): string {
    const hex = (v: number): string => (v >>> 0).toString(16).padStart(8, '0');
    return hex(this.#a) + hex(this.#b);
  }

  #text(text: string): void {
    this.#word(text.length);
    for (let i = 0; i < text.length; i++) this.#word(text.charCodeAt(i));
  }

  #word(word: number): void {
    let k = Math.imul(word ^ this.#b, 0xcc9e2d51);
    k = (k << 15) | (k >>> 17);
    this.#a ^= Math.imul(k, 0x1b873593);
    this.#a = (Math.imul((this.#a << 13) | (this.#a >>> 19), 5) + 0xe6546b64) | 0;
    this.#b = (Math.imul(this.#b ^ word, 0x85ebca6b) + this.#a) | 0;
    this.#b ^= this.#b >>> 13;
  }
}
