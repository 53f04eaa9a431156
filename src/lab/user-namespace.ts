/**
 * An unprivileged user gets namespaces by starting over inside a user namespace of their own. A process of
 * several threads cannot enter one (user_namespaces(7)), and Node always has several: so the command replaces
 * itself by util-linux's `unshare -Urn node …`, with the same PID and terminal.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { bringUp, replaceProcess } from '../sys/index.js';

/** Set in the process that was started over. */
const MARK = 'LONGHAUL_USER_NAMESPACE';

function findUnshare(): string | null {
  for (const dir of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(dir, 'unshare');
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not here
    }
  }
  return null;
}

/**
 * Starts this command over in a user namespace, when that is needed and works. Returns when it is not, or when
 * this already is the second start; otherwise it does not return.
 */
export function enterUserNamespace(): void {
  if (process.env[MARK] !== undefined) {
    bringUp('lo'); // NIO-UDP ports use 127.0.0.1, and a new namespace has it down
    return;
  }
  if (process.getuid?.() === 0) return;
  const unshare = findUnshare();
  if (unshare === null) return;
  // Some systems let unshare succeed and give no capabilities: make an interface to be sure.
  const probe = spawnSync(unshare, ['-Urn', process.execPath, '-e', PROBE], {
    stdio: 'ignore',
    timeout: 10_000,
  });
  if (probe.status !== 0) return;
  process.env[MARK] = '1';
  // Node keeps its own copy of the environment's C strings in step, so the new program sees the mark.
  replaceProcess(unshare, [
    'unshare',
    '-Urn',
    process.execPath,
    ...process.execArgv,
    ...process.argv.slice(1),
  ]);
}

/** In the new namespace: may the loopback interface be brought up? Then CAP_NET_ADMIN is real. */
const PROBE = `import(${JSON.stringify(new URL('../sys/index.js', import.meta.url).href)}).then((s) => { s.bringUp('lo'); s.createNetns(); process.exit(0) }, () => process.exit(1)).catch(() => process.exit(1))`;
