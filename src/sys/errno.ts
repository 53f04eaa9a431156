/**
 * errno turned into an error that says what to do.
 *
 * Two kinds: `SysError` for a call that failed where it should not have (a bug, or a resource that ran
 * out), `EnvironmentError` for what this machine does not allow (the command line exits with 3).
 */
import { constants } from 'node:os';
import { EnvironmentError, LonghaulError } from '../core/index.js';

export type SysErrorCode = `SYS_${string}`;

/** errno → name, from the table Node was built with. */
const NAMES = new Map<number, string>(Object.entries(constants.errno).map(([name, n]) => [n, name]));

/** errnos that the I/O edges treat as a normal answer. */
export const EAGAIN = constants.errno.EAGAIN;
export const EEXIST = constants.errno.EEXIST;
export const EINTR = constants.errno.EINTR;
export const EINPROGRESS = constants.errno.EINPROGRESS;
export const ECONNREFUSED = constants.errno.ECONNREFUSED;
export const ENOBUFS = constants.errno.ENOBUFS;
export const EPIPE = constants.errno.EPIPE;
export const ECONNRESET = constants.errno.ECONNRESET;
export const EIO = constants.errno.EIO;
export const ENXIO = constants.errno.ENXIO;
export const ENETDOWN = constants.errno.ENETDOWN;
export const EBADFD = 77;
export const EMSGSIZE = constants.errno.EMSGSIZE;
export const EBADF = constants.errno.EBADF;

const HINTS: Readonly<Record<string, string>> = {
  EPERM: 'run as root, or under `unshare -Urn`, or use --attach loopback',
  EACCES: 'run as root, or under `unshare -Urn`, or use --attach loopback',
  EMFILE: 'raise the limit of open files: ulimit -n 4096',
  ENFILE: 'the whole system is out of open files: see /proc/sys/fs/file-max',
  ENOMEM: 'give the guest less memory (--memory), or free some',
  ENODEV: 'this kernel has no such device; use --attach loopback',
  ENOENT: 'this kernel or container does not have it; use --attach loopback',
  ENOSPC: 'a limit of namespaces or of disk space is reached; see /proc/sys/user/max_net_namespaces',
  EBUSY: 'the name is in use; another run may hold it',
  EEXIST: 'the name is in use; another run may hold it',
};

const ENVIRONMENTAL = new Set(['EPERM', 'EACCES', 'ENODEV', 'ENOENT', 'ENOSPC', 'ENOSYS', 'EOPNOTSUPP']);

/** The name of an errno, `ERRNO_n` where the table lacks it. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `ERRNO_${errno}`;
}

/** The error for a failed call. @param operation what was tried, with its object: `open /dev/net/tun` */
export function sysError(operation: string, errno: number): LonghaulError<SysErrorCode> {
  const name = errnoName(errno);
  const hint = HINTS[name];
  const Kind = ENVIRONMENTAL.has(name) ? EnvironmentError : LonghaulError;
  return new Kind<SysErrorCode>(`SYS_${name}`, `${operation} failed with ${name}`, {
    details: { operation, errno },
    ...(hint === undefined ? {} : { hint }),
  });
}
