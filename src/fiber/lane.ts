/**
 * One direction of one span: two queues, a transmitter, and light in glass.
 *
 *                class 0 ─►│ tail … head │─┐ first
 *   frame-offered          queue-full      ├──► transmitter ──► loss ──► glass ──────► deliver
 *                class 1 ─►│ tail … head │─┘    wireBits/rate   drawn    oneWay        (or drop: loss)
 *                                               one at a time   here     in order
 *
 * The lane is evaluated lazily and exactly. Nothing is done at the end of a serialisation until the
 * lane is next stepped, and then it is done for the instant it belongs to: a frame that waits starts
 * when the one before it ends (`busyUntil`), one that finds the transmitter idle when it is offered,
 * never at a late `now`. So a driver that is late by any amount gets the same actions with the same
 * `dueNs`, and it is woken once per release, not per serialisation.
 *
 *  · Instants are exact (see busy-until.ts). `dueNs` is rounded up: never early, less than 1 ns late a
 *    span; the fraction stays in `busyUntil`.
 *  · At one instant, what is given comes before what the lane does by itself: a class 0 frame offered
 *    just when the transmitter comes free goes ahead of a class 1 frame that waits, and a setting
 *    changed then applies already. An idle transmitter takes the first frame it is offered at once.
 *  · Class 0 goes first; a frame that has begun is finished (strict priority, IEEE 802.1Q-2018, 8.6.8.1).
 *    Each class has a queue of its own, so vMotion's backlog takes no room from the guest.
 *  · A change applies to what comes after it: `rateBps` to serialisations that begin, `oneWayNs` and
 *    `lossProb` to frames whose last bit leaves. No arrival is before the previous one: a delay lowered
 *    while running reorders nothing.
 *  · A super-frame is sent as one and arrives with its last packet.
 *  · Link down does what a real interface does: what waits, what is on the transmitter (a super-frame
 *    whole) and what is offered is dropped as `link-down`; what is in the glass arrives.
 *
 * Left out: corruption, duplication, jitter (it would be added in `#arrivalNs`, before the ordering rule).
 */
import { type Machine, Ring, type Rng } from '../core/index.js';
import { count, type DropReason, type LaneCounters, newDropTallies, newTally } from './accounting.js';
import { BusyUntil } from './busy-until.js';
import { type HeldFrame, HeldFramePool } from './held-frame.js';
import { type FrameOffered, type LaneAction, type LaneEvent, TRAFFIC_CLASSES } from './lane-contract.js';
import { BernoulliLoss, type LossModel } from './loss.js';
import { mergeLost } from './lost-packets.js';
import { DropTail, type QueueDiscipline } from './queue-discipline.js';
import type { Direction, LaneSettings } from './settings.js';

/** Where a lane lies, and what replaces its standard parts. */
export interface LaneOptions {
  readonly direction?: Direction;
  readonly span?: number;
  /** Replaces Bernoulli loss, until `lossProb` is changed. */
  readonly loss?: LossModel;
  /** Replaces drop-tail; asked for both classes, each with its own backlog. */
  readonly queue?: QueueDiscipline;
}

export class Lane implements Machine<LaneEvent, LaneAction> {
  readonly #direction: Direction;
  readonly #span: number;
  readonly #rng: Rng;
  readonly #discipline: QueueDiscipline;
  #settings: LaneSettings;
  #loss: LossModel;

  readonly #pool = new HeldFramePool();
  readonly #queues = [new Ring<HeldFrame>(64), new Ring<HeldFrame>(64)] as const;
  #serving: HeldFrame | null = null;
  /** While a frame is served, when its last bit leaves. A frame waits only while another is served. */
  readonly #busyUntil = new BusyUntil();
  /** In order of arrival. */
  readonly #glass = new Ring<HeldFrame>(64);
  #lastArrivalNs = 0;
  /** Scratch for the loss model. */
  readonly #hits: number[] = [];

  readonly #offered = newTally();
  readonly #backlogs = [newTally(), newTally()] as const;
  readonly #inFlight = newTally();
  readonly #delivered = newTally();
  readonly #dropped = newDropTallies();
  #queuePeakBytes = 0;

  /** @param rng a fork of the lane's own: `rng.fork('loss a→b span 0')` */
  constructor(settings: LaneSettings, rng: Rng, options: LaneOptions = {}) {
    this.#settings = settings;
    this.#rng = rng;
    this.#direction = options.direction ?? 'a-b';
    this.#span = options.span ?? 0;
    this.#loss = options.loss ?? new BernoulliLoss(settings.lossProb, rng);
    this.#discipline = options.queue ?? new DropTail(() => this.#settings);
  }

