/**
 * The durable records of a host: COMMIT, RUNNING, NEVER, ENDED, one line of 64 bytes each.
 *
 *   0       4      8        12       16             32        56       64
 *   │ LHRC  │ kind │ epoch  │ (zero) │ migration id │ guest … │ check  │
 *
 * *Durable* means: survives the process. One write to a file that was opened and preallocated before the pause
 * (about 2 µs); with `disk`, fdatasync follows (about 120 µs). A line whose check does not fit was torn by a
 * crash in the middle of its write and counts as not written. docs/design.md, "Protocol", rule 7.
 */

import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { LonghaulError } from '../core/index.js';

import { check, closeFd, libc, NativeStruct, O_CREAT, O_RDWR, openFd } from '../sys/index.js';
import { writeCheck } from './write-check.js';

/** What a record survives once `append` has returned: the process, or the machine as well. */
export type Durability = 'process' | 'disk';

export type RecordKind = 'STORE' | 'COMMIT' | 'RUNNING' | 'NEVER' | 'ENDED';

const KINDS: readonly RecordKind[] = ['STORE', 'COMMIT', 'RUNNING', 'NEVER', 'ENDED'];
const MAGIC = 0x4c485243;
const RECORD_BYTES = 64;
const CAPACITY = 1024;
const GUEST_AT = 32;
const GUEST_BYTES = 24;
const CHECK_AT = 56;

export interface DurableRecord {
  readonly kind: RecordKind;
  readonly epoch: number;
  readonly migrationId: Uint8Array;
  readonly guest: string;
}

export class RecordStore {
  /** Names this store: asked under another id a host answers UNKNOWN, never NACK. 16 bytes. */
  readonly storeId: Uint8Array;
  readonly #fd: number;
  readonly #line = new NativeStruct(RECORD_BYTES);
  readonly #records: DurableRecord[];
  #next: number;

  readonly #durable: Durability;

  /** Opens or makes the store; preallocates it, so that a full disk shows here and not in a pause. */
  constructor(path: string, durable: Durability = 'process') {
    this.#durable = durable;
    if (!existsSync(path)) {
      const fd = openSync(path, 'wx', 0o600);
      writeSync(fd, Buffer.alloc(CAPACITY * RECORD_BYTES));
      if (durable === 'disk') fsyncSync(fd);
      closeSync(fd);
      if (durable === 'disk') syncFolder(dirname(path));
    }
    const all = decodeRecords(readFileSync(path));
    this.#fd = openFd(path, O_RDWR | O_CREAT);
    this.#next = all.length;
    const store = all.find((r) => r.kind === 'STORE');
    this.storeId = store?.migrationId ?? randomBytes(16);
    this.#records = all;
    if (!store) this.append({ kind: 'STORE', epoch: 0, migrationId: this.storeId, guest: '' });
  }

  get records(): readonly DurableRecord[] {
    return this.#records;
  }

  /** The highest epoch on record for a guest, or null: an offer must be higher. */
  highestEpoch(guest: string): number | null {
    const epochs = this.#records.filter((r) => r.guest === guest && r.kind !== 'STORE').map((r) => r.epoch);
    return epochs.length === 0 ? null : Math.max(...epochs);
  }

  /** What was decided here under a migration's name. @param migrationId 32 hexadecimal digits */
  decision(migrationId: string): 'RUNNING' | 'NEVER' | null {
    for (const { kind, migrationId: id } of this.#records) {
      if ((kind === 'RUNNING' || kind === 'NEVER') && Buffer.from(id).toString('hex') === migrationId)
        return kind;
    }
    return null;
  }

  /** The last migration in which a guest left here, when it has a COMMIT and no ENDED; else null. */
  committed(guest: string): DurableRecord | null {
    const commit = this.#records.findLast((r) => r.kind === 'COMMIT' && r.guest === guest);
    if (commit === undefined || commit.epoch < this.highestEpoch(guest)!) return null;
    const id = Buffer.from(commit.migrationId);
    return this.#records.some((r) => r.kind === 'ENDED' && id.equals(r.migrationId)) ? null : commit;
  }

  /**
   * Writes one record; it survives what the store's durability says when this returns.
   * @throws LonghaulError SYS_ENOSPC and others
   */
  append(record: DurableRecord): void {
    if (this.#next === CAPACITY) {
      throw new LonghaulError('HOST_RECORDS_FULL', `the store holds ${CAPACITY} records`, {
        hint: 'begin a new run: each has a store of its own',
      });
    }
    encodeRecord(record, this.#line.bytes, this.#line.view);
    const at = this.#next * RECORD_BYTES;
    check('write a durable record', libc.pwrite(this.#fd, this.#line.address, RECORD_BYTES, at));
    // Without its ENDED a store says too little and never too much: that record may come late.
    if (this.#durable === 'disk' && record.kind !== 'ENDED')
      check('write a record to disk', libc.fdatasync(this.#fd));
    this.#next++;
    this.#records.push(record);
  }

  close(): void {
    closeFd(this.#fd);
  }
}

/** A file that was made is found again after a crash of the machine only if its folder is on disk too. fsync(2) */
function syncFolder(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function encodeRecord(record: DurableRecord, bytes: Uint8Array, view: DataView): void {
  bytes.fill(0, 0, RECORD_BYTES);
  view.setUint32(0, MAGIC, false);
  view.setUint32(4, KINDS.indexOf(record.kind), false);
  view.setUint32(8, record.epoch, false);
  bytes.set(record.migrationId.subarray(0, 16), 16);
  bytes.set(new TextEncoder().encode(record.guest).subarray(0, GUEST_BYTES), GUEST_AT);
  view.setUint32(CHECK_AT, writeCheck(bytes, CHECK_AT), false);
}

/** The records of a store's bytes, up to the first line that is empty or torn. */
export function decodeRecords(bytes: Uint8Array): DurableRecord[] {
  const records: DurableRecord[] = [];
  for (let at = 0; at + RECORD_BYTES <= bytes.length; at += RECORD_BYTES) {
    const line = bytes.subarray(at, at + RECORD_BYTES);
    const view = new DataView(line.buffer, line.byteOffset, RECORD_BYTES);
    const kind = KINDS[view.getUint32(4, false)];
    if (
      view.getUint32(0, false) !== MAGIC ||
      kind === undefined ||
      view.getUint32(CHECK_AT, false) !== writeCheck(line, CHECK_AT)
    )
      break;
    const guest = new TextDecoder()
      .decode(line.subarray(GUEST_AT, GUEST_AT + GUEST_BYTES))
      .replace(/\0+$/, '');
    records.push({ kind, epoch: view.getUint32(8, false), migrationId: line.slice(16, 32), guest });
  }
  return records;
}
