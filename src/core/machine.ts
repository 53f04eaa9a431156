/**
 * The machine contract: every protocol, bridge and fiber of this project is one of these.
 *
 *        event (past tense)          actions (imperative)
 *   ───────────────────────► step ─────────────────────────►  driver performs them
 *                              │
 *                         nextWakeNs ──► the driver calls step again no later than this
 *
 * A machine has no socket, no clock and no global. Time is integer nanoseconds in a `number`
 * (2^53 ns are 104 days), never decreases, and is always an argument. The same machine runs in
 * real time under `fabric/` and `host/`, and in virtual time under `sim/`.
 */
export interface Machine<Event, Action> {
  /** Takes what happened at `nowNs` and appends to `out` what is to be done. Never throws on input. */
  step(nowNs: number, event: Event, out: Action[]): void;
  /** When the machine wants `{type: 'woke'}` or any later event; pure; `Infinity` when nothing is due. */
  nextWakeNs(): number;
}

/** The event a driver gives when `nextWakeNs()` has come and nothing else happened. */
export interface Woke {
  readonly type: 'woke';
}

/** The one shared `Woke` value, so that waking allocates nothing. */
export const WOKE: Woke = Object.freeze({ type: 'woke' });
