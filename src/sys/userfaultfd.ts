/**
 * userfaultfd(2) in write-protect mode and the PAGEMAP_SCAN ioctl: the kernel's own record of which pages
 * were written, for any memory of this process. Linux 6.7 and later; ioctl_userfaultfd(2),
 * Documentation/admin-guide/mm/userfaultfd.rst and pagemap.rst.
 *
 *   write-protected ──first write: the kernel lifts the protection itself (WP_ASYNC)──► written
 *         ▲                                                                                │
 *         └─────────────── PAGEMAP_SCAN with WP_MATCHING: report and protect ◄─────────────┘
 *
 * Missing-page faults, which serve post-copy, stand in `missing-pages.ts`. A range belongs to one userfaultfd at a
 * time: the dirty log of a guest that leaves, or the missing pages of one that came. A page that was placed or
 * dropped meanwhile scans as written.
 */
import { sysError } from './errno.js';
import { closeFd, O_CLOEXEC, O_NONBLOCK, O_RDONLY, openFd } from './fd.js';
import { check, errno, libc } from './libc.js';
import { NativeStruct } from './native-struct.js';

const SYS_USERFAULTFD = process.arch === 'arm64' ? 282 : 323;
/** Faults of kernel mode are not served: in exchange no privilege is needed. */
const UFFD_USER_MODE_ONLY = 1;

const UFFD_API = 0xaa;
const UFFDIO_API = 0xc018aa3f;
const UFFDIO_REGISTER = 0xc020aa00;
const UFFDIO_UNREGISTER = 0x8010aa01;
const REGISTER_MODE_MISSING = 1;
const REGISTER_MODE_WP = 2;
const FEATURE_PAGEFAULT_FLAG_WP = 1 << 0;
const FEATURE_WP_UNPOPULATED = 1 << 13;
const FEATURE_WP_ASYNC = 1 << 15;

const PAGEMAP_SCAN = 0xc0606610;
const PM_SCAN_WP_MATCHING = 1;
const PM_SCAN_CHECK_WPASYNC = 2;
const PAGE_IS_WRITTEN = 1 << 1;

/** struct pm_scan_arg: twelve u64. */
const SCAN_ARG_SIZE = 96;
const SCAN_SIZE = 0;
const SCAN_FLAGS = 8;
const SCAN_START = 16;
const SCAN_END = 24;
const SCAN_WALK_END = 32;
const SCAN_VEC = 40;
const SCAN_VEC_LEN = 48;
const SCAN_CATEGORY_MASK = 72;
const SCAN_RETURN_MASK = 88;

/** struct page_region: start u64, end u64, categories u64. */
const REGION_SIZE = 24;

const arg = new NativeStruct(SCAN_ARG_SIZE);

/**
 * Opens a userfaultfd that tracks writes without stopping the writer, also of pages that hold nothing yet.
 * @throws EnvironmentError or LonghaulError `SYS_…` (ENOSYS, EPERM, EINVAL before Linux 6.7)
 */
export function openWriteTracker(): number {
  return openUserfault('WP_ASYNC', FEATURE_WP_ASYNC | FEATURE_WP_UNPOPULATED | FEATURE_PAGEFAULT_FLAG_WP);
}

/**
 * Opens a userfaultfd that hears of missing pages. `POLLIN` on it says that faults wait.
 * @throws EnvironmentError or LonghaulError `SYS_…` (ENOSYS, EPERM)
 */
export function openFaultCatcher(): number {
  return openUserfault('no feature', 0);
}

function openUserfault(what: string, features: number): number {
  const flags = O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY;
  const fd = check('userfaultfd', libc.syscall2(SYS_USERFAULTFD, flags, 0));
  arg.setPointer(0, UFFD_API);
  arg.setPointer(8, features);
  arg.setPointer(16, 0);
  if (libc.ioctl(fd, UFFDIO_API, arg.address) === -1) {
    const e = errno();
    closeFd(fd);
    throw sysError(`UFFDIO_API with ${what}`, e);
  }
  return fd;
}

/** Begins to track `length` bytes at `address` (page-aligned); every page counts as written until a scan protects it. */
export function trackWrites(uffd: number, address: number, length: number): void {
  register(uffd, address, length, REGISTER_MODE_WP, 'write protection');
}

/**
 * From now on a thread of this process that touches an unpopulated page of the range sleeps until the page is placed
 * (`missing-pages.ts`). System calls that are given such a page fail with EFAULT instead.
 */
export function catchFaults(uffd: number, address: number, length: number): void {
  register(uffd, address, length, REGISTER_MODE_MISSING, 'missing pages');
}

function register(uffd: number, address: number, length: number, mode: number, what: string): void {
  arg.setPointer(0, address);
  arg.setPointer(8, length);
  arg.setPointer(16, mode);
  arg.setPointer(24, 0);
  check(`UFFDIO_REGISTER for ${what}`, libc.ioctl(uffd, UFFDIO_REGISTER, arg.address));
}

/** Ends what was registered for the range: lifts all protection, wakes threads that sleep on missing pages. */
export function unregister(uffd: number, address: number, length: number): void {
  arg.setPointer(0, address);
  arg.setPointer(8, length);
  check('UFFDIO_UNREGISTER', libc.ioctl(uffd, UFFDIO_UNREGISTER, arg.address));
}

/** /proc/self/pagemap, which `PageRegions.scan` asks. One descriptor serves all threads of the process. */
export function openPagemap(): number {
  return openFd('/proc/self/pagemap', O_RDONLY);
}

/** Runs of written pages as the kernel names them, in a buffer that is reused from scan to scan. */
export class PageRegions {
  readonly capacity: number;
  readonly #vec: NativeStruct;
  /** Regions that the last scan found. */
  count = 0;
  /** Where the last scan stopped: its `end`, or earlier when the buffer was full. */
  walkEnd = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#vec = new NativeStruct(capacity * REGION_SIZE);
  }

  /**
   * Finds the written pages of [start, end) and, when `rearm` is set, protects exactly those it reports, each
   * atomically with its report: a later write is seen by the next scan. One system call.
   * @param start address, page-aligned; begin again at `walkEnd` while that is below `end`
   */
  scan(pagemap: number, start: number, end: number, rearm: boolean): void {
    arg.bytes.fill(0, 0, SCAN_ARG_SIZE);
    arg.setPointer(SCAN_SIZE, SCAN_ARG_SIZE);
    arg.setPointer(SCAN_FLAGS, PM_SCAN_CHECK_WPASYNC | (rearm ? PM_SCAN_WP_MATCHING : 0));
    arg.setPointer(SCAN_START, start);
    arg.setPointer(SCAN_END, end);
    arg.setPointer(SCAN_VEC, this.#vec.address);
    arg.setPointer(SCAN_VEC_LEN, this.capacity);
    arg.setPointer(SCAN_CATEGORY_MASK, PAGE_IS_WRITTEN);
    arg.setPointer(SCAN_RETURN_MASK, PAGE_IS_WRITTEN);
    this.count = check('PAGEMAP_SCAN', libc.ioctl(pagemap, PAGEMAP_SCAN, arg.address));
    this.walkEnd = arg.getPointer(SCAN_WALK_END);
  }

  /** First address of region `i`. */
  start(i: number): number {
    return this.#vec.getPointer(i * REGION_SIZE);
  }

  /** Address behind region `i`. */
  end(i: number): number {
    return this.#vec.getPointer(i * REGION_SIZE + 8);
  }
}
