import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { Rng } from '../../src/core/index.js';
import { BernoulliLoss } from '../../src/fiber/index.js';
import { mergeLost } from '../../src/fiber/lost-packets.js';
import { suite } from '../suite.js';

const test = suite('fiber/loss');

/** Positions in the stream of packets that are lost, when they come in frames of these sizes. */
function lostOf(model: BernoulliLoss, sizes: readonly number[]): number[] {
  const lost: number[] = [];
  let sent = 0;
  for (const size of sizes) {
    const hits: number[] = [];
    model.hits(size, hits);
    for (const hit of hits) {
      assert.ok(hit >= 0 && hit < size);
      lost.push(sent + hit);
    }
    sent += size;
  }
  return lost;
}

test('how packets are grouped into frames changes nothing', () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.constantFrom(0.001, 0.1, 0.5, 0.9),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 60 }),
      (seed, lossProb, sizes) => {
        const ones = new Array(sizes.reduce((n, size) => n + size, 0)).fill(1);
        const grouped = lostOf(new BernoulliLoss(lossProb, new Rng(seed)), sizes);
        const single = lostOf(new BernoulliLoss(lossProb, new Rng(seed)), ones);
        assert.equal(grouped, single);
      },
    ),
  );
});

test('a million packets lose within 3 sigma of the probability, plain and in super-frames', () => {
  for (const lossProb of [0.0001, 0.01, 0.3]) {
    for (const size of [1, 45]) {
      const frames = Math.ceil(1e6 / size);
      const n = frames * size;
      const lost = lostOf(
        new BernoulliLoss(lossProb, new Rng(`sigma ${size}`)),
        new Array(frames).fill(size),
      ).length;
      const sigma = Math.sqrt(n * lossProb * (1 - lossProb));
      const off = (lost - n * lossProb) / sigma;
      assert.ok(Math.abs(off) < 3, `${lost} of ${n} at ${lossProb} in ${size}s: ${off} sigma`);
    }
  }
});

test('nothing is lost at 0, everything at 1', () => {
  assert.equal(lostOf(new BernoulliLoss(0, new Rng(1)), [5, 1, 45]), []);
  assert.equal(lostOf(new BernoulliLoss(1, new Rng(1)), [2, 1, 3]), [0, 1, 2, 3, 4, 5]);
});

test('a probability of 0 draws nothing', () => {
  const rng = new Rng(3);
  const twin = new Rng(3);
  lostOf(new BernoulliLoss(0, rng), [1000]);
  assert.is(rng.u32(), twin.u32());
});

test('losses in a row keep the original numbering', () => {
  assert.equal(mergeLost(null, [0, 3]), [0, 3]);
  assert.equal(mergeLost([1, 3], [1]), [1, 2, 3]); // survivors 0 2 4 5: the second of them is 2
  assert.equal(mergeLost([0, 1], [0]), [0, 1, 2]);
  assert.equal(mergeLost([2], [3]), [2, 4]);
});

test('losses in a row agree with crossing packets off a list', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.boolean(), { minLength: 45, maxLength: 45 }), { maxLength: 4 }),
      (stages) => {
        let there = Array.from({ length: 45 }, (_, i) => i);
        let lost: readonly number[] | null = null;
        for (const stage of stages) {
          const hits = there.flatMap((_, position) => (stage[position] ? [position] : []));
          if (hits.length > 0) lost = mergeLost(lost, hits);
          there = there.filter((_, position) => !stage[position]);
        }
        const gone = Array.from({ length: 45 }, (_, i) => i).filter((i) => !there.includes(i));
        assert.equal(lost ?? [], gone);
      },
    ),
  );
});

test.run();
