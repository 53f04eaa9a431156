/**
 * The virtual CPU of a real machine: a thread that steps it, and never returns to libuv once it stands ready.
 *
 *   ┌─► command? ──PAUSE──► pack the state into the box, park ──RUN──► restore what was loaded, go on
 *   │     │ RUN
 *   │   frames     those the host injected, then those of the NIC, as far as the card has buffers for them
 *   │   step       guest code until it halts, a millisecond at most; frames and commands are looked at meanwhile
 *   └── ppoll on NIC and doorbell until its timer is due
 *
 * A machine that breaks (a fault inside the emulator) stands for good: the state says STOPPED, the thread stays, since
 * the host still sees the memory that belongs to it.
 */
import { closeSync, constants, existsSync, openSync, readSync, writeSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { type Frame, messageOf, NO_OFFLOAD } from '../../core/index.js';
import {
  actPromptly,
  addressOf,
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
import { type FrameOrigin, packMachineState, unpackMachineState } from '../index.js';
import {
  ControlBlock,
  FIRST_INSTRUCTION_NS,
  FRAMES_INJECTED,
  FRAMES_RECEIVED,
  FRAMES_REFUSED,
  FRAMES_SENT,
  MAX_FRAME,
  PARKED,
  PARKED_AT_NS,
  RAN_NS,
  REHEARSE,
  RUN,
  RUNNING,
  SEND_DROPS,
  STOP,
  STOPPED,
  StartLine,
  THREAD,
} from '../memory/index.js';
import { StateBox } from './state-box.js';
import { machineShape, V86Machine } from './v86-machine.js';

const FRAMES_PER_TURN = 32;
/** Typed bytes taken at a time; the port's own queue holds more. */
const TYPED_PER_TURN = 64;
/** Ethernet header at least; at most what a card without jumbo frames takes. */
const FRAME_MIN = 14;
const FRAME_MAX = 1514;
/** Enough for what a pause runs to be compiled. */
const REHEARSALS = 60;
const REHEARSED_BOOT_NS = 1_500_000_000;
const REHEARSED_HALTS = 100;
const REHEARSED_SLEEP_NS = 1_000_000;
/** Longest sleep: a machine that halted with interrupts off has no timer. */
const SLEEP_MAX_NS = 100_000_000;

/** What the worker's file finds as `workerData`. */
export interface PcWorkerData {
  readonly control: SharedArrayBuffer;
  readonly box: SharedArrayBuffer;
  readonly nicFd: number;
  readonly doorbellFd: number;
  readonly memoryBytes: number;
  readonly mac: Uint8Array;
  /** What is booted; null for a machine whose memory and state come from before. */
  readonly image: Uint8Array | null;
  readonly commandLine: string;
  /** It boots here; else it stands by for another's state, once it has rehearsed the image. */
  readonly boots: boolean;
  /**
   * File to which the first serial port is appended; null for none. What is typed comes from a FIFO beside it, if
   * there is one: both hosts have it open, and the one whose machine runs reads it.
   */
  readonly consolePath: string | null;
}

/** What the worker tells its parent once. */
export type PcReady =
  | { readonly ok: true; readonly address: number; readonly bytes: number; readonly shape: string }
  | { readonly ok: false; readonly text: string };

export interface PcLoopOptions extends PcWorkerData {
  /** Asked of each frame before the card sees it; false turns it away. */
  readonly acceptFrame: (frame: Frame, origin: FrameOrigin) => boolean;
}

/** Makes the machine and runs it on the calling worker thread, from PARKED until STOP. */
export async function runPcLoop(options: PcLoopOptions): Promise<void> {
  const tell = (ready: PcReady): void => parentPort?.postMessage(ready);
  const loop = new PcLoop(options);
  try {
    const memory = await loop.make();
    tell({
      ok: true,
      address: addressOf(memory),
      bytes: memory.length,
      shape: machineShape(options.memoryBytes),
    });
  } catch (e) {
    tell({ ok: false, text: messageOf(e) });
    return;
  }
  loop.run();
}

class PcLoop {
  readonly #options: PcLoopOptions;
  readonly #control: ControlBlock;
  readonly #figures: Float64Array;
  readonly #line: StartLine;
  readonly #box: StateBox;
  readonly #shape: string;
  readonly #poll = new PollSet(3);
  readonly #doorbell: Doorbell;
  readonly #doorbellSlot: number;
  readonly #receive = new NativeStruct(MAX_FRAME);
  readonly #transmit = new NativeStruct(MAX_FRAME);
  readonly #frame: { -readonly [K in keyof Frame]: Frame[K] };
  readonly #consoleFd: number;
  /** -1: nobody can type. */
  readonly #typedFd: number;
  readonly #typed = new Uint8Array(TYPED_PER_TURN);
  #pending = '';
  /** While it rehearses, nobody hears it. */
  #muted = true;
  #machine: V86Machine | null = null;
  #lastAccountNs = 0;

  constructor(options: PcLoopOptions) {
    this.#options = options;
    this.#control = new ControlBlock(options.control);
    this.#figures = this.#control.figures;
    this.#line = new StartLine(this.#control);
    this.#box = new StateBox(options.box);
    this.#shape = machineShape(options.memoryBytes);
    this.#doorbell = new Doorbell(options.doorbellFd);
    this.#poll.add(options.nicFd, POLLIN);
    this.#doorbellSlot = this.#poll.add(options.doorbellFd, POLLIN);
    this.#frame = { data: this.#receive.bytes, start: 0, length: 0, offload: NO_OFFLOAD };
    const { consolePath } = options;
    this.#consoleFd = consolePath === null ? -1 : openSync(consolePath, 'a', 0o600);
    this.#typedFd = openTyped(consolePath);
    if (this.#typedFd >= 0) this.#poll.add(this.#typedFd, POLLIN);
  }

  async make(): Promise<Uint8Array> {
    const { memoryBytes, mac, image, commandLine, boots } = this.#options;
    const machine = await V86Machine.start({
      memoryBytes,
      mac,
      boot: image === null ? null : { kind: 'multiboot', image, commandLine },
      onFrame: this.#send,
      onSerial: this.#print,
    });
    this.#machine = machine;
    if (!boots && image !== null) this.#rehearseBoot(machine);
    this.#rehearseMove(machine);
    this.#muted = false;
    machine.onTurn = () => {
      this.#takeFrames();
    };
    return machine.memory();
  }

  /**
   * A machine that stands by runs the image for a moment, unheard: its code is compiled when the guest comes. What is
   * in its memory then is dropped before the first page arrives.
   */
  #rehearseBoot(machine: V86Machine): void {
    const untilNs = nowNs() + REHEARSED_BOOT_NS;
    for (let halts = 0; halts < REHEARSED_HALTS && nowNs() < untilNs; ) {
      const sleepNs = machine.step();
      if (sleepNs === 0) continue;
      halts++;
      this.#poll.wait(Math.min(sleepNs, REHEARSED_SLEEP_NS));
    }
  }

  /**
   * Saves and restores the machine to itself some times, as a move does: code that has never run is slow, and would be
   * in the pause. What it saved last is what it stands at.
   */
  #rehearseMove(machine: V86Machine): void {
    for (let i = 0; i < REHEARSALS; i++) {
      const length = packMachineState(this.#shape, machine.save(), this.#box.room);
      this.#box.saved(length);
      const unpacked = unpackMachineState(new Uint8Array(this.#box.room.subarray(0, length)), this.#shape);
      if (!unpacked.ok) throw new Error(unpacked.text);
      machine.restore(unpacked.tree);
    }
  }

  run(): void {
    this.#figures[THREAD] = threadNumber();
    actPromptly();
    sharpenTimers();
    try {
      this.#park();
      while (this.#line.command !== STOP) this.#turn();
    } catch (e) {
      this.#write(`\nlonghaul: the machine broke: ${messageOf(e)}\n`);
      this.#line.enter(STOPPED);
      // Its memory goes with this thread, and the host may still be looking at it.
      while (this.#line.command !== STOP) this.#line.awaitChange();
    }
    this.#line.enter(STOPPED);
    for (const fd of [this.#consoleFd, this.#typedFd]) if (fd >= 0) closeSync(fd);
  }

  #turn(): void {
    if (this.#line.command !== RUN) return this.#park();
    if (this.#line.standIfSlowed(this.#onStand)) this.#lastAccountNs = nowNs();
    if (Atomics.exchange(this.#control.words, REHEARSE, 0) === 1) this.#pack();
    const more = this.#takeFrames();
    this.#takeTyped();
    const sleepNs = this.#machine!.step();
    if (this.#line.command !== RUN) return;
    // A prompt has no newline.
    if (sleepNs > 0 && this.#pending !== '') this.#flush();
    // Not halted, as the host understands it: what is beside its memory has to be saved by this thread.
    this.#poll.wait(more ? 0 : Math.min(sleepNs, SLEEP_MAX_NS));
    if (this.#poll.ready(this.#doorbellSlot) !== 0) this.#doorbell.quiet();
  }

  readonly #onStand = (now: number): void => {
    this.#account(now);
  };

  #account(now: number): void {
    this.#figures[RAN_NS] = this.#figures[RAN_NS]! + now - this.#lastAccountNs;
    this.#lastAccountNs = now;
  }

  /** Stands still until the command says otherwise. */
  #park(): void {
    if (this.#line.state === RUNNING) {
      const now = nowNs();
      this.#account(now);
      this.#figures[PARKED_AT_NS] = now;
      this.#pack();
    }
    this.#line.enter(PARKED);
    this.#line.leave(this.#start, this.#unpack);
  }

  #pack(): void {
    this.#box.saved(packMachineState(this.#shape, this.#machine!.save(), this.#box.room));
  }

  /** Of the state that this machine saved last: for practice. */
  readonly #unpack = (): void => {
    const saved = this.#box.read();
    if (saved !== null) unpackMachineState(saved, this.#shape);
  };

  readonly #start = (): void => {
    const loaded = this.#box.takeLoaded();
    if (loaded !== null) this.#restore(loaded);
    // The guest is said to run when its next instruction is about to: pages that it has to fetch for it count.
    this.#machine!.touchNext();
    const startedNs = nowNs();
    this.#figures[FIRST_INSTRUCTION_NS] = startedNs;
    this.#lastAccountNs = startedNs;
  };

  #restore(bytes: Uint8Array): void {
    const unpacked = unpackMachineState(bytes, this.#shape);
    // The host has unpacked it before it committed itself.
    if (!unpacked.ok) throw new Error(unpacked.text);
    this.#machine!.restore(unpacked.tree);
  }

  /** @returns true when there may be more to take */
  #takeFrames(): boolean {
    for (let i = 0; i < FRAMES_PER_TURN; i++) {
      if (this.#line.command !== RUN) return true;
      // What the card has no buffer for waits where it is, as on a wire with flow control.
      if (!this.#machine!.takesFrames()) return false;
      let length = this.#control.ring.shift(this.#receive.bytes);
      const origin = length >= 0 ? 'injected' : 'nic';
      if (length < 0) length = receiveBytes(this.#options.nicFd, this.#receive.address, MAX_FRAME);
      if (length < 0) return false;
      this.#take(length, origin);
    }
    return true;
  }

  #take(length: number, origin: FrameOrigin): void {
    this.#count(origin === 'nic' ? FRAMES_RECEIVED : FRAMES_INJECTED);
    this.#frame.length = length;
    const fits = length >= FRAME_MIN && length <= FRAME_MAX;
    if (fits && this.#options.acceptFrame(this.#frame, origin))
      this.#machine!.deliver(this.#receive.bytes.subarray(0, length));
    else this.#count(FRAMES_REFUSED);
  }

  readonly #send = (frame: Uint8Array): void => {
    if (this.#muted) return;
    let sent = -1;
    if (frame.length <= MAX_FRAME) {
      this.#transmit.bytes.set(frame);
      sent = sendBytes(this.#options.nicFd, this.#transmit.address, frame.length);
    }
    this.#count(sent < 0 ? SEND_DROPS : FRAMES_SENT);
  };

  #count(figure: number): void {
    this.#figures[figure] = this.#figures[figure]! + 1;
  }

  /** The first serial port, a line at a time. */
  readonly #print = (byte: number): void => {
    if (this.#muted) return;
    this.#pending += String.fromCharCode(byte);
    if (byte === 10 || this.#pending.length >= 1024) this.#flush();
  };

  #flush(): void {
    this.#write(this.#pending);
    this.#pending = '';
  }

  #takeTyped(): void {
    if (this.#typedFd < 0) return;
    const length = readTyped(this.#typedFd, this.#typed);
    for (let i = 0; i < length; i++) this.#machine!.type(this.#typed[i]!);
  }

  #write(text: string): void {
    if (this.#consoleFd >= 0) writeSync(this.#consoleFd, text, null, 'latin1');
  }
}

/** What is typed comes by the FIFO of this name beside the console's file. */
export function typedPath(consolePath: string): string {
  return `${consolePath}.in`;
}

/** Opened for writing too, so that it has no end while nobody types. */
function openTyped(consolePath: string | null): number {
  if (consolePath === null || !existsSync(typedPath(consolePath))) return -1;
  return openSync(typedPath(consolePath), constants.O_RDWR | constants.O_NONBLOCK);
}

/** @returns bytes read, 0 when there are none */
function readTyped(fd: number, into: Uint8Array): number {
  try {
    return readSync(fd, into);
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
    throw e;
  }
}
