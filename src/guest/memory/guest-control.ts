/**
 * How other threads steer the guest's thread, which never returns to libuv: a block of shared memory, and a
 * doorbell that wakes its ppoll.
 *
 *   command, written by the host            state, written by the guest's thread
 *
 *        RUN ◄─────► PAUSE ◄─────► ARMED           PARKED ──RUN──► STARTING ──first write──► RUNNING
 *         └────────────┼────────────┘                 ▲               │                        │
 *                    STOP                             └─────PAUSE─────┴──────────PAUSE─────────┘
 *                                                          STOP from anywhere: STOPPED
 *
 *   The guest says STARTING and then looks at the command once more before it writes: a host that took RUN back
 *   and sees PARKED can rely on it.
 *
 *   ARMED is PAUSE with the guest's thread at the start line: it warms up, then spins on the command instead of sleeping,
 *   where no other thread wants the processor and for 50 ms at most, so that RUN takes effect within microseconds.
 *
 *   A guest that waits for something to do has *halted*, as a virtual CPU does. It need not be woken to be paused, which
 *   would take a hundred microseconds: the host takes the halted thread, and that one finds itself parked when it wakes.
 *
 *        AWAKE ◄──────► HALTED ──host──► TAKEN ──the thread wakes──► AWAKE, parked
 *
 *   bytes    0 command i32   4 state i32   8 halted i32   12 slowed i32   16 rehearse i32   64 ring head   128 ring tail   192 figures f64   512 ring data
 */
import { actInRealTime, actPromptly, type Doorbell, nowNs } from '../../sys/index.js';
import { InjectRing, RING_SIZE } from './inject-ring.js';

export const RUN = 1;
export const PAUSE = 2;
export const STOP = 3;
export const ARMED = 4;

export const PARKED = 0;
export const RUNNING = 1;
export const STOPPED = 2;
export const STARTING = 3;

export const AWAKE = 0;
export const HALTED = 1;
export const TAKEN = 2;

/** Word indexes. The two ends of the ring stand on cache lines of their own. */
export const COMMAND = 0;
export const STATE = 1;
/** Whether the guest's thread waits, at a place where the host may take it. */
export const HALT = 2;
/** Share of its time, in thousandths, that a running guest is kept from running. */
export const SLOWED = 3;
/** 1: what a stop takes is to be played once. */
export const REHEARSE = 4;
const RING_HEAD = 16;
const RING_TAIL = 32;

/** Figures by index into `figures`. */
export const PARKED_AT_NS = 0;
export const FIRST_INSTRUCTION_NS = 1;
export const RAN_NS = 2;
export const FRAMES_RECEIVED = 3;
export const FRAMES_SENT = 4;
export const FRAMES_INJECTED = 5;
export const FRAMES_REFUSED = 6;
export const SEND_DROPS = 7;
/** Until when RAN_NS counts. */
export const RAN_UNTIL_NS = 8;
/** The kernel's number of the guest's thread; 0 before it runs. */
export const THREAD = 9;
const FIGURES_OFFSET = 192;
const FIGURES = 16;
const RING_OFFSET = 512;

/** Among urgent threads the guest's goes first: the host's waits for it. */
const GUEST_PRIORITY = 3;
/** How long a waiting host spins before it sleeps: a guest parks within this as a rule. */
const SPIN_NS = 50_000;

/** The control block as its parts; the guest's loop works on them directly. */
export class ControlBlock {
  readonly buffer: SharedArrayBuffer;
  readonly words: Int32Array;
  readonly figures: Float64Array;
  readonly ring: InjectRing;

  /** @param buffer of an existing block; omitted, a new one is made, in command PAUSE and state PARKED */
  constructor(buffer?: SharedArrayBuffer) {
    this.buffer = buffer ?? new SharedArrayBuffer(RING_OFFSET + RING_SIZE);
    this.words = new Int32Array(this.buffer, 0, FIGURES_OFFSET / 4);
    this.figures = new Float64Array(this.buffer, FIGURES_OFFSET, FIGURES);
    this.ring = new InjectRing(
      this.words,
      RING_HEAD,
      RING_TAIL,
      new Uint8Array(this.buffer, RING_OFFSET, RING_SIZE),
    );
    if (buffer === undefined) this.words[COMMAND] = PAUSE;
  }
}

/** Counts of the guest's NIC since its thread started. */
export interface NicFigures {
  readonly received: number;
  readonly sent: number;
  /** Frames that the host handed over and the guest took. */
  readonly injected: number;
  /** Frames that the duplicate filter turned away. */
  readonly refused: number;
  /** Frames that the socket did not take. */
  readonly sendDrops: number;
}

export class GuestControl {
  readonly block: ControlBlock;
  readonly #doorbell: Doorbell;
  /** The guest was taken where it had halted, and may still be asleep there. */
  #taken = false;

  /** @param doorbell the one that the guest's thread polls */
  constructor(block: ControlBlock, doorbell: Doorbell) {
    this.block = block;
    this.#doorbell = doorbell;
  }

