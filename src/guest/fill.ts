/**
 * What guest memory holds before the guest runs, page by page from a seed: the same page for the same
 * (kind, seed, pfn) whatever order pages are filled in.
 *
 *   zero     zeros: travels as a number
 *   text     words of plain English: compresses to about a third
 *   random   no two pages alike, incompressible
 *   mix      by a hash of the pfn: 25 % zero, 35 % text, 40 % random
 */
import { PAGE_SIZE } from '../core/index.js';
import { PAGE_WORDS } from './layout.js';

export type FillKind = 'zero' | 'text' | 'random' | 'mix';

const MIX_ZERO = 0.25 * 0x100000000;
const MIX_TEXT = 0.6 * 0x100000000;

const LEXICON =
  `the of and to in a is that for it as was with be by on not he his but at are this have from or had an they
which one you were her all she there would their we him been has when who will more no if out so said what up
its about into than them can only other new some could time these two may then do first any my now such like
our over man me even most made after also did many before must through back years where much your way well
down should because each just those people how too little state good very make world still own see men work
long get here between both life being under never day same another know while last might us great old year
packet frame bridge port span delay queue page memory guest source destination round switch fiber link host`
    .split(/\s+/)
    .map((w) => `${w} `);

/** The lexicon as bytes: word i is BYTES[STARTS[i]] … BYTES[STARTS[i+1]-1]. */
const BYTES = Uint8Array.from(LEXICON.join(''), (c) => c.charCodeAt(0));
const STARTS = new Uint32Array(LEXICON.length + 1);
for (let i = 0; i < LEXICON.length; i++) STARTS[i + 1] = STARTS[i]! + LEXICON[i]!.length;

/** The kind of page that `kind` gives page `pfn`: `kind` itself, unless it is `mix`. */
export function fillKindOf(kind: FillKind, seed: number, pfn: number): Exclude<FillKind, 'mix'> {
  if (kind !== 'mix') return kind;
  const h = mix(seed, pfn, 0x6d6978);
  return h < MIX_ZERO ? 'zero' : h < MIX_TEXT ? 'text' : 'random';
}

/**
 * Writes the content of page `pfn` to `out` (4096 bytes, 4-byte aligned in its buffer).
 * @param seed unsigned 32 bits
 */
export function fillPage(kind: FillKind, seed: number, pfn: number, out: Uint8Array): void {
  fillPageAt(kind, seed, pfn, out, new Uint32Array(out.buffer, out.byteOffset, PAGE_WORDS), 0);
}

/** Fills pages firstPage..endPage-1 of guest memory. About 5 ns a byte for text and 1 for random. */
export function fillMemory(
  kind: FillKind,
  seed: number,
  memory: Uint8Array,
  firstPage: number,
  endPage: number,
): void {
  const words = new Uint32Array(memory.buffer, memory.byteOffset, Math.floor(memory.length / 4));
  for (let pfn = firstPage; pfn < endPage; pfn++) fillPageAt(kind, seed, pfn, memory, words, pfn * PAGE_SIZE);
}

function fillPageAt(
  kind: FillKind,
  seed: number,
  pfn: number,
  bytes: Uint8Array,
  words: Uint32Array,
  offset: number,
): void {
  const pageKind = fillKindOf(kind, seed, pfn);
  if (pageKind === 'zero') bytes.fill(0, offset, offset + PAGE_SIZE);
  else if (pageKind === 'text') fillText(seed, pfn, bytes, offset);
  else fillRandom(seed, pfn, words, offset / 4);
}

/** xoshiro128** (Blackman and Vigna 2018) with its state in locals: the whole of memory passes through here. */
function fillRandom(seed: number, pfn: number, words: Uint32Array, at: number): void {
  let a = mix(seed, pfn, 1) | 1;
  let b = mix(seed, pfn, 2);
  let c = mix(seed, pfn, 3);
  let d = mix(seed, pfn, 4);
  for (let i = 0; i < PAGE_WORDS; i++) {
    let r = Math.imul(b, 5);
    r = Math.imul((r << 7) | (r >>> 25), 9);
    words[at + i] = r;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = (d << 11) | (d >>> 21);
  }
}

function fillText(seed: number, pfn: number, bytes: Uint8Array, offset: number): void {
  const end = offset + PAGE_SIZE;
  let state = mix(seed, pfn, 0x74657874) | 1;
  let at = offset;
  while (at < end) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    // The product of two draws favours the front of the lexicon, as real text favours its short words.
    const u = (state & 0xffff) / 0x10000;
    const v = (state >>> 16) / 0x10000;
    const word = Math.floor(u * v * LEXICON.length);
    const stop = STARTS[word + 1]!;
    for (let i = STARTS[word]!; i < stop && at < end; i++) bytes[at++] = BYTES[i]!;
  }
}

/** A 32-bit hash of three words (the finalizer of MurmurHash3, Appleby). */
function mix(a: number, b: number, c: number): number {
  let h =
    Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b + 0x7f4a7c15, 0xc2b2ae35) ^ Math.imul(c, 0x27d4eb2f);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
