import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { BusyUntil } from '../../src/fiber/busy-until.js';
import { suite } from '../suite.js';

const test = suite('fiber/busy-until');

test('1538 bytes at 10 Gbit/s take 1230.4 ns, five of them exactly 6152', () => {
  const busy = new BusyUntil();
  const floors: number[] = [];
  for (let i = 0; i < 5; i++) {
    busy.addBytes(1538, 10e9);
    floors.push(busy.floorNs);
  }
  assert.equal(floors, [1230, 2460, 3691, 4921, 6152]);
  assert.ok(busy.isAt(6152));
  assert.not.ok(busy.isBefore(6152));
  busy.addBytes(1538, 10e9);
  assert.is(busy.ceilNs, 7383);
  assert.ok(busy.isBefore(7383));
  assert.not.ok(busy.isAt(7382));
});

test('frames back to back drift by nothing, a day into a run', () => {
  const busy = new BusyUntil();
  const startNs = 86_400_000_000_000;
  busy.set(startNs);
  // 81 bytes at 622.08 Mbit/s take 1041.666… ns; 622 080 of them 0.648 s.
  for (let i = 0; i < 622_080; i++) busy.addBytes(81, 622_080_000);
  assert.ok(busy.isAt(startNs + 648_000_000));
});

test('agrees with exact fractions at any rate and size', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1_000, max: 1_000_000_000_000 }),
      fc.array(fc.integer({ min: 1, max: 1_048_576 }), { minLength: 1, maxLength: 30 }),
      (rateBps, sizes) => {
        const busy = new BusyUntil();
        let bits = 0n;
        for (const size of sizes) {
          busy.addBytes(size, rateBps);
          bits += BigInt(size) * 8n;
          const num = bits * 1_000_000_000n;
          const den = BigInt(rateBps);
          assert.is(busy.floorNs, Number(num / den));
          assert.is(busy.ceilNs, Number((num + den - 1n) / den));
        }
      },
    ),
  );
});

test('a changed rate keeps the fraction', () => {
  const busy = new BusyUntil();
  busy.addBytes(1538, 10e9); // 1230.4
  busy.addBytes(1538, 1e9); // + 12304
  assert.is(busy.floorNs, 13_534);
  assert.is(busy.ceilNs, 13_535);
  busy.addBytes(1538, Number.POSITIVE_INFINITY);
  assert.is(busy.floorNs, 13_534);
  busy.addBytes(75, 1e9); // + 600
  busy.addBytes(2, 10e9); // + 1.6
  assert.ok(busy.isAt(14_136));
});

test.run();
