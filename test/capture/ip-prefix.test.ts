/** What is an address is as Node has it; what lies in a prefix is counted bit by bit. */
import { isIP } from 'node:net';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { hasPrefix, parseIpPrefix } from '../../src/capture/index.js';
import { suite } from '../suite.js';

const test = suite('capture/ip-prefix');

const words = fc
  .array(fc.constantFrom('0', '1', '10', '255', '256', '01', 'fd00', 'ffff', '12345', 'g', '.', ':', '::'), {
    maxLength: 12,
  })
  .map((parts) => parts.join(''));

test('an address is what Node takes for one', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), words), (text) => {
      assert.is(parseIpPrefix(text)?.bytes.length ?? 0, { 0: 0, 4: 4, 6: 16 }[isIP(text)], text);
    }),
    { numRuns: 3000 },
  );
});

test('bytes of addresses, and what a length leaves of them', () => {
  const hex = (text: string): string => Buffer.from(parseIpPrefix(text)!.bytes).toString('hex');
  assert.is(hex('::ffff:10.0.0.1'), '00000000000000000000ffff0a000001');
  assert.is(hex('2001:db8::/29'), '20010db8000000000000000000000000');
  assert.is(hex('10.255.3.1/12'), '0af00000');
  for (const text of ['10.0.0.0/33', 'fd00::/129', '10.0.0.0/', '10.0.0.0/8/8', '', '/8', '10.0.0'])
    assert.is(parseIpPrefix(text), null, text);
});

test('an address lies in a prefix when its first bits are those', () => {
  const address = fc.uint8Array({ minLength: 4, maxLength: 4 });
  const bitsOf = (b: Uint8Array, n: number): string =>
    [...b]
      .map((byte) => byte.toString(2).padStart(8, '0'))
      .join('')
      .slice(0, n);
  fc.assert(
    fc.property(
      address,
      address,
      fc.integer({ min: 0, max: 32 }),
      fc.integer({ min: 0, max: 32 }),
      (a, b, n, same) => {
        const other = Uint8Array.from(a, (byte, i) => (i * 8 < same ? byte : b[i]!));
        const prefix = parseIpPrefix(`${a.join('.')}/${n}`)!;
        assert.is(hasPrefix(prefix, other, 0, 4), bitsOf(a, n) === bitsOf(other, n));
        assert.not(hasPrefix(prefix, new Uint8Array(16), 0, 16));
      },
    ),
  );
});

test.run();
