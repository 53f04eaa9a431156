import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { formatInstant } from '../../src/capture/index.js';
import { NsStamp, StampScale } from '../../src/capture/stamps.js';
import { suite } from '../suite.js';

const test = suite('capture/stamps');

const word = fc.integer({ min: 0, max: 0xffff_ffff });

test('any resolution that the format has, against whole numbers of any size', () => {
  fc.assert(
    fc.property(
      fc.nat(255),
      word,
      word,
      fc.integer({ min: -1e9, max: 1e9 }),
      (resolution, high, low, offsetS) => {
        const base = (resolution & 0x80) === 0 ? 10n : 2n;
        const units = base ** BigInt(resolution & 0x7f);
        const stamp = (BigInt(high) << 32n) | BigInt(low);
        const scale = new StampScale(resolution, offsetS);
        scale.read(high, low);
        assert.is(scale.seconds, Number(stamp / units) + offsetS);
        assert.is(scale.nanoseconds, Number(((stamp % units) * 1_000_000_000n) / units));
      },
    ),
    { numRuns: 2_000 },
  );
});

test('nanoseconds since 1970 in two words, and back', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 9_000_000_000 }),
      fc.nat(999_999_999),
      fc.integer({ min: 0, max: 9e15 }),
      (seconds, nanoseconds, atNs) => {
        const stamp = new NsStamp({ seconds, nanoseconds });
        stamp.set(atNs);
        const exact = BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds) + BigInt(atNs);
        assert.is((BigInt(stamp.high) << 32n) | BigInt(stamp.low), exact);
      },
    ),
  );
});

test('a capture stamped beyond all calendars could not be shown', () => {
  assert.is(formatInstant({ seconds: 2 ** 64, nanoseconds: 7 }, 0), '18446744073709552000.000000007 s');
  assert.is(formatInstant({ seconds: -(2 ** 62), nanoseconds: 0 }, 5), '-4611686018427388000.000000005 s');
  assert.is(
    formatInstant({ seconds: 253_402_300_800, nanoseconds: 1 }, 0),
    '+010000-01-01T00:00:00.000000001Z',
  );
  assert.is(formatInstant({ seconds: -1, nanoseconds: 999_999_999 }, 1), '1970-01-01T00:00:00.000000000Z');
});

test.run();
