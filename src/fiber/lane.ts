/**
 * One direction of one span: two queues, a transmitter, and light in glass.
 *
 *                class 0 ─►│ tail … head │─┐ first
 *   frame-offered          queue-full      ├──► transmitter ──► impairments ──► glass ──────► deliver
 *                class 1 ─►│ tail … head │─┘    wireBits/rate   loss, damage    oneWay        (or drop: loss)
 *                            queue-aqm          one at a time   and copies      + jitter
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
 *  · A change applies to what comes after it: `rateBps` and `jitter` to serialisations that begin,
 *    `oneWayNs` and the impairments to frames whose last bit leaves, limits and discipline to what
 *    is judged next.
 *  · No arrival is before the previous one, whatever delay and jitter say, unless `reorder` is set: then
 *    each frame arrives at its own time, and those of one instant in the order in which they left.
 *  · A super-frame is sent as one and arrives with its last packet. Copies arrive with the original.
 *  · Link down does what a real interface does: what waits, what is on the transmitter (a super-frame
 *    whole) and what is offered is dropped as `link-down`; what is in the glass arrives.
 */
import { type Machine, Ring, type Rng } from '../core/index.js';
import {
  count,
  type DropReason,
  type LaneCounters,
  newDropTallies,
  newTally,
  type Tally,
} from './accounting.js';
import { BusyUntil } from './busy-until.js';
import { Glass } from './glass.js';
import { type HeldFrame, HeldFramePool } from './held-frame.js';
import { Impairments } from './impairments.js';
import { type Jitter, type JitterSettings, newJitter } from './jitter.js';
import type { FrameOffered, LaneAction, LaneEvent } from './lane-contract.js';
import type { LossModel } from './loss.js';
import { mergeLost } from './lost-packets.js';
import type { QueueDiscipline } from './queue-discipline.js';
import { newQueueDiscipline } from './queue-settings.js';
import { type Direction, type LaneSettings, withChanges } from './settings.js';
import { TRAFFIC_CLASSES } from './traffic-class.js';

/** Where a lane lies, and what replaces its standard parts. */
export interface LaneOptions {
  readonly direction?: Direction;
  readonly span?: number;
  /** The instant that the times of scripted drops count from; 0 when left out. */
  readonly epochNs?: number;
  /** Replaces the loss that the settings name, until that is changed. */
  readonly loss?: LossModel;
  /** Replaces the discipline that the settings name; asked for both classes, each with its own backlog. */
  readonly queue?: QueueDiscipline;
}

export class Lane implements Machine<LaneEvent, LaneAction> {
  readonly #direction: Direction;
  readonly #span: number;
  readonly #jitterRng: Rng;
  readonly #impairments: Impairments;
  #settings: LaneSettings;
  #disciplines: readonly [QueueDiscipline, QueueDiscipline];
  #jitter: Jitter | null;

  readonly #pool = new HeldFramePool();
  readonly #queues = [new Ring<HeldFrame>(64), new Ring<HeldFrame>(64)] as const;
  #serving: HeldFrame | null = null;
  /** While a frame is served, when its last bit leaves. A frame waits only while another is served. */
  readonly #busyUntil = new BusyUntil();
  readonly #glass = new Glass();
  /** The latest arrival of all that has entered the glass. */
  #lastArrivalNs = 0;

  readonly #offered = newTally();
  readonly #backlogs = [newTally(), newTally()] as const;
  readonly #inFlight = newTally();
  readonly #duplicated = newTally();
  readonly #delivered = newTally();
  readonly #dropped = newDropTallies();
  #queuePeakBytes = 0;

