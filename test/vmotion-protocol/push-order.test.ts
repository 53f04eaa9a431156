import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { PageSet } from '../../src/core/index.js';
import { PushOrder } from '../../src/vmotion-protocol/index.js';
import { PageHeat, takePages } from '../../src/vmotion-protocol/page-heat.js';
import { suite } from '../suite.js';

const test = suite('vmotion-protocol/push-order, page-heat');

const setOf = (pages: number, pfns: Iterable<number>): PageSet => {
  const set = new PageSet(pages);
  for (const pfn of pfns) set.add(pfn);
  return set;
};
const members = (set: PageSet): number[] => {
  const out: number[] = [];
  for (let p = set.next(0); p >= 0; p = set.next(p + 1)) out.push(p);
  return out;
};
const runs = (order: PushOrder, limit: number, n: number): string[] => {
  const out: string[] = [];
  for (let i = 0; i < n && order.takeRun(limit); i++) out.push(`${order.pfn}+${order.pages}`);
  return out;
};

test('without a demand the order ascends; hot pages go before all', () => {
  assert.equal(runs(new PushOrder(setOf(100, [3, 4, 5, 9, 40])), 2, 9), ['3+2', '5+1', '9+1', '40+1']);
  const hot = setOf(100, [40, 7, 9]);
  assert.equal(runs(new PushOrder(setOf(100, [3, 9, 40]), hot), 8, 9), ['9+1', '40+1', '3+1']);
});

test('around the page that was demanded last, up and down by turns', () => {
  const order = new PushOrder(PageSet.full(100));
  assert.ok(order.demand(50));
  assert.not.ok(order.demand(50), 'it was taken already');
  assert.equal(runs(order, 4, 4), ['51+4', '46+4', '55+4', '42+4']);
  assert.ok(order.demand(10));
  assert.equal(runs(order, 4, 3), ['11+4', '6+4', '15+4']);
  assert.not.ok(order.demand(4000), 'no page of the guest');
});

test('whatever is demanded in between, each page leaves exactly once', () => {
  const steps = fc.array(
    fc.oneof(
      fc.nat(299).map((pfn) => -1 - pfn),
      fc.integer({ min: 1, max: 20 }),
    ),
    {
      maxLength: 200,
    },
  );
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(299)), fc.array(fc.nat(299)), steps, (pfns, hot, plan) => {
      const order = new PushOrder(setOf(300, pfns), setOf(300, hot));
      const left: number[] = [];
      const take = (limit: number): boolean => {
        if (!order.takeRun(limit)) return false;
        assert.ok(order.pages >= 1 && order.pages <= limit);
        for (let i = 0; i < order.pages; i++) left.push(order.pfn + i);
        return true;
      };
      for (const step of plan) {
        if (step >= 0) take(step);
        else if (order.demand(-1 - step)) left.push(-1 - step);
        assert.is(order.count, pfns.length - left.length);
      }
      while (take(16));
      assert.equal(
        left.sort((a, b) => a - b),
        pfns.sort((a, b) => a - b),
      );
    }),
  );
});

test('hot pages are those of the last three harvests, of two where there were no more', () => {
  const heat = new PageHeat();
  heat.harvested(setOf(50, [1, 2, 3, 4]));
  assert.equal(members(heat.hot(50)), [], 'one harvest tells nothing');
  heat.harvested(setOf(50, [2, 3, 4]));
  assert.equal(members(heat.hot(50)), [2, 3, 4]);
  heat.harvested(setOf(50, [3, 4, 5]));
  assert.equal(members(heat.hot(50)), [3, 4]);
  heat.harvested(setOf(50, [2, 4, 5]));
  assert.equal(members(heat.hot(50)), [4], 'the first harvest counts no more');
});

test('of the pages for the pause the preferred ones are taken first, and leave the rest', () => {
  const rest = setOf(50, [1, 2, 3, 20, 30]);
  assert.equal(members(takePages(rest, setOf(50, [20, 25, 30]), 3)), [1, 20, 30]);
  assert.equal(members(rest), [2, 3]);
  assert.equal(members(takePages(rest, new PageSet(50), Number.POSITIVE_INFINITY)), [2, 3]);
  assert.equal(members(rest), []);
});

test.run();
