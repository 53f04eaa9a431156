/**
 * Damping of duplicate MAC addresses: two hosts with one address make it move to and fro with every frame,
 * and both lose half of theirs. After so many moves the address stays where it was.
 *
 *            a move                 so many within the window              hold time over, cleared, or announced
 *   quiet ───────────► counting ──────────────────────────────► frozen ─────────────────────────────► quiet
 *                         │ window over: counts anew               │ frames from any other port are refused
 *
 * The move that is one too many is refused itself: the address keeps the port it had before it. A move
 * that was announced (the lab moves a guest) is not counted and ends what was counted before.
 * Source: RFC 7432, section 15.1 (5 moves in 180 s, counted from the first). Tables are bounded, since any
 * station can make addresses move; past the bound the one counted longest is forgotten.
 */
import { NS_PER_S } from '../core/index.js';
import { DEFAULT_DUPLICATE_MAC, type DuplicateMacOptions } from './bridge-options.js';

/** What `admit` says. */
export const MOVE_ADMITTED = 0;
export const MOVE_REFUSED = 1;
/** Refused, and it is this move that made the address a duplicate. */
export const MOVE_DETECTED = 2;

/** How long an announced move is waited for. */
export const EXPECTED_MOVE_NS = 60 * NS_PER_S;
const MAX_COUNTED = 1024;
const MAX_FROZEN = 1024;
const MAX_EXPECTED = 1024;

export interface FrozenMac {
  readonly mac: number;
  readonly vid: number;
  /** The port it stays on. */
  readonly port: number;
  readonly sinceNs: number;
  /** `Infinity` when it stays so until it is cleared. */
  readonly untilNs: number;
}

export interface MacMoveCounters {
  /** Moves announced and so not counted. */
  readonly expected: number;
  /** Times an address was found to be a duplicate. */
  readonly detected: number;
  /** Addresses held now. */
  readonly frozen: readonly FrozenMac[];
}

interface Counting {
  readonly firstNs: number;
  moves: number;
}

interface Expected {
  /** `null`: any port. */
  readonly port: number | null;
  readonly untilNs: number;
}

export class MacMoves {
  readonly #options: Required<DuplicateMacOptions>;
  readonly #counting = new Map<string, Counting>();
  readonly #frozen = new Map<string, FrozenMac>();
  readonly #expected = new Map<number, Expected>();
  #expectedMoves = 0;
  #detected = 0;

  /** @param options checked by `checkBridgeOptions` */
  constructor(options: DuplicateMacOptions) {
    this.#options = { ...DEFAULT_DUPLICATE_MAC, ...options };
  }

  /**
   * Whether `mac` may be learned on `port`, where it is not known now.
   * @param before the port it is known on; -1 when on none
   * @returns one of `MOVE_ADMITTED`, `MOVE_REFUSED`, `MOVE_DETECTED`
   */
  admit(nowNs: number, mac: number, vid: number, before: number, port: number): number {
    const key = keyOf(mac, vid);
    const frozen = this.#frozen.get(key);
    if (this.#isExpected(nowNs, mac, port, before >= 0 || frozen !== undefined)) {
      this.clear(mac);
      return MOVE_ADMITTED;
    }
    if (frozen !== undefined) {
      if (nowNs < frozen.untilNs) return frozen.port === port ? MOVE_ADMITTED : MOVE_REFUSED;
      this.#frozen.delete(key);
    }
    if (before < 0) return MOVE_ADMITTED;
    let counting = this.#counting.get(key);
    if (counting === undefined || nowNs - counting.firstNs > this.#options.windowNs) {
      counting = { firstNs: nowNs, moves: 0 };
      this.#counting.delete(key);
      bounded(this.#counting, MAX_COUNTED).set(key, counting);
    }
    if (++counting.moves < this.#options.moves) return MOVE_ADMITTED;
    this.#counting.delete(key);
    const { holdNs } = this.#options;
    const untilNs = holdNs === 0 ? Number.POSITIVE_INFINITY : nowNs + holdNs;
    bounded(this.#frozen, MAX_FROZEN).set(key, { mac, vid, port: before, sinceNs: nowNs, untilNs });
    this.#detected++;
    return MOVE_DETECTED;
  }

  /** The next move of `mac`, to `port` if it is named, is announced. */
  expect(nowNs: number, mac: number, port: number | null): void {
    this.#expected.delete(mac);
    bounded(this.#expected, MAX_EXPECTED).set(mac, { port, untilNs: nowNs + EXPECTED_MOVE_NS });
  }

  /** Forgets what was counted and held of `mac`, in every VLAN. */
  clear(mac: number): void {
    for (const [key, { mac: held }] of this.#frozen) if (held === mac) this.#frozen.delete(key);
    const suffix = keyOf(mac, '');
    for (const key of this.#counting.keys()) if (key.startsWith(suffix)) this.#counting.delete(key);
  }

  /** What was held on a port that is gone is free. */
  forgetPort(port: number): void {
    for (const [key, frozen] of this.#frozen) if (frozen.port === port) this.#frozen.delete(key);
  }

  counters(): MacMoveCounters {
    return { expected: this.#expectedMoves, detected: this.#detected, frozen: [...this.#frozen.values()] };
  }

  #isExpected(nowNs: number, mac: number, port: number, isMove: boolean): boolean {
    const expected = this.#expected.get(mac);
    if (expected === undefined || !isMove) return false;
    if (expected.port !== null && expected.port !== port) return false;
    this.#expected.delete(mac);
    if (nowNs > expected.untilNs) return false;
    this.#expectedMoves++;
    return true;
  }
}

/** An address in one VLAN; 60 bits are too many for a number. */
function keyOf(mac: number, vid: number | ''): string {
  return `${mac}/${vid}`;
}

/** The map with room for one more: the entry that has been there longest makes way. */
function bounded<K, V>(map: Map<K, V>, capacity: number): Map<K, V> {
  if (map.size >= capacity) map.delete(map.keys().next().value as K);
  return map;
}
