/**
 * Two connections over a path in virtual time: one direction each a queue, a rate, loss, duplication, reordering and
 * a delay, all drawn from a seed. The source's memory is written to while it is sent; every byte really moves.
 */
import * as assert from 'uvu/assert';
import { PAGE_SIZE, type PageSet, Rng, TimeHeap } from '../../../src/core/index.js';
import {
  Bbr,
  Connection,
  type ConnectionOptions,
  DatagramPlan,
  ENCODING_RAW,
  PageInbox,
  PageOutbox,
  type PageRecords,
  type PageSink,
  RECORD_BYTES_MAX,
} from '../../../src/vmotion-protocol/index.js';

export const MS = 1_000_000;
/** Ethernet, IPv4 and UDP around a datagram, as the connection counts them. */
const OVERHEAD = 66;

export interface Path {
  readonly oneWayNs: number;
  readonly rateBps?: number;
  readonly queueBytes?: number;
  readonly loss?: number;
  readonly duplicate?: number;
  /** Probability of up to `reorderNs` more delay. */
  readonly reorder?: number;
  readonly reorderNs?: number;
  /** Datagrams above this vanish, and no ICMP tells. */
  readonly mtuBytes?: number;
  /** Nothing passes between these instants. */
  readonly downNs?: readonly [from: number, to: number];
  /** Drops these datagrams of the direction a → b, by the order in which they left. */
  readonly dropNth?: ReadonlySet<number>;
}

/** Guest memory whose pages say who they are: each 64-bit word holds the pfn and how often the page was written. */
export class Memory implements PageRecords {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly generation: Uint32Array;
  readonly sentGeneration: Int32Array;
  readonly encoding = ENCODING_RAW;
  deliveredPages = 0;

  constructor(readonly pages: number) {
    this.bytes = new Uint8Array(pages * PAGE_SIZE);
    this.words = new Uint32Array(this.bytes.buffer);
    this.generation = new Uint32Array(pages);
    this.sentGeneration = new Int32Array(pages).fill(-1);
  }

  /** Generation 0 is a page of zeros. */
  write(pfn: number, generation = this.generation[pfn]! + 1): void {
    this.generation[pfn] = generation;
    const from = pfn * (PAGE_SIZE / 4);
    for (let i = from; i < from + PAGE_SIZE / 4; i += 2) {
      this.words[i] = generation === 0 ? 0 : pfn + 1;
      this.words[i + 1] = generation;
    }
  }

  prepare(pfn: number): number {
    this.sentGeneration[pfn] = this.generation[pfn]!;
    return this.generation[pfn] === 0 ? 0 : PAGE_SIZE;
  }

  intact(pfn: number): boolean {
    return this.sentGeneration[pfn] === this.generation[pfn];
  }

  copy(pfn: number, offset: number, length: number, into: Uint8Array, at: number): void {
    const from = pfn * PAGE_SIZE + offset;
    into.set(this.bytes.subarray(from, from + length), at);
  }

  delivered(): void {
    this.deliveredPages++;
  }
}

/** The other side's memory: looks at each page as it becomes whole. */
export class Copy implements PageSink {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly rounds: { round: number; pages: number; atNs: number }[] = [];
  /** Bytes of records placed, by when. */
  placed = 0;
  /** Pages that held two contents when they were said to be whole. */
  torn = 0;
  #slots = new Uint8Array(0);
  nowNs = 0;

  constructor(pages: number) {
    this.bytes = new Uint8Array(pages * PAGE_SIZE);
    this.words = new Uint32Array(this.bytes.buffer);
  }