  /** @param rng the experiment's: each purpose draws from a fork of its own, `loss a→b span 0`, `jitter a→b span 0`, … */
  constructor(settings: LaneSettings, rng: Rng, options: LaneOptions = {}) {
    const { direction = 'a-b', span = 0, epochNs = 0, loss, queue } = options;
    const way = direction === 'a-b' ? 'a→b' : 'b→a';
    const fork = (purpose: string) => rng.fork(`${purpose} ${way} span ${span}`);
    this.#settings = settings;
    this.#direction = direction;
    this.#span = span;
    this.#jitterRng = fork('jitter');
    this.#impairments = new Impairments(settings, fork, this.#pool, epochNs, loss);
    this.#disciplines = queue ? [queue, queue] : this.#newDisciplines();
    this.#jitter = this.#newJitter(settings.jitter);
    this.#glass.setReorder(settings.reorder);
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
      this.#change(nowNs, event.set, out);
      return;
    }
    this.#offer(nowNs, event, out);
    this.#transmit(nowNs, true, out);
    this.#release(nowNs, out);
  }

  /** The earliest instant at which something can arrive. O(1). */
  nextWakeNs(): number {
    const firstNs = this.#glass.firstDueNs();
    if (this.#serving === null) return firstNs;
    if (firstNs !== Number.POSITIVE_INFINITY && !this.#settings.reorder) return firstNs;
    // A serialisation's end is settled once its instant has passed: 1 ns after an arrival without delay.
    const settledNs = this.#busyUntil.floorNs + 1;
    // What waits may overtake what is ahead of it: when it arrives is known once its serialisation begins.
    if (this.#settings.reorder && this.#waits()) return Math.min(firstNs, settledNs);
    return Math.min(firstNs, Math.max(this.#arrivalNs(this.#serving), settledNs));
  }

  /** A snapshot as of the last step. */
  counters(): LaneCounters {
    const queued = newTally();
    for (const { frames, packets, wireBytes } of this.#backlogs) count(queued, frames, packets, wireBytes);
    const dropped = newDropTallies();
    for (const reason of Object.keys(dropped) as DropReason[]) dropped[reason] = { ...this.#dropped[reason] };
    return {
      offered: { ...this.#offered },
      duplicated: { ...this.#duplicated },
      corrupted: { ...this.#impairments.corrupted },
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
      this.#busyUntil.setAtLeast(held.offeredNs);
      this.#serve(held);
    } else {
      this.#enqueue(held, out);
    }
  }

  #enqueue(held: HeldFrame, out: LaneAction[]): void {
    const backlog = this.#backlogs[held.trafficClass];
    const discipline = this.#disciplines[held.trafficClass];
    const admitted = discipline.admits(held, backlog);
    if (admitted <= 0) {
      this.#drop(held, discipline.overflow ?? 'queue-full', out);
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
        if (this.#keeps(held, backlog)) {
          this.#serve(held);
          return;
        }
        this.#drop(held, 'queue-aqm', out);
      }
    }
  }

  /** Asks the discipline about one packet of the frame after another until one is kept. False when only the last is left and it is not. */
  #keeps(held: HeldFrame, backlog: Tally): boolean {
    const discipline = this.#disciplines[held.trafficClass];
    while (!discipline.keeps(held, backlog, this.#busyUntil.floorNs)) {
      if (held.packets === 1) return false;
      count(this.#dropped['queue-aqm'], 0, 1, held.packetBytes);
      held.lost = mergeLost(held.lost, FIRST);
      held.packets--;
      held.wireBytes -= held.packetBytes;
    }
    return true;
  }

  #serve(held: HeldFrame): void {
    this.#serving = held;
    count(this.#inFlight, 1, held.packets, held.wireBytes);
    this.#busyUntil.addBytes(held.wireBytes, this.#settings.rateBps);
    if (this.#jitter !== null) held.jitterNs = this.#jitter.drawNs();
  }

  #waits(): boolean {
    return this.#queues[0].size > 0 || this.#queues[1].size > 0;
  }

  // ── glass ───────────────────────────────────────────────────────────────────────────────────────

  /** When the frame on the transmitter arrives, if nothing changes before its last bit leaves. */
  #arrivalNs(held: HeldFrame): number {
    const delayNs = Math.max(0, this.#settings.oneWayNs + held.jitterNs);
    const arrivalNs = this.#busyUntil.ceilNs + delayNs;
    return this.#settings.reorder ? arrivalNs : Math.max(arrivalNs, this.#lastArrivalNs);
  }

  /** The last bit has left: what befalls the frame and when it arrives is settled here. */
  #propagate(held: HeldFrame): void {
    const copy = this.#impairments.strike(held, this.#busyUntil.ceilNs);
    held.dueNs = this.#arrivalNs(held);
    if (held.dueNs > this.#lastArrivalNs) this.#lastArrivalNs = held.dueNs;
    this.#glass.push(held);
    if (copy === null) return;
    copy.dueNs = held.dueNs;
    count(this.#duplicated, 1, copy.packets, copy.wireBytes);
    count(this.#inFlight, 1, copy.packets, copy.wireBytes);
    this.#glass.push(copy);
  }

  #release(nowNs: number, out: LaneAction[]): void {
    while (this.#glass.firstDueNs() <= nowNs) {
      const held = this.#glass.shift();
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
      corrupted: held.corrupted,
      corruptSeed: held.corruptSeed,
      duplicate: held.duplicate,
      last: held.last,
    });
    this.#pool.give(held);
  }

  // ── changes ─────────────────────────────────────────────────────────────────────────────────────

  #change(nowNs: number, set: Partial<LaneSettings>, out: LaneAction[]): void {
    this.#settings = withChanges(this.#settings, set);
    this.#impairments.change(this.#settings, set);
    if (set.queueDiscipline !== undefined) this.#disciplines = this.#newDisciplines();
    if (set.jitter !== undefined) this.#jitter = this.#newJitter(set.jitter);
    if (set.reorder !== undefined) this.#glass.setReorder(set.reorder);
    if (set.link === 'down') this.#flush(nowNs, out);
  }

  #newDisciplines(): readonly [QueueDiscipline, QueueDiscipline] {
    const make = () => newQueueDiscipline(this.#settings.queueDiscipline, () => this.#settings);
    return [make(), make()];
  }

  #newJitter(jitter: JitterSettings | null): Jitter | null {
    return jitter === null ? null : newJitter(jitter, this.#jitterRng);
  }

  /** Drops what has not left yet, in the order in which it would have. */
  #flush(nowNs: number, out: LaneAction[]): void {
    this.#busyUntil.set(nowNs);
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
      last: held.last,
    });
    this.#pool.give(held);
  }
}

/** The position of the packet at the head of a super-frame. */
const FIRST = [0] as const;