  /** As they are now. */
  get settings(): LaneSettings {
    return this.#settings;
  }

  /** O(1) per frame, amortised; allocates nothing but the action. */
  step(nowNs: number, event: LaneEvent, out: LaneAction[]): void {
    this.#transmit(nowNs, false, out);
    this.#release(nowNs, out);
    if (event.type === 'woke') return;
    if (event.type === 'changed') {
      this.#change(event.set, out);
      return;
    }
    this.#offer(nowNs, event, out);
    this.#transmit(nowNs, true, out);
    this.#release(nowNs, out);
  }

  /** The earliest instant at which something can arrive. O(1). */
  nextWakeNs(): number {
    const first = this.#glass.peek();
    if (first !== undefined) return first.dueNs;
    if (this.#serving === null) return Number.POSITIVE_INFINITY;
    // A serialisation's end is settled once its instant has passed: 1 ns after an arrival without delay.
    return Math.max(this.#arrivalNs(), this.#busyUntil.floorNs + 1);
  }

  /** A snapshot as of the last step. */
  counters(): LaneCounters {
    const queued = newTally();
    for (const { frames, packets, wireBytes } of this.#backlogs) count(queued, frames, packets, wireBytes);
    const dropped = newDropTallies();
    for (const reason of Object.keys(dropped) as DropReason[]) dropped[reason] = { ...this.#dropped[reason] };
    return {
      offered: { ...this.#offered },
      delivered: { ...this.#delivered },
      dropped,
      queued,
      inFlight: { ...this.#inFlight },
      queuePeakBytes: this.#queuePeakBytes,
    };
  }

  // ── entry ───────────────────────────────────────────────────────────────────────────────────────

  #offer(nowNs: number, event: FrameOffered, out: LaneAction[]): void {
    const held = this.#pool.take(nowNs, event);
    count(this.#offered, 1, held.packets, held.wireBytes);
    if (this.#settings.link === 'down') {
      this.#drop(held, 'link-down', out);
    } else if (this.#serving === null) {
      this.#busyUntil.set(nowNs);
      this.#serve(held);
    } else {
      this.#enqueue(held, out);
    }
  }

  #enqueue(held: HeldFrame, out: LaneAction[]): void {
    const backlog = this.#backlogs[held.trafficClass];
    const admitted = this.#discipline.admits(held, backlog);
    if (admitted <= 0) {
      this.#drop(held, 'queue-full', out);
      return;
    }
    if (admitted < held.packets) this.#cutTail(held, admitted);
    this.#queues[held.trafficClass].push(held);
    count(backlog, 1, held.packets, held.wireBytes);
    if (backlog.wireBytes > this.#queuePeakBytes) this.#queuePeakBytes = backlog.wireBytes;
  }

  /** Drops all packets of a super-frame but the first `kept` ≥ 1: the queue had no room for more. */
  #cutTail(held: HeldFrame, kept: number): void {
    const cut = Array.from({ length: held.packets - kept }, (_, i) => kept + i);
    const keptBytes = kept * held.packetBytes;
    count(this.#dropped['queue-full'], 0, cut.length, held.wireBytes - keptBytes);
    held.lost = mergeLost(held.lost, cut);
    held.packets = kept;
    held.wireBytes = keptBytes;
  }

  // ── transmitter ─────────────────────────────────────────────────────────────────────────────────

  /** Ends the serialisations due before `nowNs` (`inclusive`: or at it) and begins those that follow them. */
  #transmit(nowNs: number, inclusive: boolean, out: LaneAction[]): void {
    while (this.#serving !== null) {
      if (!this.#busyUntil.isBefore(nowNs) && !(inclusive && this.#busyUntil.isAt(nowNs))) return;
      this.#propagate(this.#serving);
      this.#serving = null;
      this.#serveNext(out);
    }
  }

  /** Begins the head of the better class at `busyUntil`, passing over what the discipline drops there. */
  #serveNext(out: LaneAction[]): void {
    for (const trafficClass of TRAFFIC_CLASSES) {
      const queue = this.#queues[trafficClass];
      const backlog = this.#backlogs[trafficClass];
      for (let held = queue.shift(); held !== undefined; held = queue.shift()) {
        count(backlog, -1, -held.packets, -held.wireBytes);
        if (this.#discipline.keeps(held, backlog, this.#busyUntil.floorNs)) {
          this.#serve(held);
          return;
        }
        this.#drop(held, 'queue-aqm', out);
      }
    }
  }

  #serve(held: HeldFrame): void {
    this.#serving = held;
    count(this.#inFlight, 1, held.packets, held.wireBytes);
    this.#busyUntil.addBytes(held.wireBytes, this.#settings.rateBps);
  }

  // ── glass ───────────────────────────────────────────────────────────────────────────────────────

  /** When the frame on the transmitter arrives, if nothing changes before its last bit leaves. */
  #arrivalNs(): number {
    return Math.max(this.#busyUntil.ceilNs + this.#settings.oneWayNs, this.#lastArrivalNs);
  }

  /** The last bit has left: what is lost and when the rest arrives is settled here. */
  #propagate(held: HeldFrame): void {
    const hits = this.#hits;
    hits.length = 0;
    this.#loss.hits(held.packets, hits);
    if (hits.length > 0) markHits(held, hits);
    held.dueNs = this.#arrivalNs();
    this.#lastArrivalNs = held.dueNs;
    this.#glass.push(held);
  }

  #release(nowNs: number, out: LaneAction[]): void {
    for (let held = this.#glass.peek(); held !== undefined; held = this.#glass.peek()) {
      if (held.dueNs > nowNs) return;
      this.#glass.shift();
      count(this.#inFlight, -1, -held.packets, -held.wireBytes);
      if (held.hitPackets === held.packets) this.#drop(held, 'loss', out);
      else this.#deliver(held, out);
    }
  }

  #deliver(held: HeldFrame, out: LaneAction[]): void {
    const packets = held.packets - held.hitPackets;
    const wireBytes = held.wireBytes - held.hitBytes;
    count(this.#delivered, 1, packets, wireBytes);
    count(this.#dropped.loss, 0, held.hitPackets, held.hitBytes);
    out.push({
      type: 'deliver',
      direction: this.#direction,
      span: this.#span,
      frame: held.frame,
      trafficClass: held.trafficClass,
      dueNs: held.dueNs,
      lost: held.lost,
      packets,
      wireBytes,
      packetBytes: held.packetBytes,
    });
    this.#pool.give(held);
  }

  // ── changes ─────────────────────────────────────────────────────────────────────────────────────

  #change(set: Partial<LaneSettings>, out: LaneAction[]): void {
    this.#settings = { ...this.#settings, ...set };
    if (set.lossProb !== undefined) this.#loss = new BernoulliLoss(set.lossProb, this.#rng);
    if (set.link === 'down') this.#flush(out);
  }

  /** Drops what has not left yet, in the order in which it would have. */
  #flush(out: LaneAction[]): void {
    if (this.#serving !== null) {
      count(this.#inFlight, -1, -this.#serving.packets, -this.#serving.wireBytes);
      this.#drop(this.#serving, 'link-down', out);
      this.#serving = null;
    }
    for (const trafficClass of TRAFFIC_CLASSES) {
      const queue = this.#queues[trafficClass];
      for (let held = queue.shift(); held !== undefined; held = queue.shift()) {
        count(this.#backlogs[trafficClass], -1, -held.packets, -held.wireBytes);
        this.#drop(held, 'link-down', out);
      }
    }
  }

  /** Drops the whole frame. */
  #drop(held: HeldFrame, reason: DropReason, out: LaneAction[]): void {
    const { frame, packets, wireBytes } = held;
    count(this.#dropped[reason], 1, packets, wireBytes);
    out.push({
      type: 'drop',
      direction: this.#direction,
      span: this.#span,
      frame,
      reason,
      packets,
      wireBytes,
    });
    this.#pool.give(held);
  }
}

/** Notes which packets of a frame are lost. @param hits positions among its packets, ascending, not empty, not kept */
function markHits(held: HeldFrame, hits: readonly number[]): void {
  const { packets, wireBytes, packetBytes } = held;
  const lastBytes = wireBytes - (packets - 1) * packetBytes;
  const hitsLast = hits[hits.length - 1] === packets - 1;
  held.hitPackets = hits.length;
  held.hitBytes = hitsLast ? (hits.length - 1) * packetBytes + lastBytes : hits.length * packetBytes;
  if (hits.length < packets) held.lost = mergeLost(held.lost, hits);
}
