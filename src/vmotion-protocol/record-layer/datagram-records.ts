/**
 * Sealed datagrams, one direction: each opens by itself, in any order, once. The packet number stands in the
 * datagram's own header (RFC 9147 and RFC 9001, 5.3 do it so), and so does the key's phase.
 *
 *   │ header, authenticated: … phase u8 … number … │ frames, encrypted in place │ tag 16 │
 *
 * The receiver keeps three keys: the previous phase's, for what was overtaken; the present one; and the next,
 * derived ahead, so that a forged phase costs a failed tag and no more (RFC 9001, 6.3). It moves on only when a tag
 * under the next key is right.
 */
import { TrafficKey, useKey } from './key-schedule.js';
import { KEY_LIMITS, type KeyLimits, KeyUsage, NUMBER_MAX } from './key-usage.js';
import { REPLAY_WINDOW_DEFAULT, ReplayWindow } from './replay-window.js';
import { type Aead, type Place, type RecordSuite, TAG_BYTES } from './suite.js';

export class DatagramSealer {
  readonly #traffic: TrafficKey;
  readonly #cipher: Aead;
  readonly #usage: KeyUsage;
  #last = -1;

  /** @param secret traffic secret of this direction; the sealer's from now on */
  constructor(suite: RecordSuite, secret: Uint8Array, limits: KeyLimits = KEY_LIMITS) {
    this.#traffic = new TrafficKey(suite, secret);
    this.#cipher = suite.sealing();
    this.#usage = new KeyUsage(limits);
    useKey(this.#cipher, this.#traffic);
  }

  /** The phase to write into the header of a datagram with this many bytes of frames, before it is sealed. */
  phaseFor(length: number): number {
    if (this.#usage.due(length)) {
      this.#traffic.advance();
      useKey(this.#cipher, this.#traffic);
      this.#usage.reset();
    }
    return this.#traffic.phase;
  }

  /**
   * Encrypts `length` bytes behind the header in place and puts the tag behind them: leave TAG_BYTES of room.
   * @param number the packet's, higher than any before: the same number twice would give the key away
   * @returns bytes of header, frames and tag
   */
  seal(buffer: Place, at: number, headerBytes: number, length: number, number: number): number {
    if (!(number > this.#last && number <= NUMBER_MAX))
      throw new RangeError(`packet number ${number} does not follow ${this.#last}`);
    this.#last = number;
    const body = at + headerBytes;
    this.#traffic.setNumber(number);
    this.#cipher.begin(this.#traffic.nonce, buffer, at, headerBytes);
    this.#cipher.update(buffer, body, buffer, body, length);
    this.#cipher.finish(buffer, body + length);
    this.#usage.count(length);
    return headerBytes + length + TAG_BYTES;
  }

  close(): void {
    this.#cipher.close();
    this.#traffic.wipe();
  }
}

/** What became of datagrams: opened + replayed + forged = those that came. */
export interface DatagramCounts {
  opened: number;
  /** Seen before, or older than the window remembers. */
  replayed: number;
  /** Too short, of a phase we have no key for, or with a wrong tag. */
  forged: number;
}

interface Epoch {
  readonly traffic: TrafficKey;
  readonly cipher: Aead;
}

export class DatagramOpener {
  readonly counts: DatagramCounts = { opened: 0, replayed: 0, forged: 0 };
  readonly #suite: RecordSuite;
  readonly #window: ReplayWindow;
  #previous: Epoch | null = null;
  #present: Epoch;
  #next: Epoch;

  /** @param secret traffic secret of this direction; the opener's from now on */
  constructor(suite: RecordSuite, secret: Uint8Array, windowSize = REPLAY_WINDOW_DEFAULT) {
    this.#suite = suite;
    this.#window = new ReplayWindow(windowSize);
    this.#present = this.#epochOf(new TrafficKey(suite, secret));
    this.#next = this.#epochOf(this.#present.traffic.successor());
  }

  /**
   * Opens a datagram in place.
   * @param bytes of header, frames and tag @param number and phase as the header says
   * @returns bytes of frames behind the header; -1 when it is to be dropped, counted
   */
  open(buffer: Place, at: number, headerBytes: number, bytes: number, number: number, phase: number): number {
    const length = bytes - headerBytes - TAG_BYTES;
    const epoch = this.#epochFor(phase);
    if (length < 0 || epoch === null || !(number >= 0 && number <= NUMBER_MAX)) {
      this.counts.forged++;
      return -1;
    }
    if (!this.#window.fresh(number)) {
      this.counts.replayed++;
      return -1;
    }
    const body = at + headerBytes;
    epoch.traffic.setNumber(number);
    epoch.cipher.begin(epoch.traffic.nonce, buffer, at, headerBytes);
    epoch.cipher.update(buffer, body, buffer, body, length);
    if (!epoch.cipher.finish(buffer, body + length)) {
      this.counts.forged++;
      return -1;
    }
    this.#window.mark(number);
    this.counts.opened++;
    if (epoch === this.#next) this.#advance();
    return length;
  }

  close(): void {
    for (const epoch of [this.#previous, this.#present, this.#next]) dispose(epoch);
  }

  #epochFor(phase: number): Epoch | null {
    if (phase === this.#present.traffic.phase) return this.#present;
    if (phase === this.#next.traffic.phase) return this.#next;
    return phase === this.#previous?.traffic.phase ? this.#previous : null;
  }

  #advance(): void {
    dispose(this.#previous);
    this.#previous = this.#present;
    this.#present = this.#next;
    this.#next = this.#epochOf(this.#present.traffic.successor());
  }

  #epochOf(traffic: TrafficKey): Epoch {
    const cipher = this.#suite.opening();
    useKey(cipher, traffic);
    return { traffic, cipher };
  }
}

function dispose(epoch: Epoch | null): void {
  epoch?.cipher.close();
  epoch?.traffic.wipe();
}
