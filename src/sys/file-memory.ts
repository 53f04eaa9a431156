/**
 * Memory that is a file on tmpfs: what a process leaves in it is there for the next one. mmap(2), madvise(2), tmpfs(5).
 *
 * The file is mapped over memory that has its address already (MAP_FIXED), so that whoever holds an ArrayBuffer of that
 * memory sees the file. userfaultfd tracks and fills it as it does private memory. What differs is how a page is given
 * back: dropping it from the mapping leaves it in the file, so a hole is punched instead (MADV_REMOVE).
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, statfsSync } from 'node:fs';
import { EnvironmentError, LonghaulError } from '../core/index.js';
import { check, libc } from './libc.js';

const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_FIXED = 0x10;
const TMPFS_MAGIC = 0x01021994;
const OWNER_ONLY = 0o600;

/** madvise(2): punch a hole into the file that is mapped here; its pages read as zeros afterwards. */
export const MADV_REMOVE = 9;

/** Bytes that a tmpfs has left, or null when the folder is on something else. @throws as statfs(2) does */
export function tmpfsBytesFree(folder: string): number | null {
  const { type, bavail, bsize } = statfsSync(folder);
  return type === TMPFS_MAGIC ? bavail * bsize : null;
}

/**
 * Puts a file in the place of `length` bytes at `address`, both page-aligned.
 * @param found the file was made by a process before; else it must not be there yet
 * @throws LonghaulError SYS_FILE_MEMORY when a file that was found is not what was left; EnvironmentError, LonghaulError SYS_…
 */
export function mapFileOver(path: string, address: number, length: number, found: boolean): void {
  const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const fd = openSync(path, O_RDWR | O_NOFOLLOW | (found ? 0 : O_CREAT | O_EXCL), OWNER_ONLY);
  try {
    if (!found) ftruncateSync(fd, length);
    const { size, uid, mode } = fstatSync(fd);
    if (size !== length || uid !== process.geteuid?.() || (mode & 0o077) !== 0) {
      throw new LonghaulError('SYS_FILE_MEMORY', `${path} is not the memory that was left there`, {
        details: { size, expected: length, uid },
        hint: 'it was cut, replaced or made readable for others; what it holds is not to be trusted',
      });
    }
    const flags = MAP_SHARED | MAP_FIXED;
    if (libc.mmap(address, length, PROT_READ_WRITE, flags, fd, 0) !== address) {
      throw new EnvironmentError('SYS_FILE_MEMORY', `${path} cannot be mapped`, {
        hint: 'the memory of this process may be limited: ulimit -v',
      });
    }
  } finally {
    closeSync(fd);
  }
}

/** Gives all pages of a range back: private memory and a file's alike read as zeros afterwards. */
export function dropPages(address: number, length: number, advice: number): void {
  check('madvise', libc.madvise(address, length, advice));
}
