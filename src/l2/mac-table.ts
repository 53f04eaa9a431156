/**
 * The bridge's filtering database: which port a MAC address was last heard on, and when.
 *
 *   slot:   0       1       2       3      …        open addressing with linear probing over
 *   high  [       | 28 bit| 28 bit|       |   ]     typed arrays, at most half full; an entry is
 *   low   [       | 32 bit| 32 bit|       |   ]     removed by shifting its followers back, so
 *   ports [ EMPTY | 2     | 1     | EMPTY |   ]     there are no tombstones
 *   heard [       | ns    | ns    |       |   ]
 *
 *   high = │ VID 12 bits │ MAC, upper 16 bits │     low = │ MAC, lower 32 bits │
 *
 * The same address in two VLANs is two entries (independent learning); without VLANs the VID is 0.
 * An address is kept and compared as two integers: passed around as one 48-bit number it would be boxed, an
 * allocation for each address of each frame.
 * Entries age lazily: an expired one is not found, and each new address lets a hand sweep a few slots, so a
 * flood of addresses costs a bounded number of steps each and never an allocation. A full table learns
 * nothing new and says so (frames to those addresses are flooded, as from any full bridge).
 * Source: IEEE 802.1Q-2022, 8.8 and the ageing time of Table 8-6 (300 s recommended, 10 s to 10^6 s).
 * Independent VLAN learning: 8.8.8. Left out: static entries.
 */
import { ConfigError, NS_PER_S } from '../core/index.js';
import type { L2ErrorCode } from './errors.js';
import { readU16, readU32 } from './wire/bytes.js';

export const DEFAULT_MAC_AGING_NS = 300 * NS_PER_S;
export const DEFAULT_MAC_CAPACITY = 8192;
const MIN_AGING_NS = NS_PER_S / 1000;
const MAX_AGING_NS = 1_000_000 * NS_PER_S;
const MAX_CAPACITY = 2 ** 20;

/** Where the VID begins in the upper half. */
const VID_SHIFT = 16;
/** In place of a port number: nothing here. */
const EMPTY = -1;
/** What the upper 16 bits of an address count. */
const HIGH_UNIT = 0x1_0000_0000;
/** Slots swept for expired entries per new address: at half load, more than one entry leaves for each that comes. */
const SWEEP_SLOTS = 8;
/** A chain longer than this means chosen addresses, not chance (at half load the mean is under two). */
const MAX_PROBES = 128;

/** What `learn` found. */
export const LEARN_KNOWN = 0;
export const LEARN_NEW = 1;
/** The address was known on another port, and is on this one now. */
export const LEARN_MOVED = 2;
/** No room: not learned. */
export const LEARN_FULL = 3;

export interface MacTableOptions {
  /** How long an address is believed after it was last heard. */
  readonly agingNs?: number;
  /** Addresses at most. */
  readonly capacity?: number;
}

export interface MacTableCounters {
  /** Entries held, expired ones not yet swept included. */
  readonly size: number;
  readonly learned: number;
  readonly moved: number;
  /** Entries that expired and were removed. */
  readonly aged: number;
  /** Entries removed with their port. */
  readonly forgotten: number;
  /** Addresses not learned because the table was full. */
  readonly refused: number;
}

export interface MacEntry {
  /** 0 on a bridge without VLANs. */
  readonly vid: number;
  readonly mac: number;
  readonly port: number;
  readonly heardNs: number;
}

export class MacTable {
  readonly agingNs: number;
  readonly capacity: number;
  readonly #high: Int32Array;
  readonly #low: Int32Array;
  readonly #heardNs: Float64Array;
  readonly #ports: Int32Array;
  readonly #mask: number;
  #hand = 0;
  #size = 0;
  #learned = 0;
  #moved = 0;
  #aged = 0;
  #forgotten = 0;
  #refused = 0;

  /** @throws ConfigError `L2_MAC_TABLE_RANGE` */
  constructor(options: MacTableOptions = {}) {
    this.agingNs = options.agingNs ?? DEFAULT_MAC_AGING_NS;
    this.capacity = options.capacity ?? DEFAULT_MAC_CAPACITY;
    if (!(this.agingNs >= MIN_AGING_NS && this.agingNs <= MAX_AGING_NS)) {
      throw rangeError(
        `MAC aging of ${this.agingNs} ns is outside 1 ms..1000000 s`,
        'the standard recommends 300 s',
      );
    }
    if (!Number.isInteger(this.capacity) || this.capacity < 1 || this.capacity > MAX_CAPACITY) {
      throw rangeError(`MAC capacity ${this.capacity} is outside 1..${MAX_CAPACITY}`, 'the default is 8192');
    }
    const slots = 2 ** Math.ceil(Math.log2(this.capacity * 2));
    this.#mask = slots - 1;
    this.#high = new Int32Array(slots);
    this.#low = new Int32Array(slots);
    this.#heardNs = new Float64Array(slots);
    this.#ports = new Int32Array(slots).fill(EMPTY);
  }

  /**
   * Notes that `mac` was heard on `port` (≥ 0) in VLAN `vid` (0..4095). A move takes effect at once: that is what makes an
   * announcement after a switchover work.
   * @returns one of `LEARN_KNOWN`, `LEARN_NEW`, `LEARN_MOVED`, `LEARN_FULL`
   */
  learn(nowNs: number, mac: number, port: number, vid = 0): number {
    return this.#learn(nowNs, highOf(mac, vid), lowOf(mac), port);
  }

  /** `learn` for the address in the six bytes at `at`. Allocates nothing. */
  learnAt(nowNs: number, b: Uint8Array, at: number, port: number, vid = 0): number {
    return this.#learn(nowNs, (vid << VID_SHIFT) | readU16(b, at), readU32(b, at + 2) | 0, port);
  }

