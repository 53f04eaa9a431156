/** Two QEMUs' memories held against each other while both guests stand: QMP's pmemsave on both sides, page by page. */
import { readFileSync, rmSync } from 'node:fs';
import { PAGE_SIZE } from '../core/index.js';
import type { QemuProcess } from './qemu-process.js';

export interface MemoryComparison {
  readonly pages: number;
  /** Page frame numbers, ascending. */
  readonly differing: readonly number[];
}

/** @param path of two files that stand there meanwhile, `.source` and `.destination` are appended */
export async function compareMemories(
  source: QemuProcess,
  destination: QemuProcess,
  memoryBytes: number,
  path: string,
): Promise<MemoryComparison> {
  const files = [`${path}.source`, `${path}.destination`] as const;
  try {
    await source.qmp.execute('pmemsave', { val: 0, size: memoryBytes, filename: files[0] });
    await destination.qmp.execute('pmemsave', { val: 0, size: memoryBytes, filename: files[1] });
    return compareBytes(readFileSync(files[0]), readFileSync(files[1]));
  } finally {
    for (const file of files) rmSync(file, { force: true });
  }
}

/** Pure. */
export function compareBytes(a: Buffer, b: Buffer): MemoryComparison {
  const pages = Math.ceil(Math.max(a.length, b.length) / PAGE_SIZE);
  const differing: number[] = [];
  for (let pfn = 0; pfn < pages; pfn++) {
    const [from, to] = [pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE];
    if (!a.subarray(from, to).equals(b.subarray(from, to))) differing.push(pfn);
  }
  return { pages, differing };
}
