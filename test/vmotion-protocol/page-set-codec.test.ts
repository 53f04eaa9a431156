import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { PageSet } from '../../src/core/index.js';
import { decodePageSet, encodePageSet } from '../../src/vmotion-protocol/index.js';
import { suite } from '../suite.js';

const test = suite('vmotion-protocol/page-set-codec');

const setOf = (pages: number, pfns: readonly number[]): PageSet => {
  const set = new PageSet(pages);
  for (const pfn of pfns) set.add(pfn);
  return set;
};
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('golden bytes: runs where they are shorter, the bitmap where not', () => {
  assert.is(hex(encodePageSet(new PageSet(4096))), '01', 'runs, and none of them');
  assert.is(
    hex(encodePageSet(setOf(4096, [0, 1, 2, 300]))),
    [
      '01', // runs
      '00', // nothing left out
      '03', // three pages: 0, 1, 2
      'a902', // 297 = 0x29 | 2 << 7 left out
      '01', // one page: 300
    ].join(''),
  );
  const odd = setOf(
    64,
    Array.from({ length: 32 }, (_, i) => 2 * i + 1),
  );
  assert.is(hex(encodePageSet(odd)), `00${'aa'.repeat(8)}`, 'every other page: one bit each is shorter');
});

test('every set comes back as it was, in no more bytes than its bitmap takes', () => {
  const sets = fc
    .integer({ min: 1, max: 3000 })
    .chain((pages) => fc.tuple(fc.constant(pages), fc.array(fc.tuple(fc.nat(pages - 1), fc.nat(70)))));
  fc.assert(
    fc.property(sets, ([pages, runs]) => {
      const set = new PageSet(pages);
      for (const [from, n] of runs) set.addRange(from, Math.min(pages, from + n));
      const bytes = encodePageSet(set);
      assert.ok(bytes.length <= 1 + set.words.length * 4);
      assert.equal(decodePageSet(pages, bytes)?.words, set.words);
    }),
  );
});

test('bytes that are no set of so many pages are refused, and none of them throws', () => {
  for (const bytes of [
    '',
    '02',
    '0100',
    '010000',
    '01000100',
    '0105010001',
    '01808080808001',
    '0000',
    '01c001',
  ]) {
    assert.is(decodePageSet(32, Buffer.from(bytes, 'hex')), null, bytes);
  }
  assert.is(decodePageSet(8, Buffer.from('010009', 'hex')), null, 'a page beyond the last');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 1, max: 500 }), (bytes, pages) => {
      const set = decodePageSet(pages, bytes);
      if (set !== null) assert.equal(decodePageSet(pages, encodePageSet(set))?.words, set.words);
    }),
  );
});

test.run();
