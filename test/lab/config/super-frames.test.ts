/** A station's super-frames are as long as its fiber carries whole, and never shorter than the kernel's. */
import * as assert from 'uvu/assert';
import { resolveFiber } from '../../../src/fiber/index.js';
import { superFrameBytesFor } from '../../../src/lab/config/super-frames.js';
import { suite } from '../../suite.js';

const test = suite('lab/config/super-frames');
const at = (rateBps: number) => superFrameBytesFor(resolveFiber({ oneWayNs: 400_000, rateBps }));

test('up to 10 Gbit/s they are what every interface has', () => {
  for (const rateBps of [100e6, 1e9, 10e9]) assert.is(at(rateBps), 65_536);
});

test('above, what 50 µs of the fiber hold', () => {
  // 40 packets of 1538 bytes are on the wire in 50 µs at 10 Gbit/s.
  assert.is(at(20e9), 81 * 1448);
  assert.is(at(40e9), 162 * 1448);
});

test('where nothing limits the rate, the longest that the fabric carries', () => {
  assert.is(at(Number.POSITIVE_INFINITY), 262_144);
});

test('the faster direction decides', () => {
  const fiber = resolveFiber({
    oneWayNs: 400_000,
    rateBps: 1e9,
    perDirection: { 'b-a': { rateBps: Number.POSITIVE_INFINITY } },
  });
  assert.is(superFrameBytesFor(fiber), 262_144);
});

test.run();
