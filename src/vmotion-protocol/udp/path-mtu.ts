/**
 * The largest datagram the path carries, found by probes alone: ICMP is not listened to. RFC 8899.
 *
 *   base ──probe acknowledged──► larger … ──► complete ──600 s──► searching again
 *     ▲                                           │
 *     └──── three probe timeouts in a row: a black hole (4.3) ◄────┘
 *
 * A probe is padding that nobody misses; its loss is no sign of congestion. The largest size is tried first, since
 * the interface's MTU is mostly the path's; then halves of what is left.
 */
import { NS_PER_S } from '../../core/index.js';
import { requireRange } from '../errors.js';
import { DATAGRAM_BYTES_MAX, DATAGRAM_BYTES_MIN, FRAGMENT_UNIT } from './packet-codec.js';

/** BASE_PLPMTU (5.1.2): 1200 bytes of IP packet carry 1172 of UDP payload. */
export const BASE_DATAGRAM_BYTES = 1172;
/** MAX_PROBES and PMTU_RAISE_TIMER (5.1.2, 5.1.1). */
const PROBES_MAX = 3;
const RAISE_NS = 600 * NS_PER_S;

export class PathMtu {
  readonly #maxBytes: number;
  /** Sizes known to pass, and known not to. */
  #passing: number;
  #failing: number;
  #probe = 0;
  #lost = 0;
  #flying = false;
  #searchAtNs = 0;

  /** @param maxBytes what the interface carries: its MTU less 28 for IPv4 and UDP */
  constructor(maxBytes: number) {
    this.#maxBytes = requireRange('maxDatagramBytes', maxBytes, DATAGRAM_BYTES_MIN, DATAGRAM_BYTES_MAX);
    this.#passing = Math.min(BASE_DATAGRAM_BYTES, maxBytes);
    this.#failing = maxBytes + 1;
    this.#choose(true);
  }

  /** Bytes of UDP payload that are known to pass. */
  get datagramBytes(): number {
    return this.#passing;
  }

  /** Size of the probe to send now; 0 for none. */
  probeDue(nowNs: number): number {
    if (this.#flying) return 0;
    if (this.#probe === 0 && nowNs >= this.#searchAtNs && this.#passing < this.#maxBytes) {
      this.#failing = this.#maxBytes + 1;
      this.#choose(true);
    }
    return this.#probe;
  }

  probeSent(): void {
    this.#flying = true;
  }

  probeAcked(nowNs: number, bytes: number): void {
    this.#flying = false;
    this.#lost = 0;
    if (bytes > this.#passing) this.#passing = bytes;
    this.#choose(false);
    this.#rest(nowNs);
  }

  probeLost(nowNs: number, bytes: number): void {
    this.#flying = false;
    if (bytes !== this.#probe || ++this.#lost < PROBES_MAX) return;
    this.#lost = 0;
    this.#failing = Math.min(this.#failing, bytes);
    this.#choose(false);
    this.#rest(nowNs);
  }

  /** Probe timeouts without an answer: what passed may pass no longer. */
  blackHole(): void {
    this.#passing = Math.min(this.#passing, BASE_DATAGRAM_BYTES);
    this.#failing = this.#maxBytes + 1;
    this.#flying = false;
    this.#lost = 0;
    this.#choose(true);
  }

  #choose(largestFirst: boolean): void {
    if (largestFirst && this.#passing < this.#maxBytes) this.#probe = this.#maxBytes;
    else if (this.#failing - this.#passing <= FRAGMENT_UNIT) this.#probe = 0;
    else this.#probe = Math.ceil((this.#passing + this.#failing) / 2);
    if (this.#probe <= this.#passing) this.#probe = 0;
  }

  #rest(nowNs: number): void {
    if (this.#probe === 0) this.#searchAtNs = nowNs + RAISE_NS;
  }
}
