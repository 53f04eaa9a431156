/**
 * When a link to the other host counts as lost, and when it is dialled again. Time is an argument.
 *
 *   standing ─nothing heard for 500 ms─► asked ─anything heard─► standing
 *       ▲                                  │ 1.2 s without a word
 *       │ anything heard                   ▼
 *   dialled ◄──── due ──────────────── lost          standing, dialled ─broken, refused─► lost
 *       └── 1 s without a word ────────►
 *
 * A dead fiber is so noticed within 1.7 s, whatever the transport's own timers are. A process that was stopped for
 * longer first hears what waits for it: silence counts from the question, and not from the last word.
 */
const QUIET_NS = 500_000_000;
const SILENCE_NS = 1_200_000_000;
const DIAL_NS = 1_000_000_000;
/** The first attempt follows the loss at once; later ones wait twice as long each time. */
const BACKOFF_MIN_NS = 50_000_000;
const BACKOFF_MAX_NS = 1_000_000_000;

/** `ask`: send a PING; `lost`: treat the link as broken; `dial`: open a new one. */
export type WatchVerdict = 'wait' | 'ask' | 'lost' | 'dial';

export class LinkWatch {
  #state: 'idle' | 'standing' | 'asked' | 'dialled' | 'lost' = 'idle';
  #dueNs = Number.POSITIVE_INFINITY;
  #backoffNs = 0;

  /** Something has come over the link; before the first word nothing is watched: the offer has a timer of its own. */
  heard(nowNs: number): void {
    this.#state = 'standing';
    this.#backoffNs = 0;
    this.#dueNs = nowNs + QUIET_NS;
  }

  /** The link is of no more use. */
  broke(nowNs: number): void {
    this.#state = 'lost';
    this.#dueNs = nowNs + this.#backoffNs;
    this.#backoffNs = Math.min(BACKOFF_MAX_NS, Math.max(BACKOFF_MIN_NS, 2 * this.#backoffNs));
  }

  nextWakeNs(): number {
    return this.#dueNs;
  }

  /** What is due; each verdict is given once. */
  poll(nowNs: number): WatchVerdict {
    if (nowNs < this.#dueNs) return 'wait';
    switch (this.#state) {
      case 'standing':
        this.#state = 'asked';
        this.#dueNs = nowNs + SILENCE_NS;
        return 'ask';
      case 'lost':
        this.#state = 'dialled';
        this.#dueNs = nowNs + DIAL_NS;
        return 'dial';
      default:
        this.#dueNs = Number.POSITIVE_INFINITY;
        return 'lost';
    }
  }
}
