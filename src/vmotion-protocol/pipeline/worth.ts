/**
 * Whether a technique pays: the pure policy behind `auto`. Making records and the wire work side by side, so a page
 * takes as long as the slower of both:
 *
 *   without = max(base, wire)                      wire  page bits ÷ rate of the path
 *   with    = max(base + cost, wire · (1 − saved)) base  time that any page takes here
 *                                                  cost, saved: measured on the pages tried
 *
 *             with < 0.9 · without                     with > 0.98 · without
 *   trying ─────────────────────────► on        on ─────────────────────► off       off tries every 64th page
 *      └────────── otherwise ───────► off       off ── with < 0.9 · without ──► on
 *
 * A verdict falls after each window of tries and whenever the rate changes; estimates are halfway between the last
 * window and what was known before. `trying` lasts until the first verdict; it is on where something that saved all
 * and cost nothing would pay. Where that would not, since this side is the slower one, nothing is tried at all.
 */
import { PAGE_SIZE } from '../../core/index.js';

/** As a user sets it: `auto` follows the policy. */
export type Switch = 'on' | 'off' | 'auto';

export interface WorthOptions {
  /** Tries that a verdict rests on. */
  readonly windowTries: number;
  /** Nanoseconds a page takes without this technique: hashing, system calls. */
  readonly baseNs: number;
}

/**
 * What it must gain to be switched on, and to stay on; the distance keeps it from flapping. Gaining nothing is a reason
 * to switch it off, also where the wire is so slow that the time it takes does not show.
 */
const ON_BELOW = 0.9;
const OFF_ABOVE = 0.98;
const NEW_WEIGHT = 0.5;
/** A try is timed when it is one of so many: reading the clock is not free. */
const TIMED_EVERY = 16;
/** A try that seems to have taken longer was interrupted: it counts as this. */
const COST_MAX_NS = 100_000;
/** While off, one of so many pages is tried. */
export const SAMPLE_EVERY = 64;

export class Worth {
  readonly #setting: Switch;
  readonly #options: WorthOptions;
  #state: 'trying' | 'on' | 'off' = 'trying';
  #wireNs = 0;
  #mayPay = false;
  #tries = 0;
  #savedBytes = 0;
  #timed = 0;
  #costNs = 0;
  #untimed = 0;
  /** Estimates: share of a page's bytes saved, and nanoseconds, per page tried. NaN before the first window. */
  savedShare = Number.NaN;
  costPerTryNs = Number.NaN;
  /** Verdicts that changed something. */
  switches = 0;

  constructor(setting: Switch, options: WorthOptions) {
    this.#setting = setting;
    this.#options = options;
  }

  /** Whether it is in use now. */
  get active(): boolean {
    if (this.#setting !== 'auto') return this.#setting === 'on';
    return this.#state === 'on' || (this.#state === 'trying' && this.#mayPay);
  }

  /** Whether to use it on a page. @param sample the page is one of those tried while off */
  takes(sample: boolean): boolean {
    return this.active || (sample && this.#setting === 'auto' && this.#mayPay);
  }

  /** Whether the next try is to be timed. */
  get timesNext(): boolean {
    return this.#untimed === 0;
  }

  /** How many tries a timed one stands for. */
  get timedWeight(): number {
    return this.#state === 'on' || this.#setting === 'on' ? TIMED_EVERY : 1;
  }

  /** The rate of the path, bits per second; Infinity where this side is what holds things up. */
  pathRate(rateBps: number): void {
    this.#wireNs = (PAGE_SIZE * 8e9) / rateBps;
    this.#mayPay = this.#options.baseNs < ON_BELOW * this.#wireNs;
    this.#judge();
  }

  /** A page was tried. @param costNs nanoseconds; -1 when it was not timed */
  tried(savedBytes: number, costNs: number): void {
    this.#savedBytes += savedBytes;
    if (costNs >= 0) {
      this.#timed++;
      this.#costNs += Math.min(costNs, COST_MAX_NS);
      this.#untimed = this.timedWeight;
    }
    this.#untimed--;
    if (++this.#tries < this.#options.windowTries || this.#timed === 0) return;
    this.savedShare = blend(this.savedShare, this.#savedBytes / (this.#tries * PAGE_SIZE));
    this.costPerTryNs = blend(this.costPerTryNs, this.#costNs / this.#timed);
    this.#tries = 0;
    this.#savedBytes = 0;
    this.#timed = 0;
    this.#costNs = 0;
    this.#judge();
  }

  #judge(): void {
    if (Number.isNaN(this.savedShare)) return;
    const { baseNs } = this.#options;
    const without = Math.max(baseNs, this.#wireNs);
    const withIt = Math.max(baseNs + this.costPerTryNs, this.#wireNs * (1 - this.savedShare));
    const next =
      this.#state === 'on'
        ? withIt > OFF_ABOVE * without
          ? 'off'
          : 'on'
        : withIt < ON_BELOW * without
          ? 'on'
          : 'off';
    if (next !== this.#state) this.switches++;
    this.#state = next;
    this.#untimed = Math.min(this.#untimed, this.timedWeight - 1);
  }
}

function blend(known: number, measured: number): number {
  return Number.isNaN(known) ? measured : known + (measured - known) * NEW_WEIGHT;
}
