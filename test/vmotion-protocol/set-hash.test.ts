import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { SetHash } from '../../src/vmotion-protocol/index.js';
import { suite } from '../suite.js';

const test = suite('vmotion-protocol/set-hash');
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const GOLDEN = { lo: 3175775703, hi: 3129069998 };
const page = fc.tuple(fc.nat(0x3fffff), u32, u32);

function of(...pages: readonly (readonly [number, number, number])[]): SetHash {
  const h = new SetHash();
  for (const [pfn, lo, hi] of pages) h.add(pfn, lo, hi);
  return h;
}

test('the order of pages does not matter', () => {
  fc.assert(
    fc.property(fc.array(page, { maxLength: 40 }), fc.nat(), (pages, turn) => {
      const at = pages.length === 0 ? 0 : turn % pages.length;
      const turned = [...pages.slice(at), ...pages.slice(0, at)].reverse();
      assert.ok(of(...pages).equals(of(...turned)));
    }),
  );
});

test('remove undoes add, and replace is both', () => {
  fc.assert(
    fc.property(fc.array(page, { maxLength: 20 }), page, u32, u32, (pages, [pfn, lo, hi], newLo, newHi) => {
      const before = of(...pages);
      const h = of(...pages, [pfn, lo, hi]);
      h.replace(pfn, lo, hi, newLo, newHi);
      assert.ok(h.equals(of(...pages, [pfn, newLo, newHi])));
      h.remove(pfn, newLo, newHi);
      assert.equal(h.value(), before.value());
    }),
  );
});

test('a change of any single bit of a hash or of a pfn changes both halves', () => {
  fc.assert(
    fc.property(page, fc.nat(85), ([pfn, lo, hi], bit) => {
      const mask = bit < 22 ? 2 ** bit : 2 ** ((bit - 22) % 32);
      const changed: [number, number, number] =
        bit < 22
          ? [pfn ^ mask, lo, hi]
          : bit < 54
            ? [pfn, (lo ^ mask) >>> 0, hi]
            : [pfn, lo, (hi ^ mask) >>> 0];
      const a = of([pfn, lo, hi]);
      const b = of(changed);
      assert.is.not(a.lo, b.lo);
      assert.is.not(a.hi, b.hi);
    }),
  );
});

test('two pages that swap their content change it, and so do the halves of one hash', () => {
  fc.assert(
    fc.property(page, page, ([p1, lo1, hi1], [p2, lo2, hi2]) => {
      fc.pre(p1 !== p2 && (lo1 !== lo2 || hi1 !== hi2));
      assert.not.ok(of([p1, lo1, hi1], [p2, lo2, hi2]).equals(of([p1, lo2, hi2], [p2, lo1, hi1])));
      if (lo1 !== hi1) assert.not.ok(of([p1, lo1, hi1]).equals(of([p1, hi1, lo1])));
    }),
  );
});

test('carries run from the low half to the high one', () => {
  // Enough pages that the low half overflows many times: the sum must be that of 64-bit integers.
  const h = new SetHash();
  let sum = 0n;
  for (let pfn = 0; pfn < 1000; pfn++) {
    const one = of([pfn, pfn * 7919, pfn ^ 0x5555]);
    sum = (sum + (BigInt(one.hi) << 32n) + BigInt(one.lo)) & 0xffffffffffffffffn;
    h.add(pfn, pfn * 7919, pfn ^ 0x5555);
  }
  assert.is((BigInt(h.hi) << 32n) | BigInt(h.lo), sum);
});

test('a golden value: both sites of a mixed-version move must agree', () => {
  assert.equal(of([0, 0, 0], [1, 2, 3], [0x3fffff, 0xdeadbeef, 0x01234567]).value(), GOLDEN);
});

test.run();
