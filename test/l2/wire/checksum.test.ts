import fc from 'fast-check';
import * as assert from 'uvu/assert';
import {
  checksum,
  finishSum,
  foldSum,
  pseudoHeaderSumV4,
  pseudoHeaderSumV6,
  sumBytes,
  updateChecksum,
} from '../../../src/l2/index.js';
import { suite } from '../../suite.js';
import { hex, naiveSum } from '../oracle.js';

const test = suite('l2/wire/checksum');

test('the example of RFC 1071, section 3', () => {
  const b = hex('00 01 f2 03 f4 f5 f6 f7');
  assert.is(foldSum(sumBytes(b, 0, 8)), 0xddf2);
  assert.is(foldSum(0x2ddf0), 0xddf2);
  assert.is(checksum(b, 0, 8), 0x220d);
});

test('the example of RFC 1624, section 4: an update that equation 2 gets wrong', () => {
  assert.is(updateChecksum(0xdd2f, 0x5555, 0x3285), 0x0000);
});

test('any range sums as word by word', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(20), (b, skip) => {
      const start = Math.min(skip, b.length);
      assert.is(foldSum(sumBytes(b, start, b.length)), naiveSum(b.subarray(start)));
    }),
  );
});

test('64 KiB of ones overflow nothing, at even and odd ends', () => {
  for (const length of [65_535, 65_536, 131_071]) {
    const b = new Uint8Array(length).fill(0xff);
    assert.is(foldSum(sumBytes(b, 0, length)), naiveSum(b));
  }
});

test('an updated checksum is the checksum of the updated bytes', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 8, maxLength: 40 }),
      fc.nat(3),
      fc.nat(0xffff),
      (b, word, value) => {
        b[0] = 0x45; // all-zero data is the one case where 0 and 0xffff part
        const at = 2 + word * 2 <= b.length - 2 ? 2 + word * 2 : 2;
        const before = checksum(b, 0, b.length);
        const old = (b[at]! << 8) | b[at + 1]!;
        b[at] = value >> 8;
        b[at + 1] = value;
        assert.is(updateChecksum(before, old, value), checksum(b, 0, b.length));
      },
    ),
  );
});

test('bytes with their own checksum sum to zero', () => {
  const b = hex('45 00 00 73 00 00 40 00 40 11 b8 61 c0 a8 00 01 c0 a8 00 c7');
  assert.is(checksum(b, 0, 20), 0);
});

test('pseudo-headers', () => {
  const v4 = hex('0a 00 00 01 0a 00 00 02  00 06 00 1e');
  assert.is(foldSum(pseudoHeaderSumV4(0x0a00_0001, 0x0a00_0002, 6, 30)), naiveSum(v4));
  const addresses = Uint8Array.from({ length: 32 }, (_, i) => 255 - i);
  const tail = hex('00 01 00 05  00 00 00 06');
  assert.is(finishSum(pseudoHeaderSumV6(addresses, 0, 6, 0x10005)), naiveSum(addresses, tail) ^ 0xffff);
});

test.run();
