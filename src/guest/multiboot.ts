/**
 * What a multiboot loader will make of an image, before it is given to one: the header, and where its pieces go.
 *
 *   header   in the first 8192 bytes, on a word: magic 0x1BADB002, flags, checksum (the three sum to 0)
 *   pieces   an ELF32 file's PT_LOAD segments; with flag 16 the header itself says where the file goes
 *
 * Multiboot Specification 0.6.96, section 3.1; System V ABI, ELF-32. Nothing is loaded here.
 */

const HEADER_SPAN = 8192;
const MAGIC = 0x1badb002;
const FLAG_ADDRESSES = 0x10000;
/** Longest image that is read at all. */
export const IMAGE_BYTES_MAX = 64 * 2 ** 20;

const ELF_MAGIC = 0x464c457f;
const ELF_CLASS = 4;
const ELF_MACHINE = 18;
const ELF_PHOFF = 28;
const ELF_PHENTSIZE = 42;
const ELF_PHNUM = 44;
const ELF_HEADER_BYTES = 52;
const PT_LOAD = 1;
const EM_386 = 3;
const PH_BYTES = 32;
const PH_OFFSET = 4;
const PH_PADDR = 12;
const PH_FILESZ = 16;
const PH_MEMSZ = 20;

export type ImageVerdict =
  | { readonly ok: true /** First byte behind all that it loads or clears. */; readonly endsAt: number }
  | {
      readonly ok: false;
      readonly code: 'GUEST_IMAGE_INVALID' | 'GUEST_IMAGE_TOO_LARGE';
      readonly text: string;
    };

/** Whether this image can be booted in so much memory. Never throws, whatever the bytes. */
export function judgeImage(image: Uint8Array, memoryBytes: number): ImageVerdict {
  const view = new DataView(image.buffer, image.byteOffset, image.length);
  const header = headerOf(view);
  if (header === null) return invalid('it has no multiboot header in its first 8192 bytes');
  const ends = header.flags & FLAG_ADDRESSES ? addressesEnd(view, header.at) : segmentsEnd(view);
  if (typeof ends === 'string') return invalid(ends);
  if (ends > memoryBytes) {
    const text = `it takes memory up to ${Math.ceil(ends / 1024)} KiB, and the guest has ${memoryBytes / 1024} KiB`;
    return { ok: false, code: 'GUEST_IMAGE_TOO_LARGE', text };
  }
  return { ok: true, endsAt: ends };
}

function invalid(text: string): ImageVerdict {
  return { ok: false, code: 'GUEST_IMAGE_INVALID', text };
}

function headerOf(view: DataView): { readonly at: number; readonly flags: number } | null {
  for (let at = 0; at + 12 <= Math.min(view.byteLength, HEADER_SPAN); at += 4) {
    if (view.getUint32(at, true) !== MAGIC) continue;
    const flags = view.getUint32(at + 4, true);
    if (((MAGIC + flags + view.getUint32(at + 8, true)) & 0xffffffff) === 0) return { at, flags };
  }
  return null;
}

/** Fields header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr follow the checksum. */
function addressesEnd(view: DataView, at: number): number | string {
  if (at + 32 > view.byteLength) return 'its multiboot header is cut off';
  const [headerAt, loadAt, loadEnd, bssEnd] = [12, 16, 20, 24].map((o) => view.getUint32(at + o, true));
  const start = at - (headerAt! - loadAt!);
  if (start < 0 || start > at) return 'its multiboot header says that it is loaded from before its beginning';
  const end = loadEnd === 0 ? loadAt! + view.byteLength - start : loadEnd!;
  if (end < loadAt!) return 'its multiboot header ends the load before it begins';
  if (end - loadAt! > view.byteLength - start) return 'its multiboot header loads more than the file holds';
  return Math.max(end, bssEnd!);
}

function segmentsEnd(view: DataView): number | string {
  if (view.byteLength < ELF_HEADER_BYTES || view.getUint32(0, true) !== ELF_MAGIC) return 'it is no ELF file';
  if (view.getUint8(ELF_CLASS) !== 1 || view.getUint16(ELF_MACHINE, true) !== EM_386)
    return 'it is an ELF file, but not one for i386';
  const table = view.getUint32(ELF_PHOFF, true);
  const size = view.getUint16(ELF_PHENTSIZE, true);
  const count = view.getUint16(ELF_PHNUM, true);
  if (size < PH_BYTES || table + size * count > view.byteLength) return 'its table of segments is cut off';
  let end = 0;
  for (let i = 0; i < count; i++) {
    const at = table + i * size;
    if (view.getUint32(at, true) !== PT_LOAD) continue;
    const [offset, address, inFile, inMemory] = [PH_OFFSET, PH_PADDR, PH_FILESZ, PH_MEMSZ].map((o) =>
      view.getUint32(at + o, true),
    );
    if (offset! + inFile! > view.byteLength) return `its segment ${i} is cut off`;
    if (inFile! > inMemory!) return `its segment ${i} is longer in the file than in memory`;
    end = Math.max(end, address! + inMemory!);
  }
  return end === 0 ? 'it has nothing to load' : end;
}
