/**
 * Sends frames at their instants and takes in what arrives, in one thread that does nothing else.
 *
 *   wait until due (asleep ─ 100 µs before: polling ─ 5 µs before: looking at the clock) ─ write ─ next
 *                     └─ meanwhile, and while there is time: take in what has arrived
 *
 * The anchor is set once, a moment before the first packet; every other instant is counted from there. What arrives
 * carries the kernel's stamp, so that it may be taken in late. Left out: threads per direction, since a capture is one
 * sequence of both.
 */
import { addressOf, nowNs, POLLIN, PollSet, StampedReceiver, writeBytes } from '../sys/index.js';
import { ArrivalLedger } from './arrival-ledger.js';
import { BatchMaker, type FrameBatch } from './batch.js';
import { frameHash } from './frame-hash.js';
import type {
  DirectionReport,
  SenderReply,
  SenderReport,
  SenderRequest,
  SenderSettings,
} from './messages.js';
import { PaceSchedule } from './pacing.js';
import { DurationHistogram, PacingErrors } from './pacing-errors.js';

/** As the fabric has it: a timed wake-up is 40 µs late here, at times 90. */
const SPIN_BEFORE_NS = 100_000;
const STARE_BEFORE_NS = 5_000;
/** Nothing is taken in when a packet is due sooner than this: a datagram takes some two microseconds. */
const ARRIVALS_BEFORE_NS = 40_000;
const ARRIVALS_AT_ONCE = 8;
/** From the first batch to the first packet: the code that sends has been looked at by then. */
const LEAD_NS = 2_000_000;
const SLOT_BYTES = 9_472;
/** At top speed: frames under way at most, and how long one counts as such. */
const TOP_WINDOW = 512;
const TOP_FORGET_NS = 20_000_000;
/** A socket without room is asked again for so long. */
const BUSY_LIMIT_NS = 1_000_000_000;
/** Between two looks whether the replay is to end. */
const ASLEEP_MAX_NS = 100_000_000;
/** The same whether all have come. */
const LOOK_NS = 5_000_000;
/** Batches of arrived frames that may wait for their writer. */
const ARRIVED_BATCHES_MAX = 64;

export interface SenderPort {
  /** The next batch, or that there is none any more, if it has come. */
  take(): SenderRequest | undefined;
  /** Sleeps until something has come, at most so long. */
  wait(limitMs: number): void;
  reply(reply: SenderReply): void;
  /** Whether the replay is to end now. */
  readonly stopped: boolean;
  /** How many batches of arrived frames have been written. */
  readonly written: number;
  /** Whether all that was sent has come or is lost. */
  readonly settled: boolean;
}

class Direction {
  readonly ledger = new ArrivalLedger();
  readonly delays = new DurationHistogram();
  sent = 0;
  bytes = 0;
  refused = 0;

  report(): DirectionReport {
    const { delivered, reordered, duplicated, unknown } = this.ledger;
    return {
      sent: this.sent,
      sentBytes: this.bytes,
      refused: this.refused,
      delivered,
      reordered,
      duplicated,
      unknown,
      oneWayNs: this.delays.distribution(),
    };
  }
}

export class Sender {
  readonly #settings: SenderSettings;
  readonly #port: SenderPort;
  readonly #schedule: PaceSchedule;
  readonly #errors = new PacingErrors();
  readonly #directions = [new Direction(), new Direction()] as const;
  readonly #polls = new PollSet(2);
  readonly #slots: number[] = [];
  readonly #receiver = new StampedReceiver(ARRIVALS_AT_ONCE, SLOT_BYTES);
  readonly #kept = new BatchMaker();
  #keptBatches = 0;
  #arrivedNotKept = 0;
  #anchorNs = -1;
  #lastNs = 0;
  #starved = 0;

  constructor(settings: SenderSettings, port: SenderPort) {
    this.#settings = settings;
    this.#port = port;
    this.#schedule = new PaceSchedule(settings.pace);
    if (settings.arrivals) for (const { fd } of settings.ends) this.#slots.push(this.#polls.add(fd, POLLIN));
  }

  /** Sends every batch until the last. */
  run(): void {
    while (!this.#port.stopped) {
      const request = this.#next();
      if (request === undefined || request.type === 'last') break;
      this.#port.reply({ type: 'wants' });
      this.#send(request.batch);
    }
    this.#linger();
    this.#handBack();
    this.#port.reply({ type: 'finished', report: this.#report() });
  }

  #next(): SenderRequest | undefined {
    let request = this.#port.take();
    if (request === undefined && this.#anchorNs >= 0) this.#starved++;
    while (request === undefined && !this.#port.stopped) {
      this.#takeArrivals();
      this.#port.wait(this.#anchorNs < 0 ? 100 : 1);
      request = this.#port.take();
    }
    return request;
  }

  #send(batch: FrameBatch): void {
    const base = addressOf(batch.bytes);
    if (this.#anchorNs < 0) this.#anchorNs = nowNs() + LEAD_NS;
    for (let i = 0; i < batch.count; i++) {
      const wireBytes = batch.wireBytes[i]!;
      const dueNs = this.#anchorNs + this.#schedule.next(batch.capturedNs[i]!, wireBytes);
      const { kind } = this.#settings.pace;
      if (kind === 'top') this.#waitForRoom();
      else if (kind === 'one-at-a-time') this.#waitForArrival();
      else this.#waitUntil(dueNs);
      const direction = batch.direction[i]!;
      const { fd, headerBytes } = this.#settings.ends[direction]!;
      const length = batch.length[i]!;
      this.#sendOne(
        direction,
        fd,
        base + batch.at[i]! - headerBytes,
        headerBytes + length,
        batch.hash[i]!,
        dueNs,
      );
      if (this.#port.stopped) return;
    }
  }

