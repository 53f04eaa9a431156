/**
 * The keys that a host's doubts may need after its process is gone: the run's key, and which store its peer answered
 * with in each migration. JSON beside the store, mode 0600, replaced as a whole.
 *
 * Who reads it can speak for the host, so a file that others may read is refused, as ssh refuses such a key.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, statSync, writeSync } from 'node:fs';
import { z } from 'zod';
import { ConfigError, LonghaulError } from '../core/index.js';

export type KeyFileErrorCode = 'HOST_KEYS_MODE' | 'HOST_KEYS_SYNTAX';

const OWNER_ONLY = 0o600;
const OTHERS = 0o077;
const FILE_BYTES_MAX = 1 << 20;
const HEX_16 = z.string().regex(/^[0-9a-f]{32}$/);

const KEY_FILE = z.strictObject({
  schema: z.literal(1),
  site: z.enum(['a', 'b']),
  /** 64 hexadecimal digits; null for a run made with --insecure. */
  runKey: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
  /** The peer's store in each migration in which this host was the source, by the migration's id. */
  peerStores: z.record(HEX_16, HEX_16),
});

export type KeyFile = z.infer<typeof KEY_FILE>;

/** Writes the file whole or not at all; it has survived the process when this returns. */
export function writeKeyFile(path: string, keys: KeyFile): void {
  const draft = `${path}.${process.pid}`;
  const fd = openSync(draft, 'w', OWNER_ONLY);
  try {
    writeSync(fd, `${JSON.stringify(keys)}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(draft, path);
}

/**
 * Notes under which store the peer answered: to be called when ACCEPT has come, long before the pause.
 * @param migrationId and storeId, 32 hexadecimal digits
 */
export function notePeerStore(path: string, migrationId: string, storeId: string): void {
  const keys = readKeyFile(path);
  if (keys !== null)
    writeKeyFile(path, { ...keys, peerStores: { ...keys.peerStores, [migrationId]: storeId } });
}

/**
 * @returns null when there is no file
 * @throws ConfigError HOST_KEYS_MODE; LonghaulError HOST_KEYS_SYNTAX
 */
export function readKeyFile(path: string): KeyFile | null {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return null;
  if ((stat.mode & OTHERS) !== 0) {
    throw new ConfigError<KeyFileErrorCode>(
      'HOST_KEYS_MODE',
      `${path} may be read by others than its owner`,
      {
        details: { path, mode: stat.mode & 0o777 },
        hint: `chmod 600 ${path}, and take the run's key for known`,
      },
    );
  }
  try {
    if (stat.size > FILE_BYTES_MAX) throw new RangeError(`it has ${stat.size} bytes`);
    return KEY_FILE.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (cause) {
    throw new LonghaulError<KeyFileErrorCode>('HOST_KEYS_SYNTAX', `${path} is no file of host keys`, {
      cause,
      hint: 'it was changed or cut; without it the peer can be asked by its own records only',
    });
  }
}
