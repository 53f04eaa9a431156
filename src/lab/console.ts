/**
 * A terminal on a machine's serial line, for as long as its run lasts. The line belongs to the run and not to a host:
 * a file to which whoever runs the machine appends, and a FIFO that whoever runs it reads. So a move is nothing that a
 * terminal notices, but for the pause.
 */
import { closeSync, constants, existsSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError } from '../core/index.js';
import { typedPath } from '../guest/pc/index.js';
import { CONSOLE_FILE } from './guest-orders.js';

export type ConsoleErrorCode = 'LAB_NO_CONSOLE' | 'LAB_MANY_CONSOLES';

/** What of the past is shown when a terminal is attached. */
const PAST_BYTES = 2000;
const PIECE_BYTES = 16 * 1024;
const LOOK_MS = 15;

/**
 * The run whose console is meant.
 * @param directories of runs that live
 * @throws ConfigError LAB_NO_CONSOLE, LAB_MANY_CONSOLES
 */
export function consoleOf(directories: readonly string[]): string {
  const found = directories
    .map((dir) => join(dir, CONSOLE_FILE))
    .filter((path) => existsSync(typedPath(path)));
  if (found.length === 1) return found[0]!;
  if (found.length === 0) {
    throw new ConfigError<ConsoleErrorCode>('LAB_NO_CONSOLE', 'no run has a machine with a console now', {
      hint: 'start one in another terminal: longhaul run --guest linux --repeat 10',
    });
  }
  throw new ConfigError<ConsoleErrorCode>('LAB_MANY_CONSOLES', `${found.length} runs have a console`, {
    hint: `name one, --run ${found.map((path) => path.slice(0, -CONSOLE_FILE.length - 1)).join(' or --run ')}`,
  });
}

export interface ConsoleEnds {
  /** Takes what the machine prints. */
  print(bytes: Uint8Array): void;
  /** Ends it from outside. */
  readonly signal: AbortSignal;
}

/** A console that is attached. */
export class AttachedConsole {
  readonly #path: string;
  readonly #typedFd: number;

  /** @param path as `consoleOf` found it */
  constructor(path: string) {
    this.#path = path;
    this.#typedFd = openSync(typedPath(path), constants.O_RDWR | constants.O_NONBLOCK);
  }

  /** Types for the machine. @returns false when it has not read for so long that nothing more fits */
  type(bytes: Uint8Array): boolean {
    try {
      return writeSync(this.#typedFd, bytes) === bytes.length;
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code === 'EAGAIN') return false;
      throw e;
    }
  }

  /** Prints until the run has removed its console, or the signal comes. */
  async follow({ print, signal }: ConsoleEnds): Promise<void> {
    while (!existsSync(this.#path)) {
      if (signal.aborted || !existsSync(typedPath(this.#path))) return this.#close();
      await sleep(LOOK_MS);
    }
    const fd = openSync(this.#path, 'r');
    const piece = Buffer.alloc(PIECE_BYTES);
    let at = Math.max(0, fstatSync(fd).size - PAST_BYTES);
    try {
      while (!signal.aborted) {
        const length = readSync(fd, piece, 0, PIECE_BYTES, at);
        at += length;
        if (length > 0) print(Buffer.from(piece.subarray(0, length)));
        else if (existsSync(this.#path)) await sleep(LOOK_MS);
        else return;
      }
    } finally {
      closeSync(fd);
      this.#close();
    }
  }

  #close(): void {
    closeSync(this.#typedFd);
  }
}
