/**
 * Who has which IPv4 address, as one station knows it, and the frames that wait to find out.
 *
 *             frame for ip ─────────► request ──1 s──► request ──1 s──► request ──1 s──► unresolved: drop all
 *   unknown ─────────────────────────────────── resolving ───────────────────────────►
 *                                                   │ any ARP or datagram from that ip
 *                                                   ▼
 *                                     known (MAC; stale after 20 min, asked again on the next use)
 *
 * Every dimension is bounded, since strangers fill these tables: neighbours, addresses being resolved, and
 * frames waiting for one address.
 * Source: RFC 826; RFC 1122, section 2.3.2 (at most one request a second per address, queue a packet, flush).
 */
import { NS_PER_S } from '../core/index.js';

/** RFC 1122, 2.3.2.1: a request to one address at most once a second. */
export const ARP_RETRY_NS = NS_PER_S;
export const ARP_TRIES = 3;
export const MAX_PENDING_FRAMES = 64;
const MAX_PENDING_ADDRESSES = 64;
const MAX_NEIGHBOURS = 1024;
const NEIGHBOUR_LIFETIME_NS = 1200 * NS_PER_S;

/** What `macOf` says of an address it cannot name. */
export const UNKNOWN_MAC = -1;

interface Neighbour {
  mac: number;
  heardNs: number;
}

interface Resolution {
  readonly frames: Uint8Array[];
  tries: number;
  nextNs: number;
}

export class Neighbours {
  readonly #known = new Map<number, Neighbour>();
  readonly #resolving = new Map<number, Resolution>();
  #pendingFrames = 0;

  /** Frames waiting for an address. */
  get pendingFrames(): number {
    return this.#pendingFrames;
  }

  /** The MAC of `ip`; `UNKNOWN_MAC` when there is none or it is stale. */
  macOf(nowNs: number, ip: number): number {
    const neighbour = this.#known.get(ip);
    if (neighbour === undefined || nowNs - neighbour.heardNs > NEIGHBOUR_LIFETIME_NS) return UNKNOWN_MAC;
    return neighbour.mac;
  }

  /**
   * Takes the sender of a packet: a known or awaited address always, a new one when `isForUs`
   * (RFC 826's merge flag). Gives back the frames that waited for it, to be addressed and sent.
   */
  learn(nowNs: number, ip: number, mac: number, isForUs: boolean): readonly Uint8Array[] {
    const resolution = this.#resolving.get(ip);
    const neighbour = this.#known.get(ip);
    if (neighbour !== undefined) {
      neighbour.mac = mac;
      neighbour.heardNs = nowNs;
    } else if (isForUs || resolution !== undefined) {
      // The longest known goes first: a Map iterates in the order of insertion.
      if (this.#known.size >= MAX_NEIGHBOURS) this.#known.delete(this.#known.keys().next().value!);
      this.#known.set(ip, { mac, heardNs: nowNs });
    }
    if (resolution === undefined) return NO_FRAMES;
    this.#resolving.delete(ip);
    this.#pendingFrames -= resolution.frames.length;
    return resolution.frames;
  }

  /**
   * Keeps `frame` until `ip` is known.
   * @returns 'request' when the caller is to ask now, 'wait' when it has, 'full' when there is no room
   */
  park(nowNs: number, ip: number, frame: Uint8Array): 'request' | 'wait' | 'full' {
    const resolution = this.#resolving.get(ip);
    if (resolution === undefined) {
      if (this.#resolving.size >= MAX_PENDING_ADDRESSES) return 'full';
      this.#resolving.set(ip, { frames: [frame], tries: 1, nextNs: nowNs + ARP_RETRY_NS });
      this.#pendingFrames++;
      return 'request';
    }
    if (resolution.frames.length >= MAX_PENDING_FRAMES) return 'full';
    resolution.frames.push(frame);
    this.#pendingFrames++;
    return 'wait';
  }

  /**
   * Moves every resolution whose time has come: fills `ask` with the addresses to ask for again.
   * @returns how many frames were given up
   */
  expire(nowNs: number, ask: number[]): number {
    let givenUp = 0;
    for (const [ip, resolution] of this.#resolving) {
      if (resolution.nextNs > nowNs) continue;
      if (resolution.tries < ARP_TRIES) {
        resolution.tries++;
        resolution.nextNs = nowNs + ARP_RETRY_NS;
        ask.push(ip);
      } else {
        givenUp += resolution.frames.length;
        this.#resolving.delete(ip);
      }
    }
    this.#pendingFrames -= givenUp;
    return givenUp;
  }

  /** When `expire` has something to do; O(addresses being resolved), of which there are at most 64. */
  nextWakeNs(): number {
    let earliest = Number.POSITIVE_INFINITY;
    if (this.#resolving.size === 0) return earliest;
    for (const { nextNs } of this.#resolving.values()) earliest = Math.min(earliest, nextNs);
    return earliest;
  }
}

const NO_FRAMES: readonly Uint8Array[] = Object.freeze([]);
