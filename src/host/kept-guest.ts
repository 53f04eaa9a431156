/**
 * What a host leaves of a guest that stands committed, so that it is there again when the host's process was killed: the
 * device state, in a file beside the records; the memory is a file on tmpfs of its own (`--memory-backing`).
 *
 *   0        4        8             12      16             32      36       40
 *   │ 'LHKG' │ length │ incomplete  │ epoch │ migration id │ check │ (zero) │ state … │        big-endian
 *
 * One write to a file that was opened before the pause, ahead of COMMIT: a COMMIT on record says that this is there.
 * `incomplete`: the destination lacked pages when it was told to start, and may need this memory for ever.
 */
import { readFileSync } from 'node:fs';
import { check, closeFd, libc, NativeStruct, O_CREAT, O_RDWR, openFd } from '../sys/index.js';
import { STATE_BYTES_MAX } from '../vmotion-protocol/index.js';
import { writeCheck } from './write-check.js';

const MAGIC = 0x4c484b47;
const LENGTH_AT = 4;
const INCOMPLETE_AT = 8;
const EPOCH_AT = 12;
const ID_AT = 16;
const CHECK_AT = 32;
const STATE_AT = 40;

export interface KeptGuest {
  readonly migrationId: Uint8Array;
  readonly epoch: number;
  readonly incomplete: boolean;
  readonly state: Uint8Array;
}

/** The writing side: one guest, the last one kept counts. */
export class GuestKeeper {
  readonly #fd: number;
  readonly #block = new NativeStruct(STATE_AT + STATE_BYTES_MAX);

  constructor(path: string) {
    this.#fd = openFd(path, O_RDWR | O_CREAT);
  }

  /** It has survived the process when this returns. @throws LonghaulError SYS_ENOSPC and others */
  keep({ migrationId, epoch, incomplete, state }: KeptGuest): void {
    const { bytes, view, address } = this.#block;
    bytes.fill(0, 0, STATE_AT);
    view.setUint32(0, MAGIC);
    view.setUint32(LENGTH_AT, state.length);
    view.setUint32(INCOMPLETE_AT, incomplete ? 1 : 0);
    view.setUint32(EPOCH_AT, epoch);
    bytes.set(migrationId, ID_AT);
    bytes.set(state, STATE_AT);
    const length = STATE_AT + state.length;
    view.setUint32(CHECK_AT, writeCheck(bytes, length));
    check('write a guest’s state', libc.pwrite(this.#fd, address, length, 0));
  }

  close(): void {
    closeFd(this.#fd);
  }
}

/** What was kept last, or null: nothing, or a write that a crash has torn. */
export function readKeptGuest(path: string): KeptGuest | null {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch {
    return null;
  }
  if (bytes.length < STATE_AT) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = STATE_AT + view.getUint32(LENGTH_AT);
  if (view.getUint32(0) !== MAGIC || end > bytes.length) return null;
  const checked = view.getUint32(CHECK_AT);
  view.setUint32(CHECK_AT, 0);
  if (writeCheck(bytes, end) !== checked) return null;
  return {
    migrationId: bytes.slice(ID_AT, ID_AT + 16),
    epoch: view.getUint32(EPOCH_AT),
    incomplete: view.getUint32(INCOMPLETE_AT) !== 0,
    state: bytes.slice(STATE_AT, end),
  };
}
