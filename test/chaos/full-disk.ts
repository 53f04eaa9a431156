/**
 * A small disk of one's own for a run's files, and a way to fill it to the last byte: a tmpfs(5) mounted over a folder.
 * Only root may mount one. It is mounted in a mount namespace of the process's own (mount_namespaces(7)), so that it is
 * gone with the last process that sees it, however that ends.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const SIZE = '16m';
const FILLER = 'filler';
const BLOCK_BYTES = 1 << 20;

/** The command that runs this one with mounts of its own, which nobody else sees. */
export function withOwnMounts(command: readonly string[]): string[] {
  return ['unshare', '--mount', '--propagation', 'private', '--', ...command];
}

export class SmallDisk {
  readonly #dir: string;
  isFull = false;

  /** @throws Error when nothing can be mounted here */
  constructor(dir: string) {
    this.#dir = dir;
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'longhaul-chaos', dir], { stdio: 'pipe' });
  }

  /** From now on nothing more can be written to it. */
  fill(): void {
    this.isFull = true;
    const fd = openSync(join(this.#dir, FILLER), 'w');
    for (let bytes = BLOCK_BYTES; bytes >= 1; ) {
      try {
        writeSync(fd, new Uint8Array(bytes));
      } catch {
        bytes = Math.floor(bytes / 2); // ENOSPC: smaller pieces until not one byte fits
      }
    }
    closeSync(fd);
  }

  remove(): void {
    rmSync(join(this.#dir, FILLER), { force: true });
    // A process of the run may not have let go yet: the mount then goes with its last file.
    execFileSync('umount', ['-l', this.#dir], { stdio: 'pipe' });
  }
}

/** Why there can be no small disk; null where there can. */
export function lackOfDisk(): string | null {
  return process.getuid?.() === 0 ? null : 'only root mounts a disk that can be filled';
}
