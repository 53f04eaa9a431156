/**
 * A real machine as its host sees it: memory, dirty log, and a worker thread that runs it (pc-loop.ts). The worker's
 * file belongs to the host, which filters frames there. Memory is the emulator's own, seen at its address.
 */
import { Worker } from 'node:worker_threads';
import { LonghaulError, PAGE_SIZE } from '../../core/index.js';
import { Doorbell, MADV_DONTNEED, memoryAt } from '../../sys/index.js';
import { checkMachineState, type DirtyLog, type GuestErrorCode, type GuestMemory } from '../index.js';
import { ControlBlock, type DirtyLogChoice, GuestControl, openDirtyLog } from '../memory/index.js';
import type { PcReady, PcWorkerData } from './pc-loop.js';
import { StateBox } from './state-box.js';

export interface PcGuestOptions {
  /** The worker's file. */
  readonly entry: URL;
  /** A multiple of 1 MiB. */
  readonly memoryBytes: number;
  /** A connected, non-blocking UDP socket; the guest does not close it. */
  readonly nicFd: number;
  readonly mac: Uint8Array;
  /** Null: nothing is booted, memory and state come from before. */
  readonly image: Uint8Array | null;
  readonly commandLine: string;
  /** It boots here; else it stands by. */
  readonly boots: boolean;
  readonly consolePath: string | null;
  readonly dirtyLog: DirtyLogChoice;
}

const REHEARSALS = 60;

interface Parts {
  readonly worker: Worker;
  readonly exited: Promise<void>;
  readonly doorbell: Doorbell;
  readonly box: StateBox;
  readonly control: GuestControl;
  readonly ready: PcReady & { readonly ok: true };
}

export class PcGuest {
  readonly memory: GuestMemory;
  readonly control: GuestControl;
  readonly dirtyLog: DirtyLog;
  /** Which dirty log it has and why, one line. */
  readonly dirtyLogWhy: string;
  /** Which machines its state goes to. */
  readonly shape: string;
  readonly #parts: Parts;

  private constructor(parts: Parts, dirtyLog: DirtyLogChoice) {
    const { address, bytes, shape } = parts.ready;
    this.#parts = parts;
    this.control = parts.control;
    this.shape = shape;
    this.memory = {
      pages: bytes / PAGE_SIZE,
      bytes: new Uint8Array(memoryAt(address, bytes)),
      address,
      dropAdvice: MADV_DONTNEED,
    };
    // What the machine saved last in its rehearsal, judged as often: code that has never run would be in the pause.
    for (let i = 0; i < REHEARSALS; i++) checkMachineState(this.saveState(), shape);
    const opened = openDirtyLog(this.memory, dirtyLog);
    this.dirtyLog = opened.log;
    this.dirtyLogWhy = opened.why;
  }

  /**
   * Makes the machine and waits until it stands at its first instruction; `resume` lets it run.
   * @throws EnvironmentError `GUEST_DIRTY_KERNEL`; LonghaulError `GUEST_MACHINE`
   */
  static async start(options: PcGuestOptions): Promise<PcGuest> {
    const doorbell = new Doorbell();
    const box = new StateBox();
    const block = new ControlBlock();
    const workerData: PcWorkerData = {
      control: block.buffer,
      box: box.buffer,
      nicFd: options.nicFd,
      doorbellFd: doorbell.fd,
      memoryBytes: options.memoryBytes,
      mac: options.mac,
      image: options.image,
      commandLine: options.commandLine,
      boots: options.boots,
      consolePath: options.consolePath,
    };
    const worker = new Worker(options.entry, { workerData });
    let failure: unknown = null;
    worker.on('error', (e) => {
      failure = e;
    });
    const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    const told = new Promise<PcReady>((resolve) => worker.once('message', resolve));
    const ready = await Promise.race([
      told,
      exited.then((): PcReady => ({ ok: false, text: `its thread ended: ${failure}` })),
    ]);
    const control = new GuestControl(block, doorbell);
    if (ready.ok) return new PcGuest({ worker, exited, doorbell, box, control, ready }, options.dirtyLog);
    await exited;
    doorbell.close();
    throw new LonghaulError<GuestErrorCode>('GUEST_MACHINE', ready.text, { cause: failure });
  }

  /** Lets the guest run and waits until it has executed something. @throws LonghaulError `GUEST_STOPPED` */
  resume(timeoutMs = 1000): void {
    this.control.resume();
    if (this.control.waitRunning(timeoutMs)) return;
    throw new LonghaulError<GuestErrorCode>('GUEST_STOPPED', 'the machine does not run', {
      hint: 'the end of its console may say why',
    });
  }

  /** All that is not memory. Of a guest that stands. @throws LonghaulError `GUEST_STATE_INVALID` */
  saveState(): Uint8Array {
    const state = this.#parts.box.read();
    if (state !== null) return state;
    throw new LonghaulError<GuestErrorCode>(
      'GUEST_STATE_INVALID',
      'the machine’s state is too large to move',
      {
        hint: 'an image that draws on the screen fills its memory, which is part of the state',
      },
    );
  }

  /** Takes the state of the guest whose memory was loaded. @throws LonghaulError `GUEST_STATE_INVALID`, `GUEST_STATE_SHAPE` */
  loadState(bytes: Uint8Array): void {
    const checked = checkMachineState(bytes, this.shape);
    if (!checked.ok)
      throw new LonghaulError<GuestErrorCode>(checked.code, checked.text, {
        hint: 'both hosts must run the same version with the same memory',
      });
    this.#parts.box.load(bytes);
  }

  /** Plays once what `loadState` does, for its code and data to be warm. */
  rehearseLoad(): void {
    checkMachineState(this.saveState(), this.shape);
  }

  /** Ends the machine's thread and gives back what it held; its memory is gone then. */
  async close(): Promise<void> {
    this.dirtyLog.close();
    this.control.stop();
    await this.#parts.exited;
    this.#parts.doorbell.close();
  }
}
