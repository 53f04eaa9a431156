/**
 * Whether the optional package `raw-socket` is there: it compiles on install, and npm leaves it out where that
 * failed. Asked without loading it, since only one thread of a process may load it.
 */
import { createRequire } from 'node:module';

export function rawSocketBuilt(): boolean {
  // For tests of what happens without it.
  if (process.env.LONGHAUL_NO_RAW_SOCKET !== undefined) return false;
  try {
    createRequire(import.meta.url).resolve('raw-socket');
    return true;
  } catch {
    return false;
  }
}
