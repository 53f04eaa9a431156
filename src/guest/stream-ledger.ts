/**
 * The client's books of TCP sessions: a stream is right when every byte of it is the one that has to come there.
 *
 *   StreamEchoLedger   numbered records go out and have to come back, in order, byte for byte
 *   CounterLedger      lines "00000000000\n", "00000000001\n", … come by themselves, from 0 on each connection
 *
 * A byte that is lost or comes twice shifts all that follow, and shows as wrong bytes. Pure: the socket is elsewhere.
 */
import { SessionBook } from './session-stats.js';

const RECORD_BYTES = 56;
const SENT_AT = 0;
const NUMBER = 8;
const PATTERN = 12;

interface Outstanding {
  readonly bytes: Uint8Array;
  readonly sentAtNs: number;
  readonly phase: number;
}

export class StreamEchoLedger extends SessionBook {
  #waiting: Outstanding[] = [];
  /** Bytes of the first that waits which have come. */
  #at = 0;
  #number = 0;
  #phase = 0;
  /** The record that comes now has a wrong byte. */
  #spoiled = false;

  override reset(): void {
    super.reset();
    this.#phase++;
  }

  /** The next record to send; the caller's to keep. */
  next(nowNs: number): Uint8Array {
    const bytes = new Uint8Array(RECORD_BYTES);
    const view = new DataView(bytes.buffer);
    const number = ++this.#number;
    view.setFloat64(SENT_AT, nowNs);
    view.setUint32(NUMBER, number);
    for (let i = PATTERN; i < RECORD_BYTES; i++) bytes[i] = number + i;
    this.#waiting.push({ bytes, sentAtNs: nowNs, phase: this.#phase });
    this.countSent();
    return bytes;
  }

  /** Takes what came of the stream, in whatever pieces. */
  receive(nowNs: number, data: Uint8Array): void {
    for (let i = 0; i < data.length; i++) {
      const first = this.#waiting[0];
      if (first === undefined) return this.#spoil(data.length - i, 'bytes came back that were never sent');
      if (data[i] !== first.bytes[this.#at]) {
        const record = new DataView(first.bytes.buffer).getUint32(NUMBER);
        this.#spoil(1, `record ${record} of the echoed stream differs at byte ${this.#at}`);
        this.#spoiled = true;
      }
      if (++this.#at < RECORD_BYTES) continue;
      this.#waiting.shift();
      this.#at = 0;
      if (this.#spoiled) this.countWrong('an echoed record has wrong bytes');
      this.#spoiled = false;
      this.countAnswer(nowNs, nowNs - first.sentAtNs, first.phase !== this.#phase);
    }
  }

  /** The connection broke: what was under way is lost, and a new stream begins. */
  broken(): void {
    this.countReset();
    this.#waiting = [];
    this.#at = 0;
    this.#spoiled = false;
  }

  #spoil(bytes: number, text: string): void {
    this.countBytesWrong(bytes);
    if (!this.#spoiled) this.noteWrong(text);
  }
}

const LINE_BYTES = 12;
const NEWLINE = 10;
const DIGIT_0 = 48;

export class CounterLedger extends SessionBook {
  /** Bytes of this connection so far. */
  #bytes = 0;
  readonly #line = new Uint8Array(LINE_BYTES);
  #lineNumber = -1;
  #spoiled = false;

  receive(nowNs: number, data: Uint8Array): void {
    for (let i = 0; i < data.length; i++) {
      const at = this.#bytes % LINE_BYTES;
      const number = Math.floor(this.#bytes / LINE_BYTES);
      if (this.#lineNumber !== number) this.#write(number);
      if (data[i] !== this.#line[at]) {
        this.countBytesWrong(1);
        if (!this.#spoiled) this.noteWrong(`line ${number} of the counter differs at byte ${at}`);
        this.#spoiled = true;
      }
      this.#bytes++;
      if (at < LINE_BYTES - 1) continue;
      if (this.#spoiled) this.countWrong('a line of the counter has wrong bytes');
      this.#spoiled = false;
      this.countArrival(nowNs);
    }
  }

  /** The connection broke: the next one counts from 0. */
  broken(): void {
    this.countReset();
    this.#bytes = 0;
    this.#lineNumber = -1;
    this.#spoiled = false;
  }

  #write(number: number): void {
    this.#lineNumber = number;
    this.#line[LINE_BYTES - 1] = NEWLINE;
    let rest = number;
    for (let i = LINE_BYTES - 2; i >= 0; i--) {
      this.#line[i] = DIGIT_0 + (rest % 10);
      rest = Math.floor(rest / 10);
    }
  }
}
