/** Chooses the dirty log by what the machine has, and says why. */
import { isLonghaulError, messageOf } from '../../core/index.js';
import type { DirtyLog, GuestErrorCode, GuestMemory } from '../index.js';
import { KernelDirtyLog } from './kernel-dirty-log.js';
import { ScanDirtyLog } from './scan-dirty-log.js';

export type DirtyLogChoice = 'auto' | 'kernel' | 'scan';

export interface OpenedDirtyLog {
  readonly log: DirtyLog;
  /** Which log it is and why, one line. */
  readonly why: string;
}

/**
 * Opens a dirty log over all of `memory`; not started yet. A memory has one at a time.
 * @throws EnvironmentError `GUEST_DIRTY_KERNEL` when `kernel` is asked for and not there
 */
export function openDirtyLog(memory: GuestMemory, choice: DirtyLogChoice): OpenedDirtyLog {
  if (choice === 'scan') return { log: new ScanDirtyLog(memory), why: 'scan: asked for' };
  try {
    const log = new KernelDirtyLog(memory);
    return { log, why: `kernel: ${choice === 'kernel' ? 'asked for' : 'userfaultfd WP_ASYNC is there'}` };
  } catch (e) {
    const code: GuestErrorCode = 'GUEST_DIRTY_KERNEL';
    if (choice === 'kernel' || !isLonghaulError(e, code)) throw e;
    return { log: new ScanDirtyLog(memory), why: `scan: ${messageOf(e)}` };
  }
}
