import * as assert from 'uvu/assert';
import { Rng } from '../../../src/core/index.js';
import { createGuestMemory, PageDigester, PageHasher } from '../../../src/guest/memory/index.js';
import { suite } from '../../suite.js';
import { referencePageHash } from './reference-page-hash.js';

const test = suite('guest/memory/page-hash');
const PAGES = 256;

/** Pages and their hashes. */
const GOLDEN: readonly (readonly [Uint8Array, string])[] = [
  [new Uint8Array(4096), '7738139e9bb6cd93'],
  [new Uint8Array(4096).fill(0xff), 'f120765bbf7b241d'],
  [Uint8Array.from({ length: 4096 }, (_, i) => i & 0xff), 'be1e7235b4b0dda4'],
  [Uint8Array.from({ length: 4096 }, (_, i) => (i === 4095 ? 0x80 : 0)), '68848d24b679ef37'],
];

function hashAt(words: ArrayLike<number>, pfn: number): bigint {
  return (BigInt(words[2 * pfn + 1]!) << 32n) | BigInt(words[2 * pfn]!);
}

function randomPages(): ReturnType<typeof createGuestMemory> {
  const memory = createGuestMemory(PAGES);
  const rng = new Rng(11).fork('pages');
  const words = new Uint32Array(memory.buffer, 4096, (PAGES - 1) * 1024);
  for (let i = 0; i < words.length; i++) words[i] = rng.u32();
  return memory;
}

test('page hashes are as SPEC.md has them, and zero pages are told by their bytes', () => {
  const m = randomPages();
  m.bytes.set(GOLDEN[2]![0], 2 * 4096);
  const hasher = new PageHasher(m);
  for (const pfn of [0, 1, 2, 100, PAGES - 1]) {
    hasher.hash(pfn);
    assert.is(hasher.isZero(pfn), pfn === 0);
    const page = m.bytes.slice(pfn * 4096, (pfn + 1) * 4096);
    assert.is(hashAt(hasher.words, pfn), referencePageHash(page), `page ${pfn}`);
  }
});

test('golden values: hosts of different builds must agree', () => {
  const digester = new PageDigester();
  for (const [page, hash] of GOLDEN) {
    digester.take(page, 0);
    assert.is(hashAt([digester.lo, digester.hi], 0).toString(16), hash);
    assert.is(referencePageHash(page).toString(16), hash);
  }
});

test('a page has one hash: where it lies, copied, or elsewhere; and the zero page that of zeros', () => {
  const m = randomPages();
  const inPlace = new PageHasher(m);
  const { shared: _, ...elsewhere } = m;
  const copying = new PageHasher(elsewhere);
  const digester = new PageDigester();
  for (let pfn = 0; pfn < PAGES; pfn++) {
    inPlace.hash(pfn);
    copying.hash(pfn);
    digester.take(m.bytes, pfn * 4096);
    assert.is(digester.lo, inPlace.words[2 * pfn]);
    assert.is(digester.hi, inPlace.words[2 * pfn + 1]);
  }
  assert.equal(copying.words, inPlace.words);
  copying.hashZero(1);
  assert.equal(copying.words.subarray(2, 4), inPlace.words.subarray(0, 2));
});

test('every byte of a page counts in its hash', () => {
  const m = randomPages();
  const hasher = new PageHasher(m);
  hasher.hash(3);
  const before = hasher.words.slice(6, 8);
  for (let at = 0; at < 4096; at++) {
    m.bytes[3 * 4096 + at]! ^= 1;
    hasher.hash(3);
    assert.not.equal(hasher.words.slice(6, 8), before, `byte ${at}`);
    m.bytes[3 * 4096 + at]! ^= 1;
  }
});

test('one flipped bit flips half of the hash, wherever it is', () => {
  const m = createGuestMemory(PAGES);
  const words = new Uint32Array(m.buffer, 0, 1024);
  for (const fill of [0, 1]) {
    const rng = new Rng(12).fork('avalanche');
    for (let i = 0; i < words.length; i++) words[i] = fill * rng.u32();
    const hasher = new PageHasher(m);
    hasher.hash(0);
    const [lo, hi] = [hasher.words[0]!, hasher.words[1]!];
    const flips = new Uint32Array(64);
    const bits = words.length * 32;
    for (let bit = 0; bit < bits; bit++) {
      words[bit >> 5]! ^= 1 << (bit & 31);
      hasher.hash(0);
      words[bit >> 5]! ^= 1 << (bit & 31);
      const flipped = (BigInt(hasher.words[1]! ^ hi) << 32n) | BigInt((hasher.words[0]! ^ lo) >>> 0);
      let count = 0;
      for (let i = 0; i < 64; i++) {
        if (((flipped >> BigInt(i)) & 1n) === 0n) continue;
        flips[i]!++;
        count++;
      }
      assert.ok(count >= 8 && count <= 56, `bit ${bit}: ${count} flipped`);
    }
    // Each bit of the hash is a coin: 32,768 throws have a standard deviation of 90; six of them are never seen.
    for (const [i, n] of flips.entries()) assert.ok(Math.abs(n - bits / 2) < 6 * 90, `hash bit ${i}: ${n}`);
  }
});

test('pages that differ in little have hashes that differ as those of random pages do, in either half', () => {
  const kinds: Record<string, (words: Uint32Array, i: number, rng: Rng) => void> = {
    'a counter in the first word': (words, i) => {
      words[0] = i;
    },
    'a counter in the last word': (words, i) => {
      words[1023] = i;
    },
    'two counters 128 bytes apart': (words, i) => {
      words[32] = i % 175;
      words[64] = Math.floor(i / 175);
    },
    'counters in the highest bits of neighbours': (words, i) => {
      words[28] = (i % 175) << 23;
      words[32] = Math.floor(i / 175) << 23;
    },
    'four highest bits anywhere': (words, _, rng) => {
      words.fill(0);
      for (let k = 0; k < 4; k++) words[rng.u32() & 1023] = 0x80000000;
    },
    'one byte repeated': (words, _, rng) => {
      words.fill(0);
      const at = rng.u32() & 4095;
      new Uint8Array(words.buffer, words.byteOffset, 4096).fill(
        rng.u32() & 255,
        at,
        at + 1 + (rng.u32() % 64),
      );
    },
  };
  for (const [kind, change] of Object.entries(kinds)) {
    const m = createGuestMemory(PAGES);
    const words = new Uint32Array(m.buffer, 0, 1024);
    const hasher = new PageHasher(m);
    const rng = new Rng(13).fork(kind);
    const hashOf = new Map<string, bigint>();
    for (let i = 0; i < 30_000; i++) {
      change(words, i, rng);
      hasher.hash(0);
      hashOf.set(fingerprint(words), hashAt(hasher.words, 0));
    }
    const hashes = [...hashOf.values()];
    assert.is(new Set(hashes).size, hashes.length, `${kind}: equal hashes of different pages`);
    // Of 30,000 random numbers of 32 bits a pair is equal once in ten times; five are not seen.
    for (const half of [hashes.map((h) => h & 0xffffffffn), hashes.map((h) => h >> 32n)])
      assert.ok(half.length - new Set(half).size < 5, `${kind}: a half of the hash is not random`);
  }
});

/** What tells these pages apart: their words that are not zero. */
function fingerprint(words: Uint32Array): string {
  let text = '';
  for (let i = 0; i < words.length; i++) if (words[i] !== 0) text += `${i}:${words[i]},`;
  return text;
}

test.run();
