/**
 * Network namespaces without names. namespaces(7), setns(2), network_namespaces(7).
 *
 * A thread may unshare its network namespace and go back; what keeps the new one alive is a descriptor
 * of it, so a namespace made here has no name in the file system and dies with the processes that hold it,
 * even after SIGKILL. Others reach it by /proc/PID/fd/FD.
 */
import { closeFd, O_RDONLY, openFd } from './fd.js';
import { check, libc } from './libc.js';

const CLONE_NEWNET = 0x40000000;

/** A descriptor of the calling thread's network namespace. */
function currentNetns(): number {
  return openFd('/proc/thread-self/ns/net', O_RDONLY);
}

/** Moves the calling thread into the namespace behind `fd`, for good. Sockets it opens afterwards live there. */
export function enterNetns(fd: number): void {
  check('setns(network)', libc.setns(fd, CLONE_NEWNET));
}

/**
 * Makes an empty network namespace; the caller owns the descriptor.
 * @throws EnvironmentError SYS_EPERM where the process has no CAP_SYS_ADMIN
 */
export function createNetns(): number {
  const home = currentNetns();
  try {
    check('unshare(network namespace)', libc.unshare(CLONE_NEWNET));
    try {
      return currentNetns();
    } finally {
      enterNetns(home);
    }
  } finally {
    closeFd(home);
  }
}

/** Runs `body` with the calling thread inside a namespace; synchronous, so nothing else sees the move. */
export function inNetns<T>(fd: number, body: () => T): T {
  const home = currentNetns();
  try {
    enterNetns(fd);
    try {
      return body();
    } finally {
      enterNetns(home);
    }
  } finally {
    closeFd(home);
  }
}

const MS_BIND = 0x1000;
const MNT_DETACH = 2;

/** Gives a namespace a name under a path (as `ip netns` does in /run/netns): the file must exist. */
export function bindNetns(fd: number, path: string): void {
  check(`mount ${path}`, libc.mount(`/proc/self/fd/${fd}`, path, null, MS_BIND, 0));
}

export function unbindNetns(path: string): void {
  check(`umount ${path}`, libc.umount2(path, MNT_DETACH));
}
