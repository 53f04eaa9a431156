/**
 * The virtual CPU: a thread that does nothing but run the guest, and never returns to libuv while it lives.
 *
 *   ┌─► command? ──PAUSE──► park: touch nothing until RUN, then one write and the time of it
 *   │     │ RUN
 *   │   tick due?  page writes of the dirty model, the command looked at every few pages
 *   │     │
 *   │   frames     those the host injected, then those of the NIC
 *   │     │
 *   └── halt: ppoll on NIC and doorbell until the next tick
 *
 * Between two frames and between two page writes the guest is in a state that may be moved. Time that it stood
 * is not made up for: ticks count from the resume.
 */
import { parentPort } from 'node:worker_threads';
import { type Frame, NO_OFFLOAD } from '../../core/index.js';
import {
  actPromptly,
  Doorbell,
  NativeStruct,
  nowNs,
  POLLIN,
  PollSet,
  receiveBytes,
  sendBytes,
  sharpenTimers,
  threadNumber,
} from '../../sys/index.js';
import {
  DirtyModel,
  type DirtyOptions,
  dirtyPage,
  type FrameOrigin,
  GuestHeader,
  type GuestMemory,
  layoutOf,
  type NetStack,
  SERVICE_PORT,
  Service,
  type UdpHandler,
  wordsOf,
} from '../index.js';
import {
  COMMAND,
  ControlBlock,
  FIRST_INSTRUCTION_NS,
  FRAMES_INJECTED,
  FRAMES_RECEIVED,
  FRAMES_REFUSED,
  FRAMES_SENT,
  PARKED,
  PARKED_AT_NS,
  RAN_NS,
  RAN_UNTIL_NS,
  RUN,
  RUNNING,
  SEND_DROPS,
  STOP,
  STOPPED,
  THREAD,
} from './guest-control.js';
import { MAX_FRAME } from './inject-ring.js';
import { StartLine } from './start-line.js';

const TICK_NS = 500_000;
/** Page writes between two looks at the command: a pause waits for a few microseconds of them at most. */
const WRITES_PER_LOOK = 16;
const FRAMES_PER_TURN = 64;
export interface GuestLoopOptions {
  readonly control: SharedArrayBuffer;
  /** Formatted guest memory by the time of the first RUN. */
  readonly memory: GuestMemory;
  /** A connected, non-blocking UDP socket: one datagram, one Ethernet frame. */
  readonly nicFd: number;
  readonly doorbellFd: number;
  readonly dirty: DirtyOptions;
  readonly stack: NetStack;
  /** Asked of each frame before the stack sees it; false turns it away. */
  readonly acceptFrame?: (frame: Frame, origin: FrameOrigin) => boolean;
}

/** Runs the guest on the calling worker thread, from PARKED until STOP; tells the parent once it stands ready. */
export function runGuestLoop(options: GuestLoopOptions): void {
  const loop = new GuestLoop(options);
  try {
    parentPort?.postMessage('ready');
    loop.run();
  } finally {
    loop.end();
  }
}

/** A frame over the receive buffer, reused for every frame. */
interface ReusedFrame extends Frame {
  length: number;
}

class GuestLoop {
  readonly #options: GuestLoopOptions;
  readonly #control: ControlBlock;
  readonly #line: StartLine;
  readonly #words: Int32Array;
  readonly #figures: Float64Array;
  readonly #memory: Uint32Array;
  readonly #header: GuestHeader;
  readonly #model: DirtyModel;
  readonly #service: Service;
  readonly #poll = new PollSet(2);
  readonly #doorbell: Doorbell;
  readonly #doorbellSlot: number;
  readonly #receive = new NativeStruct(MAX_FRAME);
  readonly #transmit = new NativeStruct(MAX_FRAME);
  readonly #frame: ReusedFrame;

  constructor(options: GuestLoopOptions) {
    const { memory } = options;
    this.#options = options;
    this.#control = new ControlBlock(options.control);
    this.#line = new StartLine(this.#control);
    this.#words = this.#control.words;
    this.#figures = this.#control.figures;
    this.#memory = wordsOf(memory.bytes);
    this.#header = new GuestHeader(memory.bytes);
    this.#model = new DirtyModel(this.#header, options.dirty);
    this.#service = new Service(memory.bytes, layoutOf(memory.pages));
    this.#doorbell = new Doorbell(options.doorbellFd);
    this.#poll.add(options.nicFd, POLLIN);
    this.#doorbellSlot = this.#poll.add(options.doorbellFd, POLLIN);
    this.#frame = { data: this.#receive.bytes, start: 0, length: 0, offload: NO_OFFLOAD };
  }

