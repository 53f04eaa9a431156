import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { DuplicateFilter, type FramePath, LateFrameBuffer } from '../../src/vmotion-protocol/index.js';
import { suite } from '../suite.js';

const test = suite('vmotion-protocol/late-frames');
const frame = (n: number, length = 60) => new Uint8Array(length).fill(n);
const MS = 1_000_000;

test('a frame that comes by both paths is delivered once, whichever is first', () => {
  for (const [first, second] of [
    ['forwarded', 'flooded'],
    ['flooded', 'forwarded'],
  ] as const) {
    const filter = new DuplicateFilter();
    assert.ok(filter.accept(0, first, frame(1)));
    assert.not.ok(filter.accept(1 * MS, second, frame(1)));
    assert.is(filter.duplicates, 1);
  }
});

test('two identical frames by one path are two frames', () => {
  const filter = new DuplicateFilter();
  assert.ok(filter.accept(0, 'flooded', frame(1)));
  assert.ok(filter.accept(0, 'flooded', frame(1)));
  // and each is paired with one copy, no more
  assert.not.ok(filter.accept(1, 'forwarded', frame(1)));
  assert.not.ok(filter.accept(1, 'forwarded', frame(1)));
  assert.ok(filter.accept(1, 'forwarded', frame(1)));
});

test('behind the window an equal frame is a new one', () => {
  const filter = new DuplicateFilter(10 * MS);
  assert.ok(filter.accept(0, 'forwarded', frame(1)));
  assert.not.ok(filter.accept(10 * MS, 'flooded', frame(1)));
  assert.ok(filter.accept(20 * MS, 'forwarded', frame(2)));
  assert.ok(filter.accept(30 * MS + 1, 'flooded', frame(2)));
});

test('what is remembered is bounded, and a frame is copied', () => {
  const filter = new DuplicateFilter(10 * MS, 2);
  const f = frame(1);
  filter.accept(0, 'forwarded', f);
  f.fill(9);
  assert.not.ok(filter.accept(0, 'flooded', frame(1)), 'the copy was kept, not the reference');
  for (const n of [2, 3]) filter.accept(0, 'forwarded', frame(n));
  assert.ok(filter.accept(0, 'flooded', frame(2)) || filter.duplicates <= 2);
});

test('each frame is delivered as often as the path that carried it more often', () => {
  const path = fc.constantFrom<FramePath>('forwarded', 'flooded');
  fc.assert(
    fc.property(fc.array(fc.tuple(path, fc.nat(3)), { maxLength: 100 }), (arrivals) => {
      const filter = new DuplicateFilter();
      const delivered = [0, 0, 0, 0];
      for (const [by, n] of arrivals) if (filter.accept(5, by, frame(n))) delivered[n]!++;
      for (let n = 0; n < 4; n++) {
        const count = (p: FramePath) => arrivals.filter(([by, m]) => by === p && m === n).length;
        assert.is(delivered[n], Math.max(count('forwarded'), count('flooded')));
      }
    }),
  );
});

test('a buffer is bounded in frames and bytes, and its accounting closes', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.integer({ min: 14, max: 500 }))), (ops) => {
      const buffer = new LateFrameBuffer(5, 1000);
      for (const op of ops) {
        if (op === null) buffer.takeAll();
        else buffer.push(frame(op & 255, op));
        const { in: came, out, dropped, held } = buffer.counts;
        assert.is(came, out + dropped + held);
        assert.ok(held <= 5 && buffer.frames.reduce((n, f) => n + f.length, 0) <= 1000);
      }
    }),
  );
});

test('frames leave in the order they came', () => {
  const buffer = new LateFrameBuffer();
  for (let n = 0; n < 10; n++) buffer.push(frame(n));
  assert.equal(
    buffer.takeAll().map((f) => f[0]),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
  assert.equal(buffer.takeAll(), []);
});

test.run();
