/**
 * How guest memory is laid out. Everything the workload guest needs to go on is in here, so that loading the
 * memory at the destination is all there is to it.
 *
 *   pfn 0                  header (below)
 *   pfn 1                  client table: 64 entries of 64 bytes (service.ts)
 *   pfn 2 … 2+S-1          slot table: S pages, in each one slot of 64 bytes per client
 *   pfn 2+S …              free: filled by seed, written by the dirty model
 *
 *   header, native (little-endian) words:
 *    0 magic u32    4 version u32    8 pages u32    12 slot pages u32    16 boot id, 16 bytes
 *   32 instructions f64   40 pages written f64   48 page writes due f64
 *   56 sweep position u32                        64 generator state, four u32
 *
 * S is 256, or a quarter of a guest smaller than 4 MiB.
 */
import { ConfigError, PAGE_SIZE, Rng } from '../core/index.js';
import type { GuestErrorCode } from './errors.js';

/** Words of 32 bits in a page. */
export const PAGE_WORDS = PAGE_SIZE / 4;
/** Fewest pages of a guest: 1 MiB. */
export const MIN_PAGES = 256;
/** Most pages of a guest: 4 GiB, the reach of a WebAssembly memory. */
export const MAX_PAGES = 2 ** 20;
/** Clients that the service remembers. */
export const CLIENTS = 64;
/** Words of a client's entry in the client table and of its slot in a slot page. */
export const CLIENT_WORDS = PAGE_WORDS / CLIENTS;

const HEADER_MAGIC = 0x3147484c; // 'LHG1' in memory order
const HEADER_VERSION = 1;
const MAX_SLOT_PAGES = 256;

const WORD_MAGIC = 0;
const WORD_VERSION = 1;
const WORD_PAGES = 2;
const WORD_SLOT_PAGES = 3;
const BOOT_ID_OFFSET = 16;
const BOOT_ID_SIZE = 16;
const F64_INSTRUCTIONS = 4;
const F64_PAGES_WRITTEN = 5;
const F64_WRITES_DUE = 6;
const WORD_SWEEP = 14;
const WORD_RNG = 16;

export interface GuestLayout {
  readonly pages: number;
  /** pfn of the client table. */
  readonly clientPage: number;
  /** pfn of the first slot page. */
  readonly slotFirstPage: number;
  readonly slotPages: number;
  /** pfn of the first page that the service does not use. */
  readonly freeFirstPage: number;
  readonly freePages: number;
}

/**
 * The layout of a guest of `pages` pages.
 * @throws ConfigError `GUEST_MEMORY_RANGE`
 */
export function layoutOf(pages: number): GuestLayout {
  if (!Number.isInteger(pages) || pages < MIN_PAGES || pages > MAX_PAGES) {
    throw new ConfigError<GuestErrorCode>(
      'GUEST_MEMORY_RANGE',
      `guest memory of ${pages} pages is outside ${MIN_PAGES}..${MAX_PAGES} pages of 4096 bytes`,
      { details: { pages }, hint: 'choose a memory in 1MiB..4GiB, a multiple of 4KiB' },
    );
  }
  const slotPages = slotPagesOf(pages);
  const freeFirstPage = 2 + slotPages;
  return {
    pages,
    clientPage: 1,
    slotFirstPage: 2,
    slotPages,
    freeFirstPage,
    freePages: pages - freeFirstPage,
  };
}

/** Slot pages of a guest: clients need the number to check what the service says. */
export function slotPagesOf(pages: number): number {
  return Math.min(MAX_SLOT_PAGES, 2 ** Math.floor(Math.log2(pages / 4)));
}

/** A hot set of `hotPages` pages, cut to what the layout leaves free: the range that a dirty model writes. */
export function dirtyRange(layout: GuestLayout, hotPages: number): { firstPage: number; pages: number } {
  return { firstPage: layout.freeFirstPage, pages: Math.max(1, Math.min(hotPages, layout.freePages)) };
}