  run(): void {
    this.#figures[THREAD] = threadNumber();
    actPromptly();
    sharpenTimers();
    this.#park(); // the command may be RUN already: a guest starts by leaving the start line, as after any pause
    for (;;) {
      const command = Atomics.load(this.#words, COMMAND);
      if (command === STOP) return;
      if (command !== RUN) {
        this.#park();
        continue;
      }
      this.#header.instructions++;
      if (this.#line.standIfSlowed(this.#onStand)) {
        if (!this.#goesOn()) continue;
        this.#figures[RAN_UNTIL_NS] = nowNs();
      }
      const waitNs = this.#tick();
      const busy = this.#takeFrames();
      if (Atomics.load(this.#words, COMMAND) !== RUN) continue;
      if (busy) this.#poll.wait(0);
      else {
        this.#line.halt();
        this.#poll.wait(waitNs);
        if (!this.#goesOn()) continue;
      }
      if (this.#poll.ready(this.#doorbellSlot) !== 0) this.#doorbell.quiet();
    }
  }

  end(): void {
    this.#line.enter(STOPPED);
  }

  readonly #onStand = (now: number): void => {
    this.#account(now);
    this.#line.halt();
  };

  /** Wakes where it had halted. @returns false when the host had parked it there; it may run again by now */
  #goesOn(): boolean {
    if (this.#line.goesOn()) return true;
    this.#line.leave(this.#start);
    return false;
  }

  /** Stands still until the command says otherwise. */
  #park(): void {
    if (this.#line.state === RUNNING) {
      const now = nowNs();
      this.#account(now);
      this.#figures[PARKED_AT_NS] = now;
    }
    this.#line.enter(PARKED);
    this.#line.leave(this.#start);
  }

  /** The guest is said to run when a write of its has been made: a page that had to be fetched first counts. */
  readonly #start = (): void => {
    this.#header.instructions++;
    const startedNs = nowNs();
    this.#figures[FIRST_INSTRUCTION_NS] = startedNs;
    this.#figures[RAN_UNTIL_NS] = startedNs;
  };

  /** Adds the time since the last tick to what the guest ran, and to what the model owes. */
  #account(now: number): number {
    const elapsedNs = now - this.#figures[RAN_UNTIL_NS]!;
    this.#figures[RAN_UNTIL_NS] = now;
    this.#figures[RAN_NS] = this.#figures[RAN_NS]! + elapsedNs;
    return this.#model.plan(elapsedNs);
  }

  /** Makes the writes that are due, when a tick is. @returns nanoseconds until the next tick */
  #tick(): number {
    const now = nowNs();
    const dueInNs = this.#figures[RAN_UNTIL_NS]! + TICK_NS - now;
    if (dueInNs > 0) return this.#model.isIdle ? Number.POSITIVE_INFINITY : dueInNs;
    let due = this.#account(now);
    while (due > 0 && Atomics.load(this.#words, COMMAND) === RUN) {
      const n = Math.min(due, WRITES_PER_LOOK);
      const turn = this.#header.pagesWritten;
      for (let i = 0; i < n; i++) dirtyPage(this.#memory, this.#model.nextPfn(), turn + i);
      this.#model.made(n);
      due -= n;
    }
    return this.#model.isIdle ? Number.POSITIVE_INFINITY : Math.max(0, TICK_NS - (nowNs() - now));
  }

  /** @returns true when there may be more to take */
  #takeFrames(): boolean {
    for (let i = 0; i < FRAMES_PER_TURN; i++) {
      if (Atomics.load(this.#words, COMMAND) !== RUN) return true;
      let length = this.#control.ring.shift(this.#receive.bytes);
      const origin = length >= 0 ? 'injected' : 'nic';
      if (length < 0) length = receiveBytes(this.#options.nicFd, this.#receive.address, MAX_FRAME);
      if (length < 0) return false;
      this.#take(length, origin);
    }
    return true;
  }

  #take(length: number, origin: FrameOrigin): void {
    const figure = origin === 'nic' ? FRAMES_RECEIVED : FRAMES_INJECTED;
    this.#figures[figure] = this.#figures[figure]! + 1;
    this.#frame.length = length;
    const { acceptFrame, stack } = this.#options;
    if (acceptFrame !== undefined && !acceptFrame(this.#frame, origin)) {
      this.#figures[FRAMES_REFUSED] = this.#figures[FRAMES_REFUSED]! + 1;
      return;
    }
    stack.receive(nowNs(), this.#frame, this.#send, this.#onUdp);
  }

  readonly #onUdp: UdpHandler = (toPort, data, start, length, response) =>
    toPort === SERVICE_PORT ? this.#service.handle(data, start, length, response) : 0;

  readonly #send = (frame: Frame): void => {
    let sent = -1;
    if (frame.length <= MAX_FRAME) {
      const { data, start, length } = frame;
      this.#transmit.bytes.set(
        start === 0 && data.length === length ? data : data.subarray(start, start + length),
      );
      sent = sendBytes(this.#options.nicFd, this.#transmit.address, length);
    }
    const figure = sent < 0 ? SEND_DROPS : FRAMES_SENT;
    this.#figures[figure] = this.#figures[figure]! + 1;
  };
}
