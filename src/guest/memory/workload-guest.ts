/**
 * A workload guest as its host sees it: memory, dirty log, and a worker thread that runs it (guest-loop.ts).
 * The worker's file belongs to the host, which puts a network stack into it:
 *
 *   runGuestLoop({ ...guestLoopOptions(workerData), stack, acceptFrame })
 */
import { Worker } from 'node:worker_threads';
import { LonghaulError } from '../../core/index.js';
import { Doorbell } from '../../sys/index.js';
import {
  type DeviceState,
  type DirtyLog,
  type DirtyOptions,
  decodeDeviceState,
  encodeDeviceState,
  type GuestErrorCode,
  GuestHeader,
  type GuestMemory,
} from '../index.js';
import { ControlBlock, GuestControl } from './guest-control.js';
import type { GuestLoopOptions } from './guest-loop.js';
import { attachGuestMemory, type SharedGuestMemory } from './guest-memory.js';
import { type DirtyLogChoice, openDirtyLog } from './open-dirty-log.js';

/** The guest's thread allocates little, and what it does is short-lived. */
const YOUNG_MB = 4;
export interface WorkloadGuestOptions {
  readonly memory: SharedGuestMemory;
  /** The worker's file. */
  readonly entry: URL;
  /** A connected, non-blocking UDP socket; the guest does not close it. */
  readonly nicFd: number;
  readonly mac: Uint8Array;
  readonly ip: number;
  readonly dirty: DirtyOptions;
  readonly dirtyLog: DirtyLogChoice;
  /** More for the worker's file, found as `workerData.extra`. */
  readonly extra?: unknown;
}

/** What the worker's file finds as `workerData`. */
export interface GuestWorkerData {
  readonly control: SharedArrayBuffer;
  readonly buffer: SharedArrayBuffer;
  readonly pages: number;
  readonly nicFd: number;
  readonly doorbellFd: number;
  readonly dirty: DirtyOptions;
  readonly mac: Uint8Array;
  readonly ip: number;
  readonly extra: unknown;
}

/** The worker's part of the options of `runGuestLoop`. */
export function guestLoopOptions(data: GuestWorkerData): Omit<GuestLoopOptions, 'stack'> {
  const { control, nicFd, doorbellFd, dirty } = data;
  return { control, nicFd, doorbellFd, dirty, memory: attachGuestMemory(data.buffer, data.pages) };
}

export class WorkloadGuest {
  readonly memory: GuestMemory;
  readonly header: GuestHeader;
  readonly control: GuestControl;
  readonly dirtyLog: DirtyLog;
  /** Its state goes to any workload guest of as much memory. */
  readonly shape = '';
  /** Which dirty log it has and why, one line. */
  readonly dirtyLogWhy: string;
  readonly #doorbell = new Doorbell();
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  readonly #mac: Uint8Array;
  readonly #ip: number;
  #failure: unknown = null;

  private constructor(options: WorkloadGuestOptions) {
    this.memory = options.memory;
    this.header = new GuestHeader(options.memory.bytes);
    const opened = openDirtyLog(options.memory, options.dirtyLog);
    this.dirtyLog = opened.log;
    this.dirtyLogWhy = opened.why;
    this.#mac = options.mac;
    this.#ip = options.ip;
    const block = new ControlBlock();
    this.control = new GuestControl(block, this.#doorbell);
    const workerData: GuestWorkerData = {
      control: block.buffer,
      buffer: options.memory.buffer,
      pages: options.memory.pages,
      nicFd: options.nicFd,
      doorbellFd: this.#doorbell.fd,
      dirty: options.dirty,
      mac: options.mac,
      ip: options.ip,
      extra: options.extra,
    };
    this.#worker = new Worker(options.entry, {
      workerData,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
    });
    this.#worker.on('error', (e) => {
      this.#failure = e;
    });
    this.#exited = new Promise((resolve) => this.#worker.once('exit', () => resolve()));
  }

  /**
   * Starts the guest's thread and waits until it stands at its first instruction; `resume` lets it run.
   * (A worker needs its parent's event loop to come up, so that this cannot be done while blocking.)
   * @throws EnvironmentError `GUEST_DIRTY_KERNEL`; LonghaulError `GUEST_STOPPED` with the worker's error as cause
   */
  static async start(options: WorkloadGuestOptions): Promise<WorkloadGuest> {
    const guest = new WorkloadGuest(options);
    const ready = new Promise<boolean>((resolve) => guest.#worker.once('message', () => resolve(true)));
    if (await Promise.race([ready, guest.#exited.then(() => false)])) return guest;
    await guest.close();
    throw guest.#stopped('does not start');
  }

  /** Asks the guest to stand and waits until it does. @throws LonghaulError `GUEST_STOPPED` */
  pause(timeoutMs = 1000): void {
    this.control.pause();
    if (!this.control.waitParked(timeoutMs)) throw this.#stopped('does not stand');
  }

  /** Lets the guest run and waits until it has made its first step. @throws LonghaulError `GUEST_STOPPED` */
  resume(timeoutMs = 1000): void {
    this.control.resume();
    if (!this.control.waitRunning(timeoutMs)) throw this.#stopped('does not run');
  }

  /** All that is not memory. Of a guest that stands. */
  saveState(): Uint8Array {
    return encodeDeviceState({ mac: this.#mac, ip: this.#ip, ranNs: this.control.ranNs });
  }

  /** Takes the state of the guest whose memory was loaded. @throws LonghaulError `GUEST_STATE_INVALID` */
  loadState(bytes: Uint8Array): DeviceState {
    const decoded = decodeDeviceState(bytes);
    if (!decoded.ok) {
      throw new LonghaulError<GuestErrorCode>(
        decoded.code,
        `the device state is not right at byte ${decoded.at}`,
        {
          details: { at: decoded.at, length: bytes.length },
          hint: 'both hosts must run the same version',
        },
      );
    }
    this.control.ranNs = decoded.state.ranNs;
    return decoded.state;
  }

  /** Ends the guest's thread and gives back what it held; memory stays with whoever made it. */
  async close(): Promise<void> {
    this.control.stop();
    await this.#exited;
    this.dirtyLog.close();
    this.#doorbell.close();
  }

  #stopped(what: string): LonghaulError {
    return new LonghaulError<GuestErrorCode>(
      'GUEST_STOPPED',
      `the guest ${what}; its thread has ended or hangs`,
      {
        cause: this.#failure,
        hint: 'see the cause; a guest that ended cannot be resumed',
      },
    );
  }
}
