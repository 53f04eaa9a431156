/**
 * How the thread that sends stands with the scheduler. Asleep between packets, it belongs to the real-time class where
 * the system grants it: it leaves its sleep at once, whatever computes, and the fabric that its packet wakes does not
 * take its processor. One that has not slept for 200 ms would starve others, and be held up for it: it steps down
 * until it sleeps again. On a single processor it would hold up the fabric, and stays below.
 */
import { availableParallelism } from 'node:os';
import { actInRealTime, actPromptly } from '../sys/index.js';

const AWAKE_MAX_NS = 200_000_000;

export class Urgency {
  #granted = availableParallelism() > 1;
  #isRealTime = false;
  #sleptNs = 0;

  constructor() {
    actPromptly();
  }

  get isRealTime(): boolean {
    return this.#isRealTime;
  }

  /** It is about to sleep. */
  sleeps(atNs: number): void {
    this.#sleptNs = atNs;
    if (this.#isRealTime || !this.#granted) return;
    this.#granted = actInRealTime();
    this.#isRealTime = this.#granted;
  }

  /** It is awake. */
  wakes(atNs: number): void {
    if (!this.#isRealTime || atNs - this.#sleptNs < AWAKE_MAX_NS) return;
    actPromptly();
    this.#isRealTime = false;
  }
}
