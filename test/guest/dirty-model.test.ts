import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { isLonghaulError, NS_PER_S } from '../../src/core/index.js';
import { DirtyModel, type DirtyOptions, dirtyPage, GuestHeader, layoutOf } from '../../src/guest/index.js';
import { suite } from '../suite.js';

const test = suite('guest/dirty-model');

function headerOf(seed = 1): GuestHeader {
  const header = new GuestHeader(new Uint8Array(4096));
  header.format(layoutOf(256), seed, new Uint8Array(16));
  return header;
}

function modelOf(options: Partial<DirtyOptions>, header = headerOf()): DirtyModel {
  return new DirtyModel(header, { model: 'uniform', pagesPerS: 1000, firstPage: 66, pages: 100, ...options });
}

test('writes due follow the time that passed, to the page, however it is cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 5_000_000 }), { maxLength: 50 }),
      fc.integer({ min: 1, max: 2_000_000 }),
      (ticksNs, pagesPerS) => {
        const header = headerOf();
        const model = modelOf({ pagesPerS }, header);
        for (const ns of ticksNs) model.made(model.plan(ns));
        const exact = (ticksNs.reduce((a, b) => a + b, 0) * pagesPerS) / NS_PER_S;
        assert.ok(Math.abs(header.pagesWritten + header.writesDue - exact) < 1e-3);
        assert.ok(header.writesDue < 1 + 1e-6);
      },
    ),
  );
});

test('writes not made stay due, up to 20 ms of them', () => {
  const header = headerOf();
  const model = modelOf({ pagesPerS: 10_000 }, header);
  assert.is(model.plan(1_000_000), 10);
  model.made(4);
  assert.is(model.plan(0), 6);
  assert.is(model.plan(NS_PER_S), 200);
});

test('idle owes nothing', () => {
  const model = modelOf({ model: 'idle', pagesPerS: 0 });
  assert.is(model.isIdle, true);
  assert.is(model.plan(NS_PER_S), 0);
});

test('a sweep takes each page in order, and goes on after a move', () => {
  const memory = new Uint8Array(4096);
  const header = new GuestHeader(memory);
  header.format(layoutOf(256), 1, new Uint8Array(16));
  const model = modelOf({ model: 'sweep', pages: 3 }, header);
  const first = [model.nextPfn(), model.nextPfn(), model.nextPfn(), model.nextPfn()];
  assert.equal(first, [66, 67, 68, 66]);
  const moved = modelOf({ model: 'sweep', pages: 3 }, new GuestHeader(memory.slice()));
  assert.equal([moved.nextPfn(), moved.nextPfn()], [67, 68]);
});

test('every model stays in its range, and the draws after a move are those the source would have made', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('sweep' as const, 'uniform' as const, 'zipf' as const),
      fc.integer({ min: 1, max: 190 }),
      fc.constantFrom(0.5, 0.99, 1, 1.5, 4),
      fc.nat(),
      (model, pages, alpha, seed) => {
        const memory = new Uint8Array(4096);
        const header = new GuestHeader(memory);
        header.format(layoutOf(256), seed, new Uint8Array(16));
        const source = modelOf({ model, pages, alpha }, header);
        for (let i = 0; i < 50; i++) source.nextPfn();
        const destination = modelOf({ model, pages, alpha }, new GuestHeader(memory.slice()));
        for (let i = 0; i < 50; i++) {
          const pfn = source.nextPfn();
          assert.ok(pfn >= 66 && pfn < 66 + pages);
          assert.is(destination.nextPfn(), pfn);
        }
      },
    ),
  );
});

test('uniform draws are even: chi-square over 100 pages', () => {
  const counts = drawn(modelOf({}), 100_000);
  const chi2 = counts.reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0);
  assert.ok(chi2 < 160, `chi-square ${chi2} of 99 degrees of freedom`); // p ≈ 1e-4
});

test('zipf draws follow rank^-alpha, and ranks are scattered', () => {
  for (const alpha of [0.6, 0.99, 1, 1.3]) {
    const n = 100;
    const draws = 200_000;
    const counts = drawn(modelOf({ model: 'zipf', pages: n, alpha }), draws);
    const hottest = counts.indexOf(Math.max(...counts));
    assert.is(hottest, 0, 'rank 1 is the first page');
    const sorted = counts.slice().sort((a, b) => b - a);
    let norm = 0;
    for (let k = 1; k <= n; k++) norm += k ** -alpha;
    let chi2 = 0;
    for (let k = 1; k <= 20; k++) {
      const expected = (draws * k ** -alpha) / norm;
      chi2 += (sorted[k - 1]! - expected) ** 2 / expected;
    }
    assert.ok(chi2 < 60, `alpha ${alpha}: chi-square ${chi2} over the 20 hottest`);
    assert.ok(Math.abs(counts.indexOf(sorted[1]!) - hottest) > 1, 'rank 2 is no neighbour of rank 1');
  }
});

function drawn(model: DirtyModel, draws: number): number[] {
  const counts = new Array<number>(model.options.pages).fill(0);
  for (let i = 0; i < draws; i++) {
    const at = model.nextPfn() - model.options.firstPage;
    counts[at] = counts[at]! + 1;
  }
  return counts;
}

test('a write changes its page and no other', () => {
  const words = new Uint32Array(4 * 1024);
  dirtyPage(words, 2, 1023);
  dirtyPage(words, 2, 2047);
  assert.is(words[2 * 1024 + 1023], 2);
  assert.is(
    words.reduce((a, b) => a + b, 0),
    2,
  );
});

test('bad options are refused by code', () => {
  const refused = (options: Partial<DirtyOptions>, code: string): void => {
    assert.throws(
      () => modelOf(options),
      (e: unknown) => isLonghaulError(e, code),
    );
  };
  refused({ pages: 0 }, 'GUEST_DIRTY_RANGE');
  refused({ firstPage: 0 }, 'GUEST_DIRTY_RANGE');
  refused({ pages: 2 ** 20 }, 'GUEST_DIRTY_RANGE');
  refused({ pagesPerS: -1 }, 'GUEST_DIRTY_RANGE');
  refused({ pagesPerS: Number.NaN }, 'GUEST_DIRTY_RANGE');
  refused({ model: 'zipf', alpha: 0 }, 'GUEST_DIRTY_SKEW');
  refused({ model: 'zipf', alpha: Number.NaN }, 'GUEST_DIRTY_SKEW');
});

test.run();
