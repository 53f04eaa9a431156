/**
 * Where guest memory lies that is to survive its host's process: a file a host on tmpfs, made for the run and removed
 * with it. tmpfs(5)
 */
import { rmSync, statSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ConfigError, formatBytes, messageOf } from '../core/index.js';
import { hostFilesOf } from '../host/index.js';
import { tmpfsBytesFree } from '../sys/index.js';
import type { Site } from './config/experiment.js';

export type MemoryBackingErrorCode = 'LAB_MEMORY_BACKING';

export class MemoryBacking {
  readonly #stem: string;
  readonly #made: string[] = [];

  /**
   * @param place a folder on tmpfs, or the beginning of the files' names in one
   * @param run names the files in a folder, so that two runs do not meet
   * @throws ConfigError LAB_MEMORY_BACKING when it is no such folder or has too little room
   */
  constructor(place: string, run: string, guestBytes: number) {
    const isFolder = statSync(place, { throwIfNoEntry: false })?.isDirectory() === true;
    this.#stem = isFolder ? join(place, `${run}-host-`) : `${place}-`;
    const free = roomOf(dirname(this.#stem), place);
    // A page that tmpfs has no room for ends the process that touches it: it is asked for before anything runs.
    const wanted = 2 * guestBytes;
    if (free < wanted)
      throw refusal(
        `${place} has ${formatBytes(free)} left, two hosts take ${formatBytes(wanted)}`,
        'choose a smaller memory, or a larger tmpfs',
      );
  }

  /** The file of a host's guest memory; a link to it stands beside the host's records. */
  fileOf(site: Site, recordsPath: string): string {
    const file = `${this.#stem}${site}`;
    if (!this.#made.includes(file)) {
      this.#made.push(file);
      symlinkSync(file, hostFilesOf(recordsPath).memory);
    }
    return file;
  }

  remove(): void {
    for (const file of this.#made) rmSync(file, { force: true });
  }
}

function roomOf(folder: string, place: string): number {
  let free: number | null;
  try {
    free = tmpfsBytesFree(folder);
  } catch (e) {
    throw refusal(`${place} cannot be used: ${messageOf(e)}`, 'name a folder on tmpfs, as /dev/shm');
  }
  if (free === null)
    throw refusal(
      `${place} is not on tmpfs`,
      'name a folder on tmpfs, as /dev/shm: a disk would slow the guest',
    );
  return free;
}

function refusal(message: string, hint: string): ConfigError {
  return new ConfigError<MemoryBackingErrorCode>('LAB_MEMORY_BACKING', message, {
    details: { key: 'migration.memory-backing' },
    hint,
  });
}
