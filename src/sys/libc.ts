/**
 * The C library through koffi: the only place of the project where native code is called.
 *
 * Pointers are passed as plain numbers (`uintptr_t`): user addresses on Linux are below 2^47, so a double
 * holds them exactly, and a number costs no BigInt on the way. Each thread loads this module for itself.
 * A call takes 60–200 ns (docs/design.md, "System calls from TypeScript").
 */
import koffi from 'koffi';
import { EAGAIN, EINTR, sysError } from './errno.js';

const lib = koffi.load(null);

/** Declares a C function of integers and addresses; every parameter and the result are numbers here. */
function declare<A extends unknown[]>(prototype: string): (...args: A) => number {
  return lib.func(prototype) as unknown as (...args: A) => number;
}

type N = number;

/** The raw functions. They return -1 and set errno as in C; use `check` or `retry` around them. */
export const libc = {
  open: declare<[string, N, N]>('int open(const char *path, int flags, int mode)'),
  close: declare<[N]>('int close(int fd)'),
  read: declare<[N, N, N]>('long read(int fd, uintptr_t buf, uintptr_t count)'),
  write: declare<[N, N, N]>('long write(int fd, uintptr_t buf, uintptr_t count)'),
  pwrite: declare<[N, N, N, N]>('long pwrite(int fd, uintptr_t buf, uintptr_t count, long offset)'),
  fdatasync: declare<[N]>('int fdatasync(int fd)'),
  readv: declare<[N, N, N]>('long readv(int fd, uintptr_t iov, int iovcnt)'),
  writev: declare<[N, N, N]>('long writev(int fd, uintptr_t iov, int iovcnt)'),
  ioctl: declare<[N, N, N]>('int ioctl(int fd, ulong request, uintptr_t arg)'),
  fcntl: declare<[N, N, N]>('int fcntl(int fd, int cmd, long arg)'),
  ppoll: declare<[N, N, N, N]>('int ppoll(uintptr_t fds, ulong nfds, uintptr_t timeout, uintptr_t sigmask)'),
  socket: declare<[N, N, N]>('int socket(int domain, int type, int protocol)'),
  socketpair: declare<[N, N, N, N]>('int socketpair(int domain, int type, int protocol, uintptr_t fds)'),
  bind: declare<[N, N, N]>('int bind(int fd, uintptr_t addr, uint addrlen)'),
  connect: declare<[N, N, N]>('int connect(int fd, uintptr_t addr, uint addrlen)'),
  listen: declare<[N, N]>('int listen(int fd, int backlog)'),
  accept4: declare<[N, N, N, N]>('int accept4(int fd, uintptr_t addr, uintptr_t addrlen, int flags)'),
  getsockname: declare<[N, N, N]>('int getsockname(int fd, uintptr_t addr, uintptr_t addrlen)'),
  setsockopt: declare<[N, N, N, N, N]>(
    'int setsockopt(int fd, int level, int name, uintptr_t value, uint length)',
  ),
  getsockopt: declare<[N, N, N, N, N]>(
    'int getsockopt(int fd, int level, int name, uintptr_t value, uintptr_t length)',
  ),
  shutdown: declare<[N, N]>('int shutdown(int fd, int how)'),
  send: declare<[N, N, N, N]>('long send(int fd, uintptr_t buf, uintptr_t length, int flags)'),
  sendmsg: declare<[N, N, N]>('long sendmsg(int fd, uintptr_t msg, int flags)'),
  sendto: declare<[N, N, N, N, N, N]>(
    'long sendto(int fd, uintptr_t buf, uintptr_t length, int flags, uintptr_t addr, uint addrlen)',
  ),
  recv: declare<[N, N, N, N]>('long recv(int fd, uintptr_t buf, uintptr_t length, int flags)'),
  recvfrom: declare<[N, N, N, N, N, N]>(
    'long recvfrom(int fd, uintptr_t buf, uintptr_t length, int flags, uintptr_t addr, uintptr_t addrlen)',
  ),
  recvmmsg: declare<[N, N, N, N, N]>(
    'int recvmmsg(int fd, uintptr_t msgvec, uint vlen, int flags, uintptr_t timeout)',
  ),
  sendmmsg: declare<[N, N, N, N]>('int sendmmsg(int fd, uintptr_t msgvec, uint vlen, int flags)'),
  eventfd: declare<[N, N]>('int eventfd(uint initval, int flags)'),
  setns: declare<[N, N]>('int setns(int fd, int nstype)'),
  unshare: declare<[N]>('int unshare(int flags)'),
  mount: declare<[string, string, string | null, N, N]>(
    'int mount(const char *source, const char *target, const char *type, ulong flags, uintptr_t data)',
  ),
  mkfifo: declare<[string, N]>('int mkfifo(const char *path, uint mode)'),
  umount2: declare<[string, N]>('int umount2(const char *target, int flags)'),
  prctl: declare<[N, N, N, N, N]>('int prctl(int option, ulong a, ulong b, ulong c, ulong d)'),
  getppid: declare<[]>('int getppid()'),
  gettid: declare<[]>('int gettid()'),
  setpriority: declare<[N, N, N]>('int setpriority(int which, uint who, int prio)'),
  getpriority: declare<[N, N]>('int getpriority(int which, uint who)'),
  madvise: declare<[N, N, N]>('int madvise(uintptr_t addr, uintptr_t length, int advice)'),
  mincore: declare<[N, N, N]>('int mincore(uintptr_t addr, uintptr_t length, uintptr_t vec)'),
  syscall2: lib.func('syscall', 'long', ['long', 'uintptr_t', 'uintptr_t']) as unknown as (
    n: N,
    a: N,
    b: N,
  ) => N,
  syscall5: lib.func('syscall', 'long', [
    'long',
    'uintptr_t',
    'uintptr_t',
    'uintptr_t',
    'uintptr_t',
    'uintptr_t',
  ]) as unknown as (n: N, a: N, b: N, c: N, d: N, e: N) => N,
  syscall6: lib.func('syscall', 'long', [
    'long',
    'long',
    'ulong',
    'ulong',
    'ulong',
    'ulong',
    'ulong',
  ]) as unknown as (n: N, a: N, b: N, c: N, d: N, e: N, f: N) => N,
  mmap: declare<[N, N, N, N, N, N]>(
    'uintptr_t mmap(uintptr_t addr, ulong length, int prot, int flags, int fd, long offset)',
  ),
  munmap: declare<[N, N]>('int munmap(uintptr_t addr, ulong length)'),
  recvmsg: declare<[N, N, N]>('long recvmsg(int fd, uintptr_t msg, int flags)'),
  clock_gettime: declare<[N, N]>('int clock_gettime(int clock, uintptr_t ts)'),
  execv: lib.func('int execv(const char *path, const char **argv)') as unknown as (
    path: string,
    argv: (string | null)[],
  ) => N,
} as const;

