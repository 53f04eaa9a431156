/**
 * Sends frames at their instants and takes in what arrives, in one thread that does nothing else.
 *
 *   wait until due (asleep ─ 100 µs before: polling ─ 5 µs before: looking at the clock) ─ write ─ next
 *                     └─ meanwhile, and while there is time: take in what has arrived, fetch the next batch
 *
 * The anchor is set once, a moment before the first packet; every other instant is counted from there. What arrives
 * carries the kernel's stamp, so that it may be taken in late. Left out: threads per direction, since a capture is one
 * sequence of both.
 */
import { addressOf, nowNs, POLLIN, PollSet, StampedReceiver, writeBytes } from '../sys/index.js';
import { BatchMaker, type FrameBatch } from './batch.js';
import { ARRIVALS_AT_ONCE, Direction, type OnArrived } from './direction.js';
import type { SenderReply, SenderReport, SenderRequest, SenderSettings } from './messages.js';
import { PaceSchedule } from './pacing.js';
import { PacingErrors } from './pacing-errors.js';
import { Urgency } from './urgency.js';

/** As the fabric has it: a timed wake-up is 40 µs late here, at times 90. */
const SPIN_BEFORE_NS = 100_000;
const STARE_BEFORE_NS = 5_000;
/** Nothing is taken in when a packet is due sooner than this. */
const ARRIVALS_BEFORE_NS = 40_000;
/** The next batch is fetched when there is as much time as this: a message of this thread's takes up to a millisecond. */
const FETCH_BEFORE_NS = 1_500_000;
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

export class Sender {
  readonly #settings: SenderSettings;
  readonly #port: SenderPort;
  readonly #schedule: PaceSchedule;
  readonly #urgency = new Urgency();
  readonly #errors = new PacingErrors();
  readonly #directions: readonly [Direction, Direction];
  readonly #polls = new PollSet(2);
  readonly #receiver = new StampedReceiver(ARRIVALS_AT_ONCE, SLOT_BYTES);
  readonly #kept = new BatchMaker();
  /** What was fetched while there was time. */
  #fetched: SenderRequest | undefined;
  #keptBatches = 0;
  #arrivedNotKept = 0;
  #anchorNs = -1;
  #lastNs = 0;
  #starved = 0;
  #inRealTime = 0;

  constructor(settings: SenderSettings, port: SenderPort) {
    this.#settings = settings;
    this.#port = port;
    this.#schedule = new PaceSchedule(settings.pace);
    const { ends, arrivals, keepArrived } = settings;
    const keep = (which: 0 | 1): OnArrived | null =>
      keepArrived ? (frame, atNs) => this.#keep(frame, atNs, which) : null;
    // What comes out at site B's end left site A.
    this.#directions = [new Direction(ends[1], keep(0)), new Direction(ends[0], keep(1))];
    if (arrivals) for (const { fd } of ends) this.#polls.add(fd, POLLIN);
  }

  /** Sends every batch until the last. */
  run(): void {
    while (!this.#port.stopped) {
      const request = this.#next();
      if (request === undefined || request.type === 'last') break;
      this.#send(request.batch);
    }
    this.#linger();
    this.#handBack();
    this.#port.reply({ type: 'finished', report: this.#report() });
  }

  #next(): SenderRequest | undefined {
    let request = this.#fetched ?? this.#fetch();
    this.#fetched = undefined;
    if (request === undefined && this.#anchorNs >= 0) this.#starved++;
    while (request === undefined && !this.#port.stopped) {
      this.#takeArrivals(Number.POSITIVE_INFINITY);
      this.#port.wait(this.#anchorNs < 0 ? 100 : 1);
      request = this.#fetch();
    }
    return request;
  }

