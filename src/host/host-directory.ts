/**
 * The hosts of this machine's runs, found by their durable records, and what those say of each guest.
 *
 *   the last migration of a guest   process lives    process gone
 *   COMMIT, no ENDED                in-doubt *       memory-lost   (the record stands, what it is about does not)
 *                                                    kept          (memory is a file, and state is beside it)
 *   RUNNING                         running          lost
 *   NEVER                           never            never         (it never started here)
 *   ENDED                           * or closed      closed        (this host's part is over)
 *   none                            *                              * as the process itself says
 */
import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { askControl } from './control-socket.js';
import { hostFilesOf, siteOfStore } from './host-files.js';
import type { HostStatus } from './host-status.js';
import { type KeptGuest, readKeptGuest } from './kept-guest.js';
import { type DurableRecord, decodeRecords } from './records.js';

export type RecordedState = HostStatus['state'] | 'kept' | 'memory-lost' | 'lost' | 'never' | 'closed';

export interface FoundHost {
  readonly recordsPath: string;
  /** The directory's name: one run. */
  readonly run: string;
  readonly site: string;
  /** 32 hexadecimal digits; empty when the store is torn. */
  readonly storeId: string;
  readonly records: readonly DurableRecord[];
  /** A guest that stands in files of this host, memory and all; or null. */
  readonly kept: KeptGuest | null;
  /** The process, when it answers. */
  readonly live: HostStatus | null;
  /** When the store was last written. */
  readonly writtenAt: Date;
}

/** A guest as one host's records have it. */
export interface FoundGuest {
  readonly host: FoundHost;
  readonly guest: string;
  /** Of its last migration on record; 0 before the first. */
  readonly epoch: number;
  readonly migrationId: string | null;
  readonly state: RecordedState;
}

const RUN_PREFIX = 'longhaul-';

/** Directories of this user's runs that are still there: those under way, and those that left a doubt. */
export function runDirectories(parent = tmpdir()): string[] {
  const uid = process.getuid?.();
  return readdirSync(parent)
    .filter((name) => name.startsWith(RUN_PREFIX))
    .map((name) => join(parent, name))
    .filter((path) => {
      const stat = lstatSync(path, { throwIfNoEntry: false });
      return stat?.isDirectory() === true && stat.uid === uid;
    })
    .sort();
}

/** Every host with a store in one of the directories. A directory that cannot be read has none. */
export async function findHosts(directories: readonly string[]): Promise<FoundHost[]> {
  const paths = directories.flatMap((dir) => {
    try {
      return readdirSync(dir)
        .filter((name) => siteOfStore(name) !== null)
        .sort()
        .map((name) => join(dir, name));
    } catch {
      return [];
    }
  });
  return Promise.all(paths.map(readHost));
}

async function readHost(recordsPath: string): Promise<FoundHost> {
  const records = decodeRecords(readFileSync(recordsPath));
  const store = records.find((r) => r.kind === 'STORE');
  const answer = await askControl(hostFilesOf(recordsPath).socket, { do: 'status' });
  return {
    recordsPath,
    run: basename(dirname(recordsPath)),
    site: siteOfStore(basename(recordsPath))!,
    storeId: store === undefined ? '' : hexOf(store.migrationId),
    records,
    kept: keptGuest(recordsPath),
    live: answer?.status ?? null,
    writtenAt: statSync(recordsPath).mtime,
  };
}

/** The guests that a host knows, each with what became of its last migration. */
export function guestsOf(host: FoundHost): FoundGuest[] {
  const last = new Map<string, DurableRecord[]>();
  for (const record of host.records) {
    if (record.kind === 'STORE') continue;
    const known = last.get(record.guest);
    const later = known === undefined || record.epoch > known[0]!.epoch;
    if (later) last.set(record.guest, [record]);
    else if (hexOf(record.migrationId) === hexOf(known[0]!.migrationId)) known.push(record);
  }
  const { live } = host;
  const guests: FoundGuest[] = [...last].map(([guest, records]) => ({
    host,
    guest,
    epoch: records[0]!.epoch,
    migrationId: hexOf(records[0]!.migrationId),
    state: stateOf(
      new Set(records.map((r) => r.kind)),
      live?.guest === guest ? live : null,
      host.kept !== null && hexOf(host.kept.migrationId) === hexOf(records[0]!.migrationId),
    ),
  }));
  if (live !== null && !last.has(live.guest))
    guests.push({ host, guest: live.guest, epoch: 0, migrationId: live.migrationId, state: live.state });
  return guests;
}

function stateOf(
  kinds: ReadonlySet<DurableRecord['kind']>,
  live: HostStatus | null,
  kept: boolean,
): RecordedState {
  if (kinds.has('ENDED')) return live?.state ?? 'closed';
  if (kinds.has('COMMIT')) return live !== null ? doubtOf(live) : kept ? 'kept' : 'memory-lost';
  if (kinds.has('RUNNING')) return live?.state ?? 'lost';
  return 'never';
}

/** A process that was started again and has not found the guest stands by. */
function doubtOf({ state }: HostStatus): RecordedState {
  return state === 'moving' ? 'moving' : state === 'standing-by' ? 'memory-lost' : 'in-doubt';
}

function keptGuest(recordsPath: string): KeptGuest | null {
  const { kept, memory } = hostFilesOf(recordsPath);
  return existsSync(memory) ? readKeptGuest(kept) : null;
}

export function hexOf(id: Uint8Array): string {
  return Buffer.from(id).toString('hex');
}
