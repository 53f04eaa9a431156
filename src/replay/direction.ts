/**
 * One direction of a replay: what was sent, and what of it arrived.
 *
 *   end at A ─► … ─► end at B        frames of a→b are read where they come out, with the kernel's stamp, so late as it may be
 *
 * Left out: what is done with frames that are to be kept; `onArrived` is told of each.
 */
import { nowNs, type StampedReceiver } from '../sys/index.js';
import { ArrivalLedger } from './arrival-ledger.js';
import { frameHash } from './frame-hash.js';
import type { DirectionReport, SendingEnd } from './messages.js';
import { DurationHistogram } from './pacing-errors.js';

/** Datagrams of one system call: some two microseconds each. */
export const ARRIVALS_AT_ONCE = 8;

/** A frame that arrived, as bytes of a store that is used again. */
export type OnArrived = (frame: Uint8Array, atNs: number) => void;

export class Direction {
  readonly ledger = new ArrivalLedger();
  readonly #delays = new DurationHistogram();
  readonly #out: SendingEnd;
  readonly #onArrived: OnArrived | null;
  sent = 0;
  sentBytes = 0;
  refused = 0;

  /** @param out where its frames come out @param onArrived told of each; null where none is kept */
  constructor(out: SendingEnd, onArrived: OnArrived | null) {
    this.#out = out;
    this.#onArrived = onArrived;
  }

  /** Notes a frame that is about to be sent: it may arrive before the call that sends it returns. */
  noteSent(hash: number, length: number, atNs: number): void {
    this.sent++;
    this.sentBytes += length;
    this.ledger.noteSent(hash, length, atNs);
  }

  /** Takes in what has come. @param untilNs after it no further datagram is asked for */
  takeArrivals(receiver: StampedReceiver, untilNs: number): void {
    const { fd, headerBytes } = this.#out;
    do {
      const n = receiver.receive(fd, ARRIVALS_AT_ONCE);
      for (let i = 0; i < n; i++) {
        const at = receiver.at(i) + headerBytes;
        const length = receiver.length(i) - headerBytes;
        if (length <= 0) continue;
        const atNs = receiver.arrivedNs(i) || nowNs();
        const sentNs = this.ledger.noteArrived(frameHash(receiver.view, at, length), length);
        if (sentNs >= 0) this.#delays.record(atNs - sentNs);
        this.#onArrived?.(receiver.bytes.subarray(at, at + length), atNs);
      }
      if (n < ARRIVALS_AT_ONCE) return;
    } while (nowNs() < untilNs);
  }

  report(): DirectionReport {
    const { delivered, reordered, duplicated, unknown } = this.ledger;
    const { sent, sentBytes, refused } = this;
    const oneWayNs = this.#delays.distribution();
    return { sent, sentBytes, refused, delivered, reordered, duplicated, unknown, oneWayNs };
  }
}