  #sendOne(which: number, fd: number, address: number, bytes: number, hash: number, dueNs: number): void {
    const direction = this.#directions[which]!;
    const { ends, arrivals, pace } = this.#settings;
    const length = bytes - ends[which]!.headerBytes;
    const timed = pace.kind !== 'top' && pace.kind !== 'one-at-a-time';
    const atNs = nowNs();
    // Noted before it leaves: it may arrive before the call returns.
    if (arrivals) direction.ledger.noteSent(hash, length, atNs);
    direction.sent++;
    direction.bytes += length;
    if (timed) this.#errors.record(atNs - dueNs);
    this.#lastNs = atNs;
    if (writeBytes(fd, address, bytes) >= 0) return;
    const untilNs = atNs + BUSY_LIMIT_NS;
    do {
      this.#takeArrivals();
      if (writeBytes(fd, address, bytes) >= 0) return;
    } while (nowNs() < untilNs && !this.#port.stopped);
    direction.refused++;
  }

  #waitUntil(dueNs: number): void {
    for (;;) {
      const leftNs = dueNs - nowNs();
      if (leftNs <= 0) return;
      if (leftNs < STARE_BEFORE_NS) {
        while (nowNs() < dueNs);
        return;
      }
      const ready = this.#polls.wait(Math.min(ASLEEP_MAX_NS, Math.max(0, leftNs - SPIN_BEFORE_NS)));
      if (ready > 0 && dueNs - nowNs() > ARRIVALS_BEFORE_NS) this.#takeArrivals();
      if (this.#port.stopped) return;
    }
  }

  /** At top speed nothing but room holds the sender back; where nothing comes back, the socket does. */
  #waitForRoom(): void {
    if (!this.#settings.arrivals) return;
    for (const { ledger } of this.#directions) {
      while (
        ledger.sent - ledger.delivered >= TOP_WINDOW &&
        ledger.underWay(nowNs() - TOP_FORGET_NS) >= TOP_WINDOW
      ) {
        this.#takeArrivals();
      }
    }
    if ((this.#directions[0].sent + this.#directions[1].sent) % 64 === 0) this.#takeArrivals();
  }

  #waitForArrival(): void {
    if (!this.#settings.arrivals) return;
    const untilNs = nowNs() + this.#settings.patienceNs;
    while (!this.#port.stopped && this.#underWay(nowNs() - this.#settings.patienceNs) > 0) {
      const leftNs = Math.max(0, untilNs - nowNs());
      if (this.#polls.wait(Math.min(ASLEEP_MAX_NS, leftNs)) > 0) this.#takeArrivals();
    }
  }

  #underWay(sinceNs: number): number {
    return this.#directions[0].ledger.underWay(sinceNs) + this.#directions[1].ledger.underWay(sinceNs);
  }

  #takeArrivals(): void {
    if (!this.#settings.arrivals) return;
    // What comes out at site B's end left site A.
    this.#takeFrom(1, 0);
    this.#takeFrom(0, 1);
  }

  #takeFrom(end: 0 | 1, which: 0 | 1): void {
    const { fd, headerBytes } = this.#settings.ends[end];
    const direction = this.#directions[which];
    const receiver = this.#receiver;
    for (;;) {
      const n = receiver.receive(fd, ARRIVALS_AT_ONCE);
      if (n === 0) return;
      for (let i = 0; i < n; i++) {
        const at = receiver.at(i) + headerBytes;
        const length = receiver.length(i) - headerBytes;
        if (length <= 0) continue;
        const hash = frameHash(receiver.view, at, length);
        const atNs = receiver.arrivedNs(i) || nowNs();
        const sentNs = direction.ledger.noteArrived(hash, length);
        if (sentNs >= 0) direction.delays.record(atNs - sentNs);
        if (this.#settings.keepArrived) this.#keep(receiver.bytes.subarray(at, at + length), atNs, which);
      }
      if (n < ARRIVALS_AT_ONCE) return;
    }
  }

  #keep(frame: Uint8Array, atNs: number, which: 0 | 1): void {
    if (!this.#kept.hasRoom(frame.length)) this.#handBack();
    if (this.#keptBatches - this.#port.written >= ARRIVED_BATCHES_MAX) this.#arrivedNotKept++;
    else this.#kept.add(frame, atNs, frame.length, 0, which === 0 ? 'a' : 'b');
  }

  #handBack(): void {
    if (this.#kept.isEmpty) return;
    this.#keptBatches++;
    this.#port.reply({ type: 'arrived', batch: this.#kept.take() });
  }

  /** After the last packet: until all have come, or nothing is under way. No clock decides what was lost. */
  #linger(): void {
    if (!this.#settings.arrivals) return;
    this.#port.reply({ type: 'sent-all', frames: this.#directions[0].sent + this.#directions[1].sent });
    while (!this.#port.settled && !this.#port.stopped) {
      if (this.#polls.wait(LOOK_NS) > 0) this.#takeArrivals();
    }
    this.#takeArrivals();
  }

  #report(): SenderReport {
    return {
      directions: [this.#directions[0].report(), this.#directions[1].report()],
      pacingErrorNs: this.#errors.distribution(),
      driftNs: this.#errors.driftNs(),
      backwards: this.#schedule.backwards,
      starved: this.#starved,
      arrivedNotKept: this.#arrivedNotKept,
      startedNs: Math.max(0, this.#anchorNs),
      durationNs: Math.max(0, this.#lastNs - this.#anchorNs),
    };
  }
}
