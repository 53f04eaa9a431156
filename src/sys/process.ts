/** What a process asks of the kernel for itself: die with its parent, become another program, be known by a name. */
import { sysError } from './errno.js';
import { errno, libc } from './libc.js';
import { NativeStruct } from './native-struct.js';

const PR_SET_PDEATHSIG = 1;
const PR_SET_NAME = 15;
/** TASK_COMM_LEN: a longer name is cut off. */
const NAME_BYTES = 16;
const SIGKILL = 9;
const F_SETFD = 2;

/** Makes the kernel end this process when the thread that started it ends, even by SIGKILL. prctl(2) */
export function dieWithParent(): void {
  libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}

/** Gives the calling thread the name that `top -H`, `perf` and /proc/PID/task/TID/comm show. prctl(2) */
export function nameThread(name: string): void {
  const text = new NativeStruct(NAME_BYTES);
  text.bytes.set(Buffer.from(name).subarray(0, NAME_BYTES - 1));
  libc.prctl(PR_SET_NAME, text.address, 0, 0, 0);
}

/**
 * Replaces this process by another program with the same PID, descriptors 0–2 and terminal. execv(3)
 * @param fds further descriptors that it keeps
 */
export function replaceProcess(path: string, argv: readonly string[], fds: readonly number[] = []): never {
  // Node marks the descriptors it was started with close-on-exec, so that children get only what it gives them.
  for (const fd of [0, 1, 2, ...fds]) libc.fcntl(fd, F_SETFD, 0);
  libc.execv(path, [...argv, null]);
  throw sysError(`exec ${path}`, errno());
}
