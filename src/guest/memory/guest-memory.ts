/**
 * Guest memory as a shared WebAssembly.Memory: page-aligned, at a fixed address, populated only where it is
 * touched, and up to 4 GiB. Every thread that is given `buffer` sees the same bytes at the same address.
 */
import { PAGE_SIZE } from '../../core/index.js';
import { addressOf, MADV_DONTNEED, MADV_REMOVE, mapFileOver, preferLargePages } from '../../sys/index.js';
import { type GuestMemory, layoutOf } from '../index.js';
import { createSharedMemory } from './shared-memory.js';

/** Guest memory that other threads can be given. */
export interface SharedGuestMemory extends GuestMemory {
  /** What another thread is given to see the same bytes. */
  readonly buffer: SharedArrayBuffer;
}

/**
 * Makes zeroed guest memory of `pages` pages.
 * @throws ConfigError `GUEST_MEMORY_RANGE`
 */
export function createGuestMemory(pages: number): SharedGuestMemory {
  layoutOf(pages);
  const shared = createSharedMemory(pages * PAGE_SIZE);
  const memory = { ...attachGuestMemory(shared.buffer, pages), shared };
  preferLargePages(memory.address, memory.bytes.length);
  return memory;
}

/** The same memory in another thread. @param buffer of a memory that `createGuestMemory` made */
export function attachGuestMemory(buffer: SharedArrayBuffer, pages: number): SharedGuestMemory {
  const bytes = new Uint8Array(buffer, 0, pages * PAGE_SIZE);
  return { pages, bytes, address: addressOf(bytes), dropAdvice: MADV_DONTNEED, buffer };
}

/**
 * The same over a file on tmpfs, which keeps what the guest wrote when this process is gone.
 * @param found the file is there, left by a process before; else it is made and must not be there
 * @throws ConfigError `GUEST_MEMORY_RANGE`; EnvironmentError, LonghaulError `SYS_…`
 */
export function createFileMemory(pages: number, path: string, found: boolean): SharedGuestMemory {
  const memory = createGuestMemory(pages);
  mapFileOver(path, memory.address, memory.bytes.length, found);
  return { ...memory, dropAdvice: MADV_REMOVE };
}
