/**
 * When the receiver certainly holds what was sent. Streams are ordered, but not among each other, and datagrams not
 * at all: so a page sent may be referred to once its round is acknowledged, and before that only on the same stream.
 *
 *   round acknowledged ─────────────── held, for any stream
 *   round under way, same stream ───── held: what is sent later arrives later
 *   round under way, other stream ──── unknown
 */
import type { PageSet } from '../../core/index.js';

/** The stream of a transport that keeps no order: nothing counts as held before its round is acknowledged. */
export const UNORDERED = -1;

export class Rounds {
  /** The round being sent. */
  current = 0;
  /** All rounds up to this one lie in the receiver's memory. */
  acknowledged = 0;
  #pages: PageSet | null = null;

  /** @param pages what the round will send; read until the next one begins */
  begin(round: number, pages: PageSet): void {
    this.current = round;
    this.#pages = pages;
  }

  /** Whether what was sent in `round` on stream `sentOn` is there before anything sent now on `stream`. */
  holds(round: number, sentOn: number, stream: number): boolean {
    return round <= this.acknowledged || (sentOn !== UNORDERED && sentOn === stream);
  }

  /** Whether page `pfn`, last sent in `round`, is still to be sent in this one: another stream may overtake. */
  willChange(pfn: number, round: number): boolean {
    return round !== this.current && this.#pages !== null && this.#pages.has(pfn);
  }
}
