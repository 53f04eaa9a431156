/** Every page of a sequence leaves once, taken in turn or demanded before it. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { PageSet } from '../../../src/core/index.js';
import { PushOrder } from '../../../src/vmotion-protocol/push-order.js';
import {
  AscendingPages,
  type PageSequence,
  PushedPages,
} from '../../../src/vmotion-protocol/udp/page-sequence.js';
import { suite } from '../../suite.js';

const test = suite('vmotion-protocol/udp/page-sequence');
const PAGES = 200;

const kinds: Readonly<Record<string, (set: PageSet) => PageSequence>> = {
  ascending: (set) => new AscendingPages(set),
  pushed: (set) => new PushedPages(new PushOrder(set)),
};

for (const [name, make] of Object.entries(kinds)) {
  test(`${name}: any demands at any time`, () => {
    const pfn = fc.nat(PAGES - 1);
    fc.assert(
      fc.property(fc.uniqueArray(pfn), fc.array(fc.option(pfn), { maxLength: 300 }), (pfns, steps) => {
        const set = new PageSet(PAGES);
        for (const p of pfns) set.add(p);
        const sequence = make(set);
        const gone: number[] = [];
        const left = new Set(pfns);
        const leaves = (p: number): void => {
          assert.ok(left.delete(p), `page ${p} left twice, or was none of them`);
          gone.push(p);
        };
        const take = (): void => {
          leaves(sequence.next);
          sequence.take();
        };
        for (const demanded of steps) {
          if (demanded === null) {
            if (sequence.next >= 0) take();
          } else if (sequence.demand(demanded)) leaves(demanded);
          else assert.not.ok(left.has(demanded), `page ${demanded} had not gone, and was not given`);
        }
        while (sequence.next >= 0) take();
        assert.is(gone.length, pfns.length);
        assert.is(left.size, 0);
      }),
    );
  });
}

test.run();
