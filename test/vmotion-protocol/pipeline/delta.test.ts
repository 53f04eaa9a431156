/** Deltas between versions of a page, and the codec that is made of them. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { PAGE_SIZE } from '../../../src/core/index.js';
import { applyDelta, encodeDelta, SparseCodec } from '../../../src/vmotion-protocol/index.js';
import { suite } from '../../suite.js';

const test = suite('vmotion-protocol/pipeline/delta');
const WORDS = PAGE_SIZE / 4;

const edit = fc.tuple(fc.nat(PAGE_SIZE - 1), fc.integer({ min: 1, max: 300 }), fc.nat(255));
const edits = fc.array(edit, { maxLength: 30 });

function pageOf(changes: readonly (readonly [number, number, number])[], from?: Uint8Array): Uint8Array {
  const page = from?.slice() ?? new Uint8Array(PAGE_SIZE);
  for (const [at, length, value] of changes) page.fill(value, at, Math.min(PAGE_SIZE, at + length));
  return page;
}

function words(page: Uint8Array): Int32Array {
  return new Int32Array(page.buffer, page.byteOffset, page.length / 4);
}

function deltaOf(base: Uint8Array, next: Uint8Array, limit = 8192): Uint8Array | null {
  const out = new Uint8Array(8192);
  const n = encodeDelta(words(base), 0, words(next), 0, out, 0, limit);
  return n < 0 ? null : out.slice(0, n);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

test('an unchanged page is a delta of no bytes', () => {
  assert.is(hex(deltaOf(pageOf([[5, 9, 7]]), pageOf([[5, 9, 7]]))!), '');
});

test('golden: the first word, one far behind, and the last two', () => {
  const next = new Uint8Array(PAGE_SIZE);
  next.set([0x11, 0x22, 0x33, 0x44], 0);
  next[4 * 301 + 1] = 0xff;
  next.set([1, 2, 3, 4, 5, 6, 7, 8], PAGE_SIZE - 8);
  const expected = [
    '00 01 11223344', //        kept 0, changed 1, the word
    'ac02 01 00ff0000', //      kept 300 = 0x2c | 0x02 << 7, changed 1
    'd005 02 0102030405060708', // kept 720 = 0x50 | 0x05 << 7: words 302..1021
  ];
  assert.is(hex(deltaOf(new Uint8Array(PAGE_SIZE), next)!), expected.join('').replaceAll(' ', ''));
});

test('what is applied to the base is the page, whatever was edited', () => {
  fc.assert(
    fc.property(edits, edits, (before, after) => {
      const base = pageOf(before);
      const next = pageOf(after, base);
      const delta = deltaOf(base, next)!;
      assert.ok(applyDelta(delta, 0, delta.length, base, 0));
      assert.ok(Buffer.compare(base, next) === 0);
    }),
  );
});

test('it is never longer than the page and the four bytes of one pair', () => {
  const base = new Uint8Array(PAGE_SIZE);
  const every = pageOf([[0, PAGE_SIZE, 1]]);
  assert.is(deltaOf(base, every)!.length, PAGE_SIZE + 3);
  const alternate = new Uint8Array(PAGE_SIZE);
  for (let w = 1; w < WORDS; w += 2) alternate[w * 4] = 1;
  assert.is(deltaOf(base, alternate)!.length, (WORDS / 2) * 6);
});

test('a limit is kept to the byte: not one more is written, and what fits is not given up needlessly', () => {
  fc.assert(
    fc.property(edits, fc.nat(3000), (changes, limit) => {
      const base = new Uint8Array(PAGE_SIZE);
      const next = pageOf(changes);
      const whole = deltaOf(base, next)!;
      const out = new Uint8Array(8192).fill(0xee);
      const n = encodeDelta(words(base), 0, words(next), 0, out, 16, limit);
      for (let i = 16 + limit; i < out.length; i++) assert.is(out[i], 0xee);
      if (n < 0) assert.ok(whole.length + 4 > limit, `${whole.length} would have fitted ${limit}`);
      else assert.is(hex(out.subarray(16, 16 + n)), hex(whole));
    }),
  );
});

test('any bytes: no throw, and nothing outside the page is written', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat(20), (bytes, cut) => {
      const memory = new Uint8Array(3 * PAGE_SIZE).fill(0xaa);
      applyDelta(bytes, Math.min(cut, bytes.length), bytes.length, memory, PAGE_SIZE);
      const length = Math.max(0, bytes.length - cut);
      applyDelta(bytes, bytes.length - length, length, memory, PAGE_SIZE);
      for (let i = 0; i < PAGE_SIZE; i++) assert.ok(memory[i] === 0xaa && memory[2 * PAGE_SIZE + i] === 0xaa);
    }),
    { numRuns: 300 },
  );
});

test('bytes that are no delta are refused: cut off, beyond the page, longer than need be', () => {
  const page = new Uint8Array(PAGE_SIZE);
  const refused = (text: string): void => {
    const bytes = Buffer.from(text.replaceAll(' ', ''), 'hex');
    assert.not.ok(applyDelta(bytes, 0, bytes.length, page, 0), text);
  };
  refused('00'); //                          no count of changed words
  refused('00 00'); //                       nothing changed
  refused('00 02 11223344'); //              one word of two
  refused('ff07 02 1122334455667788'); //    from the last word, two
  refused('8000 01 11223344'); //            0 in two bytes
  refused('808001 01 11223344'); //          three bytes
  refused('00 01 11223344 00 01 11223344'); // two runs that touch are one
  assert.ok(applyDelta(Buffer.from('00', 'hex'), 1, 0, page, 0), 'no bytes: nothing changed');
});

test('sparse: a page of few words is small, one of text is given up, and any bytes decompress within the page', () => {
  const codec = new SparseCodec();
  const out = new Uint8Array(PAGE_SIZE);
  const sparse = pageOf([
    [100, 8, 3],
    [3000, 4, 9],
  ]);
  const n = codec.compress(sparse, 0, out, 0, PAGE_SIZE - 1);
  assert.is(n, 1 + 1 + 8 + (2 + 1 + 4), 'kept 25, two words; kept 723, one word');
  const back = new Uint8Array(PAGE_SIZE).fill(1);
  assert.ok(codec.decompress(out, 0, n, back, 0));
  assert.ok(Buffer.compare(back, sparse) === 0);
  assert.is(codec.compress(pageOf([[0, PAGE_SIZE, 0x61]]), 0, out, 0, 3500), 0);
  assert.not.ok(codec.decompress(out, 0, n, back, 1), 'no room for a page');
});

test.run();
