/** The bytes of a file, a pipe or standard input, 1 MiB at a time. */
import { type FileHandle, open } from 'node:fs/promises';
import { ConfigError, messageOf } from '../../core/index.js';
import type { CaptureErrorCode } from '../index.js';

/** Large reads are what makes reading fast: 64 KiB ones take twice the time. */
export const CHUNK_BYTES = 2 ** 20;

export class ChunkSource {
  readonly #path: string;
  readonly #file: FileHandle;
  #isOpen = true;

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  /** @param path `-` for standard input @throws ConfigError CAPTURE_FILE */
  static async open(path: string): Promise<ChunkSource> {
    try {
      return new ChunkSource(path, await open(path === '-' ? '/dev/stdin' : path, 'r'));
    } catch (e) {
      throw new ConfigError<CaptureErrorCode>('CAPTURE_FILE', `${path} cannot be opened: ${messageOf(e)}`, {
        hint: 'name a capture that this user may read, or - for standard input',
      });
    }
  }

  /** Fills `into` from `at` on, as far as the source goes. @returns how many bytes came; fewer only at its end @throws ConfigError CAPTURE_FILE */
  async fill(into: Uint8Array, at: number): Promise<number> {
    let filled = 0;
    while (at + filled < into.length) {
      const bytesRead = await this.#read(into, at + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return filled;
  }

  async #read(into: Uint8Array, at: number): Promise<number> {
    try {
      return (await this.#file.read(into, at, into.length - at, null)).bytesRead;
    } catch (e) {
      throw new ConfigError<CaptureErrorCode>(
        'CAPTURE_FILE',
        `${this.#path} cannot be read: ${messageOf(e)}`,
        {
          hint: 'name a file that is a capture',
        },
      );
    }
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#file.close();
  }
}
