import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { ReplayWindow } from '../../../src/vmotion-protocol/index.js';
import { suite } from '../../suite.js';

const test = suite('vmotion-protocol/record-layer/replay-window');

/** The rule without the bitmap. */
class Oracle {
  readonly #seen = new Set<number>();
  #highest = -1;
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
  }

  fresh(number: number): boolean {
    return number > this.#highest - this.#size && !this.#seen.has(number);
  }

  mark(number: number): void {
    this.#seen.add(number);
    this.#highest = Math.max(this.#highest, number);
  }
}

test('a window of 1024 and more remembers at least that many, whole words', () => {
  assert.is(new ReplayWindow(1024).size, 2016);
  assert.is(new ReplayWindow(992).size, 992);
  assert.is(new ReplayWindow().size, 8160);
});

test('any order, repetition and jump is judged as by a set of all numbers', () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: -80, max: 5 }) }, // around the front, also repeated
    { weight: 2, arbitrary: fc.integer({ min: -1100, max: -900 }) }, // around the far edge
    { weight: 1, arbitrary: fc.integer({ min: 20, max: 3000 }) }, // a jump
  );
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 400 }),
      fc.constantFrom(0, 2 ** 32 - 500, 2 ** 48),
      (steps, base) => {
        const window = new ReplayWindow(992);
        const oracle = new Oracle(992);
        let front = base;
        for (const d of steps) {
          const number = Math.max(0, front + d);
          assert.is(window.fresh(number), oracle.fresh(number), `number ${number}`);
          if (!window.fresh(number)) continue;
          window.mark(number);
          oracle.mark(number);
          front = Math.max(front, number);
        }
      },
    ),
    { numRuns: 150 },
  );
});

test('looking moves nothing: only what was authentic slides the window', () => {
  const window = new ReplayWindow(1024);
  window.mark(10);
  assert.ok(window.fresh(1_000_000));
  assert.is(window.highest, 10);
  assert.ok(window.fresh(9));
  assert.not(window.fresh(10));
});

test.run();
