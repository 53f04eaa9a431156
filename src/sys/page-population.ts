/**
 * Memory that is made ready before it is used: large pages where the kernel has them, and pages that are there before
 * anything touches them. A first touch costs a fault and the clearing of a page, about 1 µs for 4 KiB in a virtual
 * machine; asked for in advance in pages of 2 MiB it is a tenth of that. madvise(2), Linux 5.14.
 */
import { libc } from './libc.js';

const MADV_HUGEPAGE = 14;
const MADV_POPULATE_WRITE = 23;

/** Asks for large pages wherever they fit into a range, when it is touched. A kernel without them goes on as before. */
export function preferLargePages(address: number, length: number): void {
  libc.madvise(address, length, MADV_HUGEPAGE);
}

/**
 * Populates a page-aligned range: what is there stays as it is, the rest reads as zeros without a fault.
 * @returns false when this kernel cannot, or there is no memory: pages then come when they are touched
 */
export function populatePages(address: number, length: number): boolean {
  return libc.madvise(address, length, MADV_POPULATE_WRITE) === 0;
}
