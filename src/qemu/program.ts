/** Finds QEMU on this machine. */
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';
import { EnvironmentError } from '../core/index.js';
import type { QemuErrorCode } from './errors.js';

/** Either runs a 32-bit machine; the first found is taken. */
const NAMES = ['qemu-system-i386', 'qemu-system-x86_64'];
/** `-netdev dgram` came with 7.2. */
const OLDEST = [7, 2] as const;
const INSTALL = 'install it (Debian: the package qemu-system-x86), or name it with --qemu PATH';
const VERSION_LIMIT_MS = 5000;

export interface QemuProgram {
  readonly path: string;
  readonly version: string;
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function search(names: readonly string[], path: string): string | null {
  for (const name of names) {
    if (name.includes('/') || isAbsolute(name)) return executable(name) ? name : null;
    for (const folder of path.split(delimiter))
      if (folder !== '' && executable(join(folder, name))) return join(folder, name);
  }
  return null;
}

/**
 * @param asked a path or name of the user's own; null for what PATH has
 * @throws EnvironmentError QEMU_MISSING, QEMU_OLD
 */
export async function findQemu(asked: string | null, path = process.env.PATH ?? ''): Promise<QemuProgram> {
  const found = search(asked === null ? NAMES : [asked], path);
  if (found === null) {
    const what = asked ?? NAMES.join(' or ');
    throw new EnvironmentError<QemuErrorCode>('QEMU_MISSING', `${what} is not here`, { hint: INSTALL });
  }
  const { stdout } = await promisify(execFile)(found, ['--version'], { timeout: VERSION_LIMIT_MS }).catch(
    (cause: Error) => {
      throw new EnvironmentError<QemuErrorCode>('QEMU_MISSING', `${found} does not say its version`, {
        cause,
        hint: INSTALL,
      });
    },
  );
  const [, version, major, minor] = /version ((\d+)\.(\d+)\S*)/.exec(stdout) ?? [];
  const known = Number(major) * 1000 + Number(minor);
  if (!(known >= OLDEST[0] * 1000 + OLDEST[1])) {
    throw new EnvironmentError<QemuErrorCode>(
      'QEMU_OLD',
      `${found} is QEMU ${version ?? 'of no known version'}, ${OLDEST.join('.')} or later is needed`,
      { hint: INSTALL },
    );
  }
  return { path: found, version: version! };
}
