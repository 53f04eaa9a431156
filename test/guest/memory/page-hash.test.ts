import * as assert from 'uvu/assert';
import { Rng } from '../../../src/core/index.js';
import { createGuestMemory, PageDigester, PageHasher } from '../../../src/guest/memory/index.js';
import { suite } from '../../suite.js';

const test = suite('guest/memory/page-hash');
const PAGES = 256;

function randomPages(): ReturnType<typeof createGuestMemory> {
  const memory = createGuestMemory(PAGES);
  const rng = new Rng(11).fork('pages');
  const words = new Uint32Array(memory.buffer, 4096, (PAGES - 1) * 1024);
  for (let i = 0; i < words.length; i++) words[i] = rng.u32();
  return memory;
}

test('page hashes are xxHash64, and zero pages are told by their bytes', () => {
  const m = randomPages();
  const hasher = new PageHasher(m);
  for (const pfn of [0, 1, 2, 100, PAGES - 1]) {
    hasher.hash(pfn);
    assert.is(hasher.isZero(pfn), pfn === 0);
    const hash = (BigInt(hasher.words[2 * pfn + 1]!) << 32n) | BigInt(hasher.words[2 * pfn]!);
    assert.is(hash, xxh64(m.bytes.slice(pfn * 4096, (pfn + 1) * 4096)), `page ${pfn}`);
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

/** XXH64 as its specification has it, for lengths that are multiples of 32. */
function xxh64(data: Uint8Array): bigint {
  const M = (1n << 64n) - 1n;
  const [p1, p2, p3, p4, p5] = [
    0x9e3779b185ebca87n,
    0xc2b2ae3d27d4eb4fn,
    0x165667b19e3779f9n,
    0x85ebca77c2b2ae63n,
    0x27d4eb2f165667c5n,
  ];
  const rot = (x: bigint, n: bigint): bigint => ((x << n) | (x >> (64n - n))) & M;
  const round = (acc: bigint, lane: bigint): bigint => (rot((acc + lane * p2!) & M, 31n) * p1!) & M;
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const acc = [(p1! + p2!) & M, p2!, 0n, (M + 1n - p1!) & M];
  for (let at = 0; at < data.length; at += 32) {
    for (let i = 0; i < 4; i++) acc[i] = round(acc[i]!, view.getBigUint64(at + i * 8, true));
  }
  let h = (rot(acc[0]!, 1n) + rot(acc[1]!, 7n) + rot(acc[2]!, 12n) + rot(acc[3]!, 18n)) & M;
  for (const a of acc) h = ((h ^ round(0n, a)) * p1! + p4!) & M;
  h = (h + BigInt(data.length)) & M;
  h = ((h ^ (h >> 33n)) * p2!) & M;
  h = ((h ^ (h >> 29n)) * p3!) & M;
  return p5! > 0n ? h ^ (h >> 32n) : h;
}

test.run();
