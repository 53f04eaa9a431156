/**
 * One QEMU: started in a namespace with its descriptors, talked to over QMP, ended for certain. It dies with the
 * process that started it (`launcher.ts`).
 *
 *   3  QMP      a UNIX socket pair: no path in the file system, none to wait for, gone with either end
 *   4  serial   another one
 *   5  NIC      a UDP socket, connected to the fabric's end of a NIO-UDP port
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { LonghaulError } from '../core/index.js';
import { inNetns } from '../sys/index.js';
import { type QemuBegin, type QemuMachine, qemuArguments } from './command-line.js';
import type { QemuErrorCode } from './errors.js';
import { QmpClient } from './qmp-client.js';

const LAUNCHER = fileURLToPath(new URL('./launcher.js', import.meta.url));
/** How long a QEMU that was told to quit may take before it is killed. */
const QUIT_LIMIT_MS = 2000;
/** Kept of what it writes to stderr: its last words are the reason when it ends. */
const LAST_WORDS_BYTES = 4096;
/** Kept of the serial line, for whoever comes to listen later. */
const SERIAL_KEPT_BYTES = 64 * 1024;

export interface QemuStart {
  /** For errors: `QEMU at site a`. */
  readonly name: string;
  readonly program: string;
  readonly machine: QemuMachine;
  readonly begin: QemuBegin;
  /** Namespace whose network its migration stream takes. */
  readonly netnsFd: number;
  /** The guest's NIC; stays the caller's to close. */
  readonly nicFd: number;
}

export class QemuProcess {
  readonly name: string;
  readonly qmp: QmpClient;
  /** Settles when the process has ended, with how, and QEMU's last words. */
  readonly ended: Promise<string>;
  readonly #process: ChildProcess;
  readonly #serial: Duplex;
  #serialText = '';
  readonly #serialListeners = new Set<() => void>();
  #lastWords = '';

  private constructor(start: QemuStart) {
    this.name = start.name;
    const argv = [LAUNCHER, String(process.pid), start.program, ...qemuArguments(start.machine, start.begin)];
    this.#process = inNetns(start.netnsFd, () =>
      spawn(process.execPath, argv, { stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe', start.nicFd] }),
    );
    this.#process.stderr!.on('data', (bytes: Buffer) => {
      this.#lastWords = (this.#lastWords + bytes.toString('utf8')).slice(-LAST_WORDS_BYTES);
    });
    this.ended = new Promise((resolve) => {
      this.#process.on('error', (e) => resolve(`could not be started: ${e.message}`));
      // `close` comes after stderr has been read to its end.
      this.#process.once('close', (code, signal) => {
        const how = signal !== null ? `was killed by ${signal}` : `exited with ${code}`;
        const words = this.#lastWords.trim().split('\n').at(-1);
        resolve(words ? `${how}: ${words}` : how);
      });
    });
    this.qmp = new QmpClient(this.#process.stdio[3] as unknown as Duplex, start.name);
    this.#serial = this.#process.stdio[4] as unknown as Duplex;
    this.#serial.on('error', () => {});
    this.#serial.on('data', (bytes: Buffer) => {
      this.#serialText = (this.#serialText + bytes.toString('latin1')).slice(-SERIAL_KEPT_BYTES);
      for (const listener of this.#serialListeners) listener();
    });
  }

  /** Starts one and waits until it takes commands. @throws LonghaulError QEMU_DIED with QEMU's last words */
  static async start(start: QemuStart): Promise<QemuProcess> {
    const qemu = new QemuProcess(start);
    try {
      await qemu.qmp.open();
      return qemu;
    } catch (e) {
      const how = qemu.alive ? null : await qemu.ended;
      await qemu.end();
      throw how === null ? e : qemu.death(how);
    }
  }

  get pid(): number {
    return this.#process.pid ?? -1;
  }

  get alive(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** What the guest wrote to its serial line, the last part of it. */
  get serial(): string {
    return this.#serialText;
  }

  /**
   * Waits until the guest has written this to its serial line.
   * @returns false when the limit was over before, or QEMU had ended
   */
  hears(words: string, limitMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (heard: boolean): void => {
        clearTimeout(timer);
        this.#serialListeners.delete(look);
        resolve(heard);
      };
      const look = (): void => {
        if (this.#serialText.includes(words)) settle(true);
      };
      const timer = setTimeout(() => settle(false), limitMs);
      this.#serialListeners.add(look);
      void this.ended.then(() => settle(false));
      look();
    });
  }

  /** The error that says how it ended. */
  death(how: string): LonghaulError<QemuErrorCode> {
    return new LonghaulError('QEMU_DIED', `${this.name} ${how}`);
  }

  /** Ends it: asks, waits, kills. Safe at any moment. */
  async end(): Promise<void> {
    if (this.alive) {
      this.qmp.execute('quit', {}).catch(() => {});
      const timer = setTimeout(() => this.#process.kill('SIGKILL'), QUIT_LIMIT_MS);
      await this.ended;
      clearTimeout(timer);
    }
    this.qmp.close();
    this.#serial.destroy();
  }
}
