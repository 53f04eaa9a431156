/**
 * The client's book of ICMP echoes (RFC 792): what was sent must come back byte for byte.
 *
 *   payload     0 sent at, ns f64   8 number u32   12 … a pattern that depends on number and offset
 *
 * The sequence on the wire has 16 bits and wraps; the number in the payload does not.
 */
import { SessionBook } from './session-stats.js';

const SENT_AT = 0;
const NUMBER = 8;
const PATTERN = 12;
const DEFAULT_PAYLOAD_BYTES = 56;

/** What came of an answer. */
export type Verdict = 'right' | 'duplicate' | 'wrong' | 'foreign';

export class EchoLedger extends SessionBook {
  /** The payload of the last `next`, reused by the following one. */
  readonly payload: Uint8Array;
  readonly #view: DataView;
  #sentAtNs = new Float64Array(1024);
  #answered = new Uint8Array(1024);
  #last = 0;
  #phaseFirst = 1;

  /** @param payloadBytes 12 and more */
  constructor(payloadBytes = DEFAULT_PAYLOAD_BYTES) {
    super();
    this.payload = new Uint8Array(Math.max(PATTERN, payloadBytes));
    this.#view = new DataView(this.payload.buffer);
  }

  override reset(): void {
    super.reset();
    this.#phaseFirst = this.#last + 1;
  }

  /** Prepares the next request in `payload`. @returns its 16-bit sequence */
  next(nowNs: number): number {
    const n = ++this.#last;
    if (n === this.#sentAtNs.length) this.#grow();
    this.#sentAtNs[n] = nowNs;
    this.#view.setFloat64(SENT_AT, nowNs);
    this.#view.setUint32(NUMBER, n);
    for (let i = PATTERN; i < this.payload.length; i++) this.payload[i] = n + i;
    this.countSent();
    return n & 0xffff;
  }

  /** Takes an echo reply: its 16-bit sequence and its payload, `length` bytes at `start` of `data`. */
  answer(nowNs: number, sequence: number, data: Uint8Array, start: number, length: number): Verdict {
    if (length !== this.payload.length || start + length > data.length) {
      return this.#wrong(`a reply of ${length} bytes to a request of ${this.payload.length}`);
    }
    const view = new DataView(data.buffer, data.byteOffset + start, length);
    const n = view.getUint32(NUMBER);
    if (n < 1 || n > this.#last || (n & 0xffff) !== sequence) {
      return this.#wrong(`a reply to request ${n} under sequence ${sequence}, and ${this.#last} were sent`);
    }
    if (view.getFloat64(SENT_AT) !== this.#sentAtNs[n]) return this.#wrong(`reply ${n} tells another time`);
    for (let i = PATTERN; i < length; i++) {
      if (data[start + i] !== ((n + i) & 0xff)) return this.#wrong(`reply ${n} differs at byte ${i}`);
    }
    if (this.#answered[n] === 1) {
      this.countDuplicate();
      return 'duplicate';
    }
    this.#answered[n] = 1;
    this.countAnswer(nowNs, nowNs - this.#sentAtNs[n]!, n < this.#phaseFirst);
    return 'right';
  }

  #wrong(text: string): Verdict {
    this.countWrong(text);
    return 'wrong';
  }

  #grow(): void {
    const sentAtNs = new Float64Array(this.#last * 2);
    sentAtNs.set(this.#sentAtNs);
    this.#sentAtNs = sentAtNs;
    const answered = new Uint8Array(this.#last * 2);
    answered.set(this.#answered);
    this.#answered = answered;
  }
}