  /** Asks the guest to stand still; returns at once. `waitParked` says when it does. */
  pause(): void {
    Atomics.store(this.block.words, COMMAND, PAUSE);
    if (this.#take()) return;
    Atomics.notify(this.block.words, COMMAND);
    this.#doorbell.ring();
  }

  /** Lets the guest run. */
  resume(): void {
    this.#command(RUN);
    this.#wakeTaken();
  }

  /** Puts the guest's thread before all others that are not urgent, for moments; or takes that back. */
  urge(on: boolean): void {
    const thread = this.block.figures[THREAD]!;
    if (thread === 0) return;
    if (!on || !actInRealTime(thread, GUEST_PRIORITY)) actPromptly(thread);
  }

  /** Asks a running guest to play what it does when it comes to stand, soon: one that has much to do has it warm then. */
  rehearseStop(): void {
    Atomics.store(this.block.words, REHEARSE, 1);
  }

  /** Ends the guest's thread for good. */
  stop(): void {
    this.#command(STOP);
    this.#doorbell.ring();
  }

  /** Puts a paused guest at the start line, or takes it off. No effect on a running one. */
  spinAtStart(on: boolean): void {
    const words = this.block.words;
    Atomics.compareExchange(words, COMMAND, on ? PAUSE : ARMED, on ? ARMED : PAUSE);
    Atomics.notify(words, COMMAND);
    if (on) this.#wakeTaken();
  }

  /**
   * Keeps a running guest from running for this share of its time, in slices of 10 ms, as auto-converge throttles a
   * virtual CPU. @param share 0..0.99; 0 lets it run freely
   */
  slow(share: number): void {
    Atomics.store(this.block.words, SLOWED, Math.round(Math.min(0.99, Math.max(0, share)) * 1000));
  }

  /**
   * Blocks this thread until the guest stands: from then on it touches neither memory nor NIC.
   * @returns false on timeout and when the guest's thread has ended
   */
  waitParked(timeoutMs: number): boolean {
    return this.#wait(PARKED, timeoutMs);
  }

  /** Blocks this thread until the guest has made its first step. @returns false on timeout and when it has ended */
  waitRunning(timeoutMs: number): boolean {
    return this.#wait(RUNNING, timeoutMs);
  }

  /** Blocks until the guest's thread has ended. */
  waitStopped(timeoutMs: number): boolean {
    return this.#wait(STOPPED, timeoutMs);
  }

  /** The state now: PARKED, STARTING, RUNNING or STOPPED. */
  get state(): number {
    return Atomics.load(this.block.words, STATE);
  }

  /** When the guest came to stand last; CLOCK_MONOTONIC nanoseconds. */
  get parkedAtNs(): number {
    return this.block.figures[PARKED_AT_NS]!;
  }

  /** When the guest had made its first write after the last resume. */
  get firstInstructionNs(): number {
    return this.block.figures[FIRST_INSTRUCTION_NS]!;
  }

  /** How long the guest has run, pauses not counted. Settable while it stands, as a move carries it over. */
  get ranNs(): number {
    return this.block.figures[RAN_NS]!;
  }
  set ranNs(ns: number) {
    this.block.figures[RAN_NS] = ns;
  }

  /** Hands a frame to the guest (copied); it takes it before those of its NIC. @returns false when there is no room */
  inject(frame: Uint8Array): boolean {
    if (!this.block.ring.push(frame)) return false;
    this.#doorbell.ring();
    return true;
  }

  nicFigures(): NicFigures {
    const f = this.block.figures;
    return {
      received: f[FRAMES_RECEIVED]!,
      sent: f[FRAMES_SENT]!,
      injected: f[FRAMES_INJECTED]!,
      refused: f[FRAMES_REFUSED]!,
      sendDrops: f[SEND_DROPS]!,
    };
  }

  /** Parks a guest that has halted, in its stead. @returns false when it has not */
  #take(): boolean {
    const { words, figures } = this.block;
    if (Atomics.compareExchange(words, HALT, HALTED, TAKEN) !== HALTED) return false;
    const now = nowNs();
    figures[RAN_NS] = figures[RAN_NS]! + (now - figures[RAN_UNTIL_NS]!);
    figures[PARKED_AT_NS] = now;
    this.#taken = true;
    Atomics.store(words, STATE, PARKED);
    return true;
  }

  /** Where it sleeps, a taken guest hears nothing but the doorbell. */
  #wakeTaken(): void {
    if (!this.#taken) return;
    this.#taken = false;
    this.#doorbell.ring();
  }

  #command(command: number): void {
    Atomics.store(this.block.words, COMMAND, command);
    Atomics.notify(this.block.words, COMMAND);
  }

  #wait(wanted: number, timeoutMs: number): boolean {
    const words = this.block.words;
    const startNs = nowNs();
    const deadlineNs = startNs + timeoutMs * 1e6;
    for (;;) {
      const state = Atomics.load(words, STATE);
      if (state === wanted) return true;
      const now = nowNs();
      if (state === STOPPED || now >= deadlineNs) return false;
      if (now - startNs > SPIN_NS) Atomics.wait(words, STATE, state, (deadlineNs - now) / 1e6);
    }
  }
}