  collect(
    slot: number,
    _round: number,
    _pfn: number,
    _encoding: number,
    offset: number,
    bytes: Uint8Array,
    at: number,
    length: number,
  ): void {
    const end = (slot + 1) * RECORD_BYTES_MAX;
    if (end > this.#slots.length) {
      const grown = new Uint8Array(2 * end);
      grown.set(this.#slots);
      this.#slots = grown;
    }
    this.#slots.set(bytes.subarray(at, at + length), slot * RECORD_BYTES_MAX + offset);
    this.placed += length;
  }

  complete(slot: number, _round: number, pfn: number, encoding: number, recordBytes: number): boolean {
    assert.equal([encoding, recordBytes], [ENCODING_RAW, PAGE_SIZE]);
    const from = slot * RECORD_BYTES_MAX;
    this.bytes.set(this.#slots.subarray(from, from + PAGE_SIZE), pfn * PAGE_SIZE);
    const word = pfn * (PAGE_SIZE / 4);
    for (let i = word; i < word + PAGE_SIZE / 4; i += 2) {
      if (this.words[i] === pfn + 1 && this.words[i + 1] === this.words[word + 1]) continue;
      this.torn++;
      break;
    }
    return true;
  }

  zero(_round: number, pfn: number): void {
    this.bytes.fill(0, pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE);
  }

  roundApplied(round: number, pages: number): void {
    this.rounds.push({ round, pages, atNs: this.nowNs });
  }
}

interface Arrival {
  readonly to: Connection;
  readonly bytes: Uint8Array;
}

export type EndOptions = Partial<ConnectionOptions>;

export class SimulatedPath {
  readonly source: Connection;
  readonly destination: Connection;
  readonly memory: Memory;
  readonly copy: Copy;
  readonly outbox: PageOutbox;
  readonly inbox: PageInbox;
  nowNs = 0;
  sent = 0;
  sentAToB = 0;
  dropped = 0;
  queueDropped = 0;
  readonly trace: string[] = [];
  tracing = false;
  path: Path;
  readonly #heap = new TimeHeap<Arrival>();
  readonly #rng: Rng;
  readonly #busyNs = [0, 0];
  /** Called between two instants: the guest writes, the lab looks on. */
  onInstant: (nowNs: number) => void = () => {};
  readonly #plan = new DatagramPlan(new Uint8Array(16_384));
  readonly #out = new Uint8Array(16_384);

  constructor(path: Path, seed: string, pages: number, options: EndOptions = {}) {
    this.path = path;
    this.#rng = new Rng(seed);
    const common = { connectionId: 0x1234abcd, maxDatagramBytes: 1472 };
    this.source = new Connection({ ...common, initiator: true, congestion: new Bbr(), ...options });
    this.destination = new Connection({
      ...common,
      initiator: false,
      ...options,
      rateLimitBps: Infinity,
      congestion: new Bbr(),
    });
    this.memory = new Memory(pages);
    this.copy = new Copy(pages);
    this.outbox = new PageOutbox(pages, this.memory);
    this.inbox = new PageInbox(pages, this.copy);
    this.source.sendPages(this.outbox);
    this.destination.receivePages(this.inbox);
  }

  begin(round: number, set: PageSet): void {
    this.outbox.begin(round, set);
  }

  /** Runs until `done` or `limitNs`. @returns whether it was done */
  run(limitNs: number, done: () => boolean): boolean {
    for (;;) {
      this.#flush(this.source);
      this.#flush(this.destination);
      if (done()) return true;
      const wakeNs = Math.min(
        this.#heap.peekTimeNs(),
        this.source.nextWakeNs(),
        this.destination.nextWakeNs(),
      );
      if (wakeNs > limitNs) return false;
      this.nowNs = Math.max(this.nowNs, Math.ceil(wakeNs));
      this.copy.nowNs = this.nowNs;
      this.onInstant(this.nowNs);
      while (this.#heap.peekTimeNs() <= this.nowNs) {
        const { to, bytes } = this.#heap.pop()!;
        to.receive(this.nowNs, bytes, new DataView(bytes.buffer), 0, bytes.length);
      }
    }
  }

  #flush(from: Connection): void {
    const plan = this.#plan;
    let n = 0;
    while (from.poll(this.nowNs, plan, 0, false)) {
      this.#transmit(from, this.#gather());
      if (++n > 100_000) throw new Error('poll never ends');
    }
    assert.ok(from.nextWakeNs() > this.nowNs, 'poll leaves nothing that is due at once: no spin');
  }

  /** What a kernel does with the plan: headers and page bytes in their order. */
  #gather(): Uint8Array {
    const { start, end, bytes, cuts, cutAt, cutPfn, cutOffset, cutLength, length } = this.#plan;
    let from = start;
    let to = 0;
    for (let i = 0; i < cuts; i++) {
      this.#out.set(bytes.subarray(from, cutAt[i]!), to);
      to += cutAt[i]! - from;
      from = cutAt[i]!;
      this.memory.copy(cutPfn[i]!, cutOffset[i]!, cutLength[i]!, this.#out, to);
      to += cutLength[i]!;
    }
    this.#out.set(bytes.subarray(from, end), to);
    assert.is(to + end - from, length, 'the plan says how long it is');
    return this.#out.slice(0, length);
  }

  #transmit(from: Connection, bytes: Uint8Array): void {
    const p = this.path;
    const lane = from === this.source ? 0 : 1;
    this.sent++;
    const nth = lane === 0 ? this.sentAToB++ : -1;
    if (this.tracing)
      this.trace.push(`${this.nowNs} ${lane} ${Buffer.from(bytes.subarray(0, 48)).toString('hex')}`);
    let leaveNs = this.nowNs;
    if (p.rateBps !== undefined) {
      const waitNs = Math.max(0, this.#busyNs[lane]! - this.nowNs);
      if ((waitNs * p.rateBps) / 8e9 > p.queueBytes!) {
        this.queueDropped++;
        return;
      }
      this.#busyNs[lane] = this.nowNs + waitNs + ((bytes.length + OVERHEAD) * 8e9) / p.rateBps;
      leaveNs = Math.ceil(this.#busyNs[lane]!);
    }
    const down = p.downNs !== undefined && this.nowNs >= p.downNs[0] && this.nowNs < p.downNs[1];
    const lost =
      this.#rng.chance(p.loss ?? 0) ||
      down ||
      bytes.length > (p.mtuBytes ?? Infinity) ||
      p.dropNth?.has(nth) === true;
    if (lost) this.dropped++;
    const copies = lost ? 0 : this.#rng.chance(p.duplicate ?? 0) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      const extraNs = this.#rng.chance(p.reorder ?? 0) ? this.#rng.below(p.reorderNs!) : 0;
      this.#heap.push(leaveNs + p.oneWayNs + extraNs, {
        to: lane === 0 ? this.destination : this.source,
        bytes,
      });
    }
  }
}
