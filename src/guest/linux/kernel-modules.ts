/**
 * Which kernel modules a driver needs, and in what order they are loaded. Every module names those that it uses in
 * its section .modinfo, as text: `depends=virtio_ring,virtio`. Pure: the bytes are given.
 */
import { LonghaulError } from '../../core/index.js';
import type { LinuxImageErrorCode } from './errors.js';

const DEPENDS = 'depends=';

/** The modules that one uses, by name; file names and names in `depends` differ in `-` and `_`. */
export function dependsOf(module: Uint8Array): string[] {
  const text = Buffer.from(module.buffer, module.byteOffset, module.length);
  // The word stands at the beginning of a string, and strings end in zeros.
  const at = text.indexOf(`\0${DEPENDS}`);
  if (at < 0) return [];
  const from = at + 1 + DEPENDS.length;
  const end = text.indexOf(0, from);
  const words = text.toString('latin1', from, end < 0 ? text.length : end);
  return words.split(',').filter((word) => word !== '');
}

/** A name as modules are compared by. */
export function moduleName(file: string): string {
  return file.replace(/\.ko$/, '').replaceAll('-', '_');
}

/**
 * The wanted modules and all that they need, each after those that it uses.
 * @param read the bytes of a module by name; null when it is no file, since the kernel has it built in
 * @throws LonghaulError GUEST_LINUX_PACKAGE when modules use each other in a circle
 */
export function loadOrder(
  wanted: readonly string[],
  read: (name: string) => Uint8Array | null,
): { readonly name: string; readonly content: Uint8Array }[] {
  const order: { name: string; content: Uint8Array }[] = [];
  const state = new Map<string, 'open' | 'done'>();
  const visit = (file: string): void => {
    const name = moduleName(file);
    if (state.get(name) === 'done') return;
    if (state.get(name) === 'open') {
      throw new LonghaulError<LinuxImageErrorCode>('GUEST_LINUX_PACKAGE', `module ${name} needs itself`);
    }
    state.set(name, 'open');
    const content = read(name);
    if (content !== null) {
      for (const used of dependsOf(content)) visit(used);
      order.push({ name, content });
    }
    state.set(name, 'done');
  };
  for (const name of wanted) visit(name);
  return order;
}
