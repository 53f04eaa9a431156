/**
 * Where a capture's bytes go: a file, standard output, or a ring of files.
 * Writing is synchronous, so that a capture can be written from a thread that never returns to its event loop.
 */
import { closeSync, constants, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { extname } from 'node:path';
import { ConfigError, LonghaulError, messageOf } from '../../core/index.js';
import type { CaptureErrorCode } from '../index.js';

const STDOUT = 1;
/** How long a pipe that is full is left alone. */
const PIPE_WAIT_MS = 1;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

export class OutputFile {
  readonly path: string;
  readonly #fd: number;
  #isOpen = true;

  /** @param path `-` for standard output @throws ConfigError CAPTURE_FILE */
  constructor(path: string) {
    this.path = path;
    try {
      this.#fd = openOutput(path);
    } catch (e) {
      throw new ConfigError<CaptureErrorCode>('CAPTURE_FILE', `${path} cannot be written: ${messageOf(e)}`, {
        hint: 'name a file in a directory that exists, or - for standard output',
      });
    }
  }

  /** Writes all of the first `length` bytes; waits where a pipe is full. @throws LonghaulError CAPTURE_FILE */
  write(bytes: Uint8Array, length: number): void {
    let at = 0;
    while (at < length) {
      try {
        at += writeSync(this.#fd, bytes, at, length - at);
      } catch (e) {
        const { code } = e as NodeJS.ErrnoException;
        if (code !== 'EAGAIN') {
          throw new LonghaulError<CaptureErrorCode>('CAPTURE_FILE', `${this.path}: ${messageOf(e)}`, {
            hint: code === 'EPIPE' ? 'its reader has gone' : 'the recording ends here',
          });
        }
        Atomics.wait(sleeper, 0, 0, PIPE_WAIT_MS);
      }
    }
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    if (this.#fd !== STDOUT) closeSync(this.#fd);
  }
}

/**
 * A pipe is written without waiting in the kernel: a thread that waits there for a reader that has stopped reading cannot
 * be ended. It is opened a second time for that, so that whoever else has it open keeps it as it is. pipe(7), proc(5)
 */
function openOutput(path: string): number {
  const place = path === '-' ? `/proc/self/fd/${STDOUT}` : path;
  if (statSync(place, { throwIfNoEntry: false })?.isFIFO() !== true)
    return path === '-' ? STDOUT : openSync(path, 'w');
  const withReader = openSync(place, 'w');
  try {
    return openSync(place, constants.O_WRONLY | constants.O_NONBLOCK);
  } finally {
    closeSync(withReader);
  }
}

/** The files of a ring, one open at a time, the oldest removed. */
export class RingNames {
  readonly #stem: string;
  readonly #extension: string;
  readonly #keep: number;
  readonly #names: string[] = [];
  #next = 1;

  /** @param keep how many files stay; Infinity for all */
  constructor(path: string, keep: number) {
    this.#extension = extname(path);
    this.#stem = path.slice(0, path.length - this.#extension.length);
    this.#keep = keep;
  }

  /** All names at once, for people: `NAME_*.pcapng`. */
  static pattern(path: string): string {
    const extension = extname(path);
    return `${path.slice(0, path.length - extension.length)}_*${extension}`;
  }

  /** The name of the next file; takes away the file that is one too many by then. */
  next(): string {
    const name = `${this.#stem}_${String(this.#next++).padStart(5, '0')}${this.#extension}`;
    this.#names.push(name);
    if (this.#names.length > this.#keep) rmSync(this.#names.shift()!, { force: true });
    return name;
  }
}
