/**
 * The guest's thread at the start line: how it waits for commands, and how it says where it stands. Shared by every
 * virtual CPU; what the states mean is in `guest-control.ts`.
 */
import { actInRealTime, actPromptly, actWhenIdle, nowNs } from '../../sys/index.js';
import {
  ARMED,
  AWAKE,
  COMMAND,
  type ControlBlock,
  HALT,
  HALTED,
  PARKED,
  PAUSE,
  RUN,
  RUNNING,
  SLOWED,
  STARTING,
  STATE,
} from './guest-control.js';

/** Longest that this thread spins at the start line. */
const SPIN_NS = 50_000_000;
/** A slowed guest runs for a share of each such slice and stands for the rest. */
const SLICE_NS = 10_000_000;

export class StartLine {
  readonly #words: Int32Array;
  #sliceStartNs = 0;

  constructor(block: ControlBlock) {
    this.#words = block.words;
  }

  get command(): number {
    return Atomics.load(this.#words, COMMAND);
  }

  get state(): number {
    return Atomics.load(this.#words, STATE);
  }

  enter(state: number): void {
    Atomics.store(this.#words, STATE, state);
    Atomics.notify(this.#words, STATE);
  }

  /**
   * Waits until the guest is to run, or to end.
   * @param start its first step; it is said to run once that has been made
   * @param warmUp what can be played of it beforehand, without a touch of guest memory, when it is put at the start line
   */
  leave(start: () => void, warmUp: () => void = () => {}): void {
    while (this.awaitCommand(warmUp) === RUN) {
      // Nobody waits for this state.
      Atomics.store(this.#words, STATE, STARTING);
      if (this.command === RUN) {
        start();
        this.enter(RUNNING);
        // Whoever urged it on to here wants to run as well.
        actPromptly();
        return;
      }
      this.enter(PARKED);
    }
  }

  /**
   * Says that the host may park the guest where this thread is about to wait. Only for a guest whose state lies in its
   * memory at that place: it is not asked for it.
   */
  halt(): void {
    Atomics.store(this.#words, HALT, HALTED);
  }

  /** Awake again. @returns false when the host has parked the guest meanwhile: it is for `leave` then */
  goesOn(): boolean {
    return Atomics.exchange(this.#words, HALT, AWAKE) === HALTED;
  }

  /** Waits, asleep or spinning as the command says, until it is neither PAUSE nor ARMED. @returns it */
  awaitCommand(warmUp: () => void = () => {}): number {
    const words = this.#words;
    for (;;) {
      const command = Atomics.load(words, COMMAND);
      if (command === PAUSE) {
        Atomics.wait(words, COMMAND, PAUSE);
      } else if (command === ARMED) {
        warmUp();
        if (!this.#spin()) Atomics.compareExchange(words, COMMAND, ARMED, PAUSE);
      } else return command;
    }
  }

  /** Waits, asleep, for the command to change: of a guest that will never run again. */
  awaitChange(): void {
    Atomics.wait(this.#words, COMMAND, Atomics.load(this.#words, COMMAND), 1000);
  }

  /**
   * Stands for the slowed share of a slice once the other share was run; a command ends it at once.
   * @param onStand told when it stands, before it does
   * @returns whether it stood
   */
  standIfSlowed(onStand: (nowNs: number) => void): boolean {
    const slowed = Atomics.load(this.#words, SLOWED);
    if (slowed === 0) return false;
    const standNs = (SLICE_NS * slowed) / 1000;
    const now = nowNs();
    if (now - this.#sliceStartNs < SLICE_NS - standNs) return false;
    onStand(now);
    Atomics.wait(this.#words, COMMAND, RUN, standNs / 1e6);
    this.#sliceStartNs = nowNs();
    return true;
  }

  /**
   * Spins at the start line, on a processor that nobody else wants.
   * @returns false when it waited too long, or would take from others, and should sleep
   */
  #spin(): boolean {
    // Whom the system lets go up may come back from below.
    if (!actInRealTime() || !actWhenIdle()) return false;
    const untilNs = nowNs() + SPIN_NS;
    do {
      for (let i = 0; i < 256; i++) if (Atomics.load(this.#words, COMMAND) !== ARMED) return true;
    } while (nowNs() < untilNs);
    actPromptly();
    return false;
  }
}
