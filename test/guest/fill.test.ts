import { deflateRawSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { fillKindOf, fillMemory, fillPage } from '../../src/guest/index.js';
import { suite } from '../suite.js';

const test = suite('guest/fill');
const PAGES = 64;

function page(kind: 'zero' | 'text' | 'random' | 'mix', seed: number, pfn: number): Buffer {
  const out = Buffer.alloc(4096, 0xee);
  fillPage(kind, seed, pfn, out);
  return out;
}

test('a page depends on kind, seed and pfn only', () => {
  for (const kind of ['zero', 'text', 'random', 'mix'] as const) {
    const memory = new Uint8Array(PAGES * 4096);
    fillMemory(kind, 3, memory, 10, PAGES);
    assert.ok(
      memory.subarray(0, 10 * 4096).every((b) => b === 0),
      'pages before the first are left alone',
    );
    for (const pfn of [10, 33, PAGES - 1]) {
      const alone = page(kind, 3, pfn);
      assert.is(alone.compare(memory.subarray(pfn * 4096, (pfn + 1) * 4096)), 0, `${kind} ${pfn}`);
    }
  }
});

test('text and random pages are unique, by pfn and by seed', () => {
  for (const kind of ['text', 'random'] as const) {
    const seen = new Set<string>();
    for (let seed = 0; seed < 4; seed++) {
      for (let pfn = 0; pfn < 500; pfn++) seen.add(page(kind, seed, pfn).toString('latin1'));
    }
    assert.is(seen.size, 2000, kind);
  }
});

test('text is made of words and compresses below a half, random does not compress', () => {
  const text = page('text', 1, 5);
  assert.match(text.toString('latin1'), /^[a-z ]+$/);
  const textRatio = deflateRawSync(text).length / 4096;
  assert.ok(textRatio > 0.2 && textRatio < 0.5, `text to ${textRatio}`);
  assert.ok(deflateRawSync(page('random', 1, 5)).length >= 4096);
});

test('a mix holds a quarter zero, 35 % text, 40 % random pages', () => {
  const counts = { zero: 0, text: 0, random: 0 };
  for (let pfn = 0; pfn < 10_000; pfn++) counts[fillKindOf('mix', 42, pfn)]++;
  // Four standard deviations of a binomial of 10,000.
  assert.ok(Math.abs(counts.zero - 2500) < 175, String(counts.zero));
  assert.ok(Math.abs(counts.text - 3500) < 192, String(counts.text));
  assert.ok(Math.abs(counts.random - 4000) < 197, String(counts.random));
  assert.is(page('mix', 42, 0).compare(page(fillKindOf('mix', 42, 0), 42, 0)), 0);
});

test.run();