/** errno of this thread's last failed call. Read it before any other call. */
export function errno(): number {
  return koffi.errno();
}

/** The call's result, or the error that says what to do when it is -1. */
export function check(operation: string, result: number): number {
  if (result === -1) throw sysError(operation, errno());
  return result;
}

/** The result of a non-blocking call; -1 when it would block (or was interrupted), an error otherwise. */
export function checkNonBlocking(operation: string, result: number): number {
  if (result !== -1) return result;
  const e = errno();
  if (e === EAGAIN || e === EINTR) return -1;
  throw sysError(operation, e);
}

/**
 * The address of a typed array's first byte. Stable for memory outside the moving heap: buffers of 64 bytes
 * and more, SharedArrayBuffers and WebAssembly memories. The caller keeps the array alive.
 */
export function addressOf(array: NodeJS.TypedArray | DataView): number {
  return Number(koffi.address(array));
}

/** Foreign memory (an mmap) as an ArrayBuffer; not to be touched any more once it is unmapped. */
export function memoryAt(address: number, bytes: number): ArrayBuffer {
  return koffi.view(address, bytes);
}

/** True when koffi loaded; by importing this module it did. For `longhaul doctor`. */
export const koffiVersion: string = koffi.version;

/** madvise(2): give private pages back; they read as zeros afterwards. */
export const MADV_DONTNEED = 4;