  /** The port `mac` was last heard on; -1 when it is unknown or has aged out. Changes nothing. */
  lookup(nowNs: number, mac: number, vid = 0): number {
    return this.#lookup(nowNs, highOf(mac, vid), lowOf(mac));
  }

  /** `lookup` for the address in the six bytes at `at`. Allocates nothing. */
  lookupAt(nowNs: number, b: Uint8Array, at: number, vid = 0): number {
    return this.#lookup(nowNs, (vid << VID_SHIFT) | readU16(b, at), readU32(b, at + 2) | 0);
  }

  /** Removes every address heard on `port`. O(capacity). */
  forgetPort(port: number): void {
    for (let slot = 0; slot <= this.#mask; slot++) {
      // Removal shifts a follower into this slot: look at it again.
      while (port !== EMPTY && this.#ports[slot] === port) {
        this.#remove(slot);
        this.#forgotten++;
      }
    }
  }

  /** The entries believed at `nowNs`, by VLAN and address; for people and tests, O(capacity). */
  entries(nowNs: number): MacEntry[] {
    const found: MacEntry[] = [];
    for (let slot = 0; slot <= this.#mask; slot++) {
      const heardNs = this.#heardNs[slot]!;
      if (this.#ports[slot] === EMPTY || nowNs - heardNs > this.agingNs) continue;
      const vid = this.#high[slot]! >>> VID_SHIFT;
      const mac = (this.#high[slot]! & 0xffff) * HIGH_UNIT + (this.#low[slot]! >>> 0);
      found.push({ vid, mac, port: this.#ports[slot]!, heardNs });
    }
    return found.sort((a, b) => a.vid - b.vid || a.mac - b.mac);
  }

  counters(): MacTableCounters {
    return {
      size: this.#size,
      learned: this.#learned,
      moved: this.#moved,
      aged: this.#aged,
      forgotten: this.#forgotten,
      refused: this.#refused,
    };
  }

  #learn(nowNs: number, high: number, low: number, port: number): number {
    const slot = this.#find(high, low);
    if (slot < 0) return this.#insert(nowNs, high, low, port);
    const fresh = nowNs - this.#heardNs[slot]! <= this.agingNs;
    this.#heardNs[slot] = nowNs;
    if (fresh && this.#ports[slot] === port) return LEARN_KNOWN;
    this.#ports[slot] = port;
    if (fresh) {
      this.#moved++;
      return LEARN_MOVED;
    }
    this.#aged++;
    this.#learned++;
    return LEARN_NEW;
  }

  #lookup(nowNs: number, high: number, low: number): number {
    const slot = this.#find(high, low);
    return slot >= 0 && nowNs - this.#heardNs[slot]! <= this.agingNs ? this.#ports[slot]! : -1;
  }

  #find(high: number, low: number): number {
    let slot = this.#home(high, low);
    for (let probes = 0; probes < MAX_PROBES; probes++) {
      if (this.#ports[slot] === EMPTY) return -1;
      if (this.#low[slot] === low && this.#high[slot] === high) return slot;
      slot = (slot + 1) & this.#mask;
    }
    return -1;
  }

  #insert(nowNs: number, high: number, low: number, port: number): number {
    this.#sweep(nowNs);
    let slot = this.#home(high, low);
    let probes = 0;
    while (this.#ports[slot] !== EMPTY && probes < MAX_PROBES) {
      slot = (slot + 1) & this.#mask;
      probes++;
    }
    if (this.#size >= this.capacity || probes >= MAX_PROBES) {
      this.#refused++;
      return LEARN_FULL;
    }
    this.#high[slot] = high;
    this.#low[slot] = low;
    this.#heardNs[slot] = nowNs;
    this.#ports[slot] = port;
    this.#size++;
    this.#learned++;
    return LEARN_NEW;
  }

  #sweep(nowNs: number): void {
    for (let n = 0; n < SWEEP_SLOTS; n++) {
      if (this.#ports[this.#hand] !== EMPTY && nowNs - this.#heardNs[this.#hand]! > this.agingNs) {
        this.#remove(this.#hand);
        this.#aged++;
      } else {
        this.#hand = (this.#hand + 1) & this.#mask;
      }
    }
  }

  /** Empties a slot and closes the gap: a follower moves back unless that would put it before its home. */
  #remove(slot: number): void {
    let gap = slot;
    for (let next = (gap + 1) & this.#mask; this.#ports[next] !== EMPTY; next = (next + 1) & this.#mask) {
      const fromHome = (next - this.#home(this.#high[next]!, this.#low[next]!)) & this.#mask;
      if (fromHome < ((next - gap) & this.#mask)) continue;
      this.#high[gap] = this.#high[next]!;
      this.#low[gap] = this.#low[next]!;
      this.#heardNs[gap] = this.#heardNs[next]!;
      this.#ports[gap] = this.#ports[next]!;
      gap = next;
    }
    this.#ports[gap] = EMPTY;
    this.#size--;
  }

  /** Where the search for an address begins: both halves mixed, since vendors count in the low bytes. */
  #home(high: number, low: number): number {
    let h = Math.imul(low, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
    return (h ^ (h >>> 13)) & this.#mask;
  }
}

function highOf(mac: number, vid: number): number {
  return (vid << VID_SHIFT) | Math.floor(mac / HIGH_UNIT);
}

/** The low 32 bits, signed as an `Int32Array` holds them. */
function lowOf(mac: number): number {
  return mac | 0;
}

function rangeError(message: string, hint: string): ConfigError<L2ErrorCode> {
  return new ConfigError<L2ErrorCode>('L2_MAC_TABLE_RANGE', message, { hint });
}
