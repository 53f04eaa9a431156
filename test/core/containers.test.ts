import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { PageSet, Ring, TimeHeap } from '../../src/core/index.js';
import { suite } from '../suite.js';

const test = suite('core/ring, heap, page-set');

test('a ring gives back what went in, in order, however pushes and shifts interleave', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.integer())), (ops) => {
      const ring = new Ring<number>(2);
      const model: number[] = [];
      for (const op of ops) {
        if (op === null) assert.is(ring.shift(), model.shift());
        else {
          ring.push(op);
          model.push(op);
        }
        assert.is(ring.size, model.length);
        assert.is(ring.peek(), model[0]);
      }
    }),
  );
});

test('the heap releases by time, and equal times in the order they came', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 5 })), (times) => {
      const heap = new TimeHeap<[number, number]>();
      times.forEach((t, i) => {
        heap.push(t, [t, i]);
      });
      const model = times.map((t, i) => [t, i]).sort((a, b) => a[0]! - b[0]! || a[1]! - b[1]!);
      for (const expected of model) {
        assert.is(heap.peekTimeNs(), expected[0]);
        assert.equal(heap.pop(), expected);
      }
      assert.is(heap.pop(), undefined);
      assert.is(heap.peekTimeNs(), Number.POSITIVE_INFINITY);
    }),
  );
});

test('a page set behaves as a set of numbers', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 200 }),
      fc.array(fc.nat(199)),
      fc.array(fc.nat(199)),
      (pages, adds, deletes) => {
        const set = new PageSet(pages);
        const model = new Set<number>();
        for (const p of adds.filter((p) => p < pages)) {
          set.add(p);
          model.add(p);
        }
        for (const p of deletes.filter((p) => p < pages)) {
          set.delete(p);
          model.delete(p);
        }
        const walked: number[] = [];
        for (let p = set.next(0); p >= 0; p = set.next(p + 1)) walked.push(p);
        assert.equal(
          walked,
          [...model].sort((a, b) => a - b),
        );
        assert.is(set.count(), model.size);
        assert.equal(PageSet.fromBytes(pages, set.toBytes())?.words, set.words);
      },
    ),
  );
});

test('runs, ranges, union and subtraction', () => {
  const set = new PageSet(100);
  set.addRange(3, 70);
  assert.is(set.count(), 67);
  assert.is(set.next(0), 3);
  assert.is(set.runEnd(3, 1000), 70);
  assert.is(set.runEnd(3, 10), 13);
  const other = new PageSet(100);
  other.addRange(60, 100);
  set.union(other);
  assert.is(set.count(), 97);
  set.subtract(other);
  assert.is(set.runEnd(3, 1000), 60);
  assert.is(PageSet.full(33).count(), 33);
});

test('a page set from bytes refuses a wrong length and bits past the end', () => {
  assert.is(PageSet.fromBytes(33, new Uint8Array(4)), null);
  assert.is(PageSet.fromBytes(33, Uint8Array.of(0, 0, 0, 0, 2, 0, 0, 0)), null);
  assert.ok(PageSet.fromBytes(33, Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0)));
});

test.run();