  #fetch(): SenderRequest | undefined {
    const request = this.#port.take();
    if (request?.type === 'batch') this.#port.reply({ type: 'wants' });
    return request;
  }

  #send(batch: FrameBatch): void {
    const base = addressOf(batch.bytes);
    if (this.#anchorNs < 0) this.#anchorNs = nowNs() + LEAD_NS;
    const { kind } = this.#settings.pace;
    for (let i = 0; i < batch.count; i++) {
      const dueNs = this.#anchorNs + this.#schedule.next(batch.capturedNs[i]!, batch.wireBytes[i]!);
      if (kind === 'top') this.#waitForRoom();
      else if (kind === 'one-at-a-time') this.#waitForArrival();
      else this.#waitUntil(dueNs);
      if (this.#port.stopped) return;
      this.#sendOne(batch.direction[i]!, base + batch.at[i]!, batch.length[i]!, batch.hash[i]!, dueNs);
    }
  }

  #sendOne(which: number, frameAddress: number, length: number, hash: number, dueNs: number): void {
    const direction = this.#directions[which]!;
    const { ends, pace } = this.#settings;
    const { fd, headerBytes } = ends[which]!;
    const [address, bytes] = [frameAddress - headerBytes, headerBytes + length];
    const atNs = nowNs();
    direction.noteSent(hash, length, atNs);
    if (pace.kind !== 'top' && pace.kind !== 'one-at-a-time') this.#errors.record(atNs - dueNs);
    this.#urgency.wakes(atNs);
    if (this.#urgency.isRealTime) this.#inRealTime++;
    this.#lastNs = atNs;
    if (writeBytes(fd, address, bytes) >= 0) return;
    const untilNs = atNs + BUSY_LIMIT_NS;
    do {
      this.#takeArrivals(untilNs);
      if (writeBytes(fd, address, bytes) >= 0) return;
    } while (nowNs() < untilNs && !this.#port.stopped);
    direction.refused++;
  }

  #waitUntil(dueNs: number): void {
    for (;;) {
      const atNs = nowNs();
      const leftNs = dueNs - atNs;
      if (leftNs <= 0) return;
      if (leftNs < STARE_BEFORE_NS) {
        while (nowNs() < dueNs);
        return;
      }
      if (leftNs > FETCH_BEFORE_NS && this.#fetched === undefined) this.#fetched = this.#fetch();
      const sleepNs = Math.min(ASLEEP_MAX_NS, leftNs - SPIN_BEFORE_NS);
      if (sleepNs > 0) this.#urgency.sleeps(atNs);
      if (this.#polls.wait(sleepNs) > 0) this.#takeArrivals(dueNs - ARRIVALS_BEFORE_NS);
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
        this.#takeArrivals(Number.POSITIVE_INFINITY);
      }
    }
    if (this.#sent % 64 === 0) this.#takeArrivals(Number.POSITIVE_INFINITY);
  }

  #waitForArrival(): void {
    if (!this.#settings.arrivals) return;
    const untilNs = nowNs() + this.#settings.patienceNs;
    while (!this.#port.stopped && this.#underWay(nowNs() - this.#settings.patienceNs) > 0) {
      const leftNs = Math.max(0, untilNs - nowNs());
      if (this.#polls.wait(Math.min(ASLEEP_MAX_NS, leftNs)) > 0) this.#takeArrivals(untilNs);
    }
  }

  get #sent(): number {
    return this.#directions[0].sent + this.#directions[1].sent;
  }

  #underWay(sinceNs: number): number {
    return this.#directions[0].ledger.underWay(sinceNs) + this.#directions[1].ledger.underWay(sinceNs);
  }

  /** Takes in what has come, while it is before this instant. */
  #takeArrivals(untilNs: number): void {
    if (!this.#settings.arrivals || nowNs() >= untilNs) return;
    for (const direction of this.#directions) direction.takeArrivals(this.#receiver, untilNs);
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
    this.#port.reply({ type: 'sent-all', frames: this.#sent });
    while (!this.#port.settled && !this.#port.stopped) {
      if (this.#polls.wait(LOOK_NS) > 0) this.#takeArrivals(Number.POSITIVE_INFINITY);
    }
    this.#takeArrivals(Number.POSITIVE_INFINITY);
  }

  #report(): SenderReport {
    return {
      directions: [this.#directions[0].report(), this.#directions[1].report()],
      pacingErrorNs: this.#errors.distribution(),
      driftNs: this.#errors.driftNs(),
      backwards: this.#schedule.backwards,
      starved: this.#starved,
      arrivedNotKept: this.#arrivedNotKept,
      realTimeShare: this.#sent === 0 ? 0 : this.#inRealTime / this.#sent,
      durationNs: Math.max(0, this.#lastNs - this.#anchorNs),
    };
  }
}