/** Guest memory as native 32-bit words (not copied). */
export function wordsOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / 4));
}

/** Page 0. The values live in guest memory; this object holds none of them. */
export class GuestHeader {
  readonly #words: Uint32Array;
  readonly #floats: Float64Array;
  readonly #bytes: Uint8Array;

  /** @param bytes guest memory from page 0 on */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#words = new Uint32Array(bytes.buffer, bytes.byteOffset, PAGE_WORDS);
    this.#floats = new Float64Array(bytes.buffer, bytes.byteOffset, PAGE_SIZE / 8);
  }

  /**
   * Writes the header of a guest that boots.
   * @param seed of the dirty model's draws
   * @param bootId 16 bytes that name this boot
   */
  format(layout: GuestLayout, seed: number | string, bootId: Uint8Array): void {
    this.#words.fill(0);
    this.#words[WORD_MAGIC] = HEADER_MAGIC;
    this.#words[WORD_VERSION] = HEADER_VERSION;
    this.#words[WORD_PAGES] = layout.pages;
    this.#words[WORD_SLOT_PAGES] = layout.slotPages;
    for (let i = 0; i < BOOT_ID_SIZE; i++) this.#bytes[BOOT_ID_OFFSET + i] = bootId[i] ?? 0;
    const rng = new Rng(seed).fork('dirty model');
    for (let i = 0; i < 4; i++) this.#words[WORD_RNG + i] = rng.u32();
    // The all-zero state is the one that xoshiro never leaves.
    this.#words[WORD_RNG] = this.#words[WORD_RNG]! | 1;
  }

  /** Whether the memory holds a guest of this version and of `layout`'s size. */
  isFormatted(layout: GuestLayout): boolean {
    return (
      this.#words[WORD_MAGIC] === HEADER_MAGIC &&
      this.#words[WORD_VERSION] === HEADER_VERSION &&
      this.#words[WORD_PAGES] === layout.pages &&
      this.#words[WORD_SLOT_PAGES] === layout.slotPages
    );
  }

  /** A copy of the 16 bytes that name this boot. */
  bootId(): Uint8Array {
    return this.#bytes.slice(BOOT_ID_OFFSET, BOOT_ID_OFFSET + BOOT_ID_SIZE);
  }

  /** Steps that the virtual CPU has made since boot. */
  get instructions(): number {
    return this.#floats[F64_INSTRUCTIONS]!;
  }
  set instructions(n: number) {
    this.#floats[F64_INSTRUCTIONS] = n;
  }

  /** Page writes of the dirty model since boot. */
  get pagesWritten(): number {
    return this.#floats[F64_PAGES_WRITTEN]!;
  }
  set pagesWritten(n: number) {
    this.#floats[F64_PAGES_WRITTEN] = n;
  }

  /** Page writes that are due and not yet made, with their fraction. */
  get writesDue(): number {
    return this.#floats[F64_WRITES_DUE]!;
  }
  set writesDue(n: number) {
    this.#floats[F64_WRITES_DUE] = n;
  }

  /** Where the sweep stands, in pages from its first. */
  get sweep(): number {
    return this.#words[WORD_SWEEP]!;
  }
  set sweep(n: number) {
    this.#words[WORD_SWEEP] = n;
  }

  /** A uniform unsigned 32-bit integer; xoshiro128** 1.1 (Blackman and Vigna 2018) with its state in this page. */
  u32(): number {
    const w = this.#words;
    const b = w[WORD_RNG + 1]!;
    let r = Math.imul(b, 5);
    r = Math.imul((r << 7) | (r >>> 25), 9);
    const c = w[WORD_RNG + 2]! ^ w[WORD_RNG]!;
    const d = w[WORD_RNG + 3]! ^ b;
    w[WORD_RNG + 1] = b ^ c;
    w[WORD_RNG] = w[WORD_RNG]! ^ d;
    w[WORD_RNG + 2] = c ^ (b << 9);
    w[WORD_RNG + 3] = (d << 11) | (d >>> 21);
    return r >>> 0;
  }
}
