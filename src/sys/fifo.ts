/** Named pipes. mkfifo(3), fifo(7) */
import { check, libc } from './libc.js';

/** Makes one that only this user may open. */
export function makeFifo(path: string): void {
  check(`mkfifo ${path}`, libc.mkfifo(path, 0o600));
}
