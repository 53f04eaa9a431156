/** Every codec of this machine keeps the same contract: pages come back, and no bytes write beyond one. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { PAGE_SIZE, Rng } from '../../../src/core/index.js';
import { type FillKind, fillPage } from '../../../src/guest/index.js';
import { AS_COMPRESSED, PageApplier } from '../../../src/vmotion-protocol/index.js';
import { availableCodecs, openCodec } from '../../../src/vmotion-protocol/transport/index.js';
import { suite } from '../../suite.js';
import { Xxh64 } from '../pipeline/hash.js';

const test = suite('vmotion-protocol/transport/compressor');

function page(kind: FillKind, pfn: number): Uint8Array {
  const bytes = new Uint8Array(PAGE_SIZE);
  fillPage(kind, 11, pfn, bytes);
  return bytes;
}

function sparsePage(): Uint8Array {
  const bytes = new Uint8Array(PAGE_SIZE);
  for (let at = 0; at < PAGE_SIZE; at += 160) bytes[at] = at / 160 + 1;
  return bytes;
}

test('the plain codec is always there, and the order follows the rate', () => {
  assert.is(availableCodecs(1e9).at(-1), 'sparse');
  const both = availableCodecs(1e9).length === 3;
  if (both) assert.is(availableCodecs(100e6)[0], 'zstd');
  if (both) assert.is(availableCodecs(Number.POSITIVE_INFINITY)[0], 'lz4');
  assert.is(openCodec('brotli'), null);
});

for (const name of ['lz4', 'zstd', 'sparse']) {
  const codec = openCodec(name);
  const lack = codec === null ? `lib${name} is not installed` : null;

  test.when(lack, `${name}: pages come back, wherever they lie, and text shrinks where it can`, () => {
    const pages = [sparsePage(), page('text', 1), page('text', 2), page('random', 3)];
    const block = new Uint8Array(3 * PAGE_SIZE);
    const sizes = pages.map((bytes, i) => {
      const src = new Uint8Array(4 * PAGE_SIZE);
      src.set(bytes, (i + 1) * 4);
      const n = codec!.compress(src, (i + 1) * 4, block, 100 + i, PAGE_SIZE - 1);
      if (n === 0) return PAGE_SIZE;
      const back = new Uint8Array(3 * PAGE_SIZE).fill(0xee);
      assert.ok(codec!.decompress(block, 100 + i, n, back, 2048));
      assert.ok(Buffer.compare(back.subarray(2048, 2048 + PAGE_SIZE), bytes) === 0);
      assert.ok(back.every((b, at) => (at >= 2048 && at < 2048 + PAGE_SIZE) || b === 0xee));
      return n;
    });
    assert.ok(sizes[0]! < 400, `sparse: ${sizes[0]} bytes`);
    if (name !== 'sparse') assert.ok(sizes[1]! < 3000, `text: ${sizes[1]} bytes`);
    assert.is(sizes[3], PAGE_SIZE, 'random pages do not shrink');
  });

  test.when(lack, `${name}: what does not fit the limit is 0, and nothing is written beyond it`, () => {
    const out = new Uint8Array(PAGE_SIZE).fill(0xee);
    for (const limit of [1, 16, 500]) {
      assert.is(codec!.compress(page('text', 4), 0, out, 8, limit), 0);
      for (let at = 8 + limit; at < out.length; at++) assert.is(out[at], 0xee);
    }
    assert.is(codec!.compress(page('text', 4), 0, out, 4000, 500), 0, 'the limit reaches beyond the buffer');
    assert.is(codec!.compress(page('text', 4), 1, out, 0, 500), 0, 'the page reaches beyond the buffer');
  });

  test.when(lack, `${name}: any bytes, also damaged blocks, stay within the page and never throw`, () => {
    const good = new Uint8Array(PAGE_SIZE);
    const size = codec!.compress(sparsePage(), 0, good, 0, PAGE_SIZE - 1);
    const memory = new Uint8Array(3 * PAGE_SIZE);
    const guarded = (bytes: Uint8Array, at: number, length: number): void => {
      memory.fill(0xa5);
      codec!.decompress(bytes, at, length, memory, PAGE_SIZE);
      for (let i = 0; i < PAGE_SIZE; i++) {
        assert.ok(memory[i] === 0xa5 && memory[2 * PAGE_SIZE + i] === 0xa5);
      }
    };
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 400 }), (bytes) =>
        guarded(bytes, 0, bytes.length),
      ),
      { numRuns: 150 },
    );
    fc.assert(
      fc.property(fc.nat(size - 1), fc.nat(255), fc.integer({ min: 1, max: size }), (at, value, length) => {
        const damaged = good.slice(0, size);
        damaged[at] = value;
        guarded(damaged, 0, length);
      }),
      { numRuns: 150 },
    );
    assert.not.ok(
      codec!.decompress(good, PAGE_SIZE - 4, 8, memory, 0),
      'the block reaches beyond its buffer',
    );
    assert.not.ok(codec!.decompress(good, 0, size, memory, 2 * PAGE_SIZE + 1), 'no room for a page');
  });

  test.when(lack, `${name}: a block of more or less than a page is refused`, () => {
    const applier = new PageApplier(new Uint8Array(2 * PAGE_SIZE), new Xxh64(), codec);
    const block = new Uint8Array(PAGE_SIZE);
    const rng = new Rng(6);
    const n = codec!.compress(sparsePage(), 0, block, 0, PAGE_SIZE - 1);
    assert.is(applier.apply(1, AS_COMPRESSED, block, 0, n), 'applied');
    if (name !== 'sparse') assert.is(applier.apply(1, AS_COMPRESSED, block, 0, n - 1), 'bad');
    rng.fill(block);
    assert.is(applier.apply(1, AS_COMPRESSED, block, 0, 1000), 'bad');
    assert.is(applier.counts().bad, name === 'sparse' ? 1 : 2);
  });
}

test('a compressed page without a codec agreed is refused', () => {
  const applier = new PageApplier(new Uint8Array(PAGE_SIZE), new Xxh64(), null);
  assert.is(applier.apply(0, AS_COMPRESSED, new Uint8Array(8), 0, 8), 'bad');
});

test.run();
