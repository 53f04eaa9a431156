/**
 * The archive that a Linux kernel unpacks as its first root file system: cpio in the "new ASCII" format.
 * Linux, Documentation/driver-api/early-userspace/buffer-format.rst.
 *
 *   header   "070701", then 13 fields of 8 hexadecimal digits: ino mode uid gid nlink mtime filesize
 *            devmajor devminor rdevmajor rdevminor namesize check
 *   name     with a zero at its end, padded with the header to 4 bytes
 *   content  padded to 4 bytes
 *
 * Everything belongs to root and has the time 0, so that the same entries are the same bytes. Devices are left out on
 * purpose: the kernel's devtmpfs has them.
 */

const MAGIC = '070701';
const TRAILER = 'TRAILER!!!';
const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;

export type ArchiveEntry =
  | { readonly kind: 'folder'; readonly path: string }
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly content: Uint8Array;
      readonly executable: boolean;
    }
  | { readonly kind: 'link'; readonly path: string; readonly target: string };

const encoder = new TextEncoder();

function padded(length: number): number {
  return (length + 3) & ~3;
}

function modeOf(entry: ArchiveEntry): number {
  switch (entry.kind) {
    case 'folder':
      return S_IFDIR | 0o755;
    case 'link':
      return S_IFLNK | 0o777;
    case 'file':
      return S_IFREG | (entry.executable ? 0o755 : 0o644);
  }
}

function contentOf(entry: ArchiveEntry): Uint8Array {
  return entry.kind === 'file'
    ? entry.content
    : entry.kind === 'link'
      ? encoder.encode(entry.target)
      : new Uint8Array(0);
}

function record(number: number, mode: number, path: string, content: Uint8Array): Uint8Array[] {
  const name = encoder.encode(`${path}\0`);
  const links = (mode & S_IFDIR) === S_IFDIR ? 2 : 1;
  const fields = [number, mode, 0, 0, links, 0, content.length, 0, 0, 0, 0, name.length, 0];
  const header = MAGIC + fields.map((f) => f.toString(16).padStart(8, '0')).join('');
  const head = new Uint8Array(padded(header.length + name.length));
  head.set(encoder.encode(header));
  head.set(name, header.length);
  return [head, content, new Uint8Array(padded(content.length) - content.length)];
}

/**
 * Writes an archive. Folders above an entry are made where they are not among the entries.
 * @param entries paths without a leading slash; a path that stands twice is taken as it comes last
 */
export function writeNewc(entries: readonly ArchiveEntry[]): Uint8Array {
  const byPath = new Map<string, ArchiveEntry>();
  for (const entry of entries) {
    const steps = entry.path.split('/');
    for (let n = 1; n < steps.length; n++) {
      const path = steps.slice(0, n).join('/');
      if (!byPath.has(path)) byPath.set(path, { kind: 'folder', path });
    }
    byPath.set(entry.path, entry);
  }
  const parts: Uint8Array[] = [];
  let number = 1;
  for (const [path, entry] of byPath) parts.push(...record(number++, modeOf(entry), path, contentOf(entry)));
  parts.push(...record(0, 0, TRAILER, new Uint8Array(0)));
  const archive = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    archive.set(part, at);
    at += part.length;
  }
  return archive;
}
