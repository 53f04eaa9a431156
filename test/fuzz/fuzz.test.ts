import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { decodeMessage, encodeMessage, LENGTH_BYTES } from '../../src/vmotion-protocol/index.js';
import { suite } from '../suite.js';
import { corpusOf, feed, fuzz, processorMs } from './harness.js';
import { type FuzzTarget, MESSAGES, TARGETS } from './targets.js';

const test = suite('fuzz');
const INPUTS = 4_000;

for (const target of TARGETS) {
  test(`${target.name}: mutants of good inputs, noise, and what was found before`, () => {
    for (const { name, bytes } of corpusOf(target)) assert.is(feed(target, bytes), null, name);
    for (const sample of target.samples) assert.is(feed(target, sample), null, 'a good input');
    assert.equal(fuzz(target, target.name === 'machines' ? INPUTS / 10 : INPUTS, 'npm test'), null);
  });
}

test('any splice of two messages is read or refused, and what is read can be written and reads the same', () => {
  const bodies = MESSAGES.map((m) => encodeMessage(m).slice(LENGTH_BYTES));
  const anyBody = fc.constantFrom(...bodies);
  fc.assert(
    fc.property(
      anyBody,
      anyBody,
      fc.nat(200),
      fc.nat(200),
      fc.uint8Array({ maxLength: 6 }),
      (a, b, to, from, between) => {
        const body = new Uint8Array([...a.subarray(0, to), ...between, ...b.subarray(from)]);
        const once = decodeMessage(body);
        if (!once.ok) return;
        const again = decodeMessage(encodeMessage(once.message).subarray(LENGTH_BYTES));
        assert.equal(again, once);
      },
    ),
    { numRuns: 3000 },
  );
});

test('the harness finds a decoder that throws, and one that reserves what it was told to', () => {
  const base = { name: 'bad', samples: [new Uint8Array(8)], maxBytes: 1000, inputMax: 64 };
  const throws: FuzzTarget = {
    ...base,
    feed: (b) => b.length > 4 && new DataView(b.buffer, b.byteOffset, 4).getFloat64(0),
  };
  assert.match(fuzz(throws, 1000, 'x')!.what, /RangeError/);
  const kept: Uint8Array[] = [];
  const reserves: FuzzTarget = { ...base, feed: (b) => void kept.push(new Uint8Array((b[0] ?? 0) << 16)) };
  assert.match(fuzz(reserves, 1000, 'x')!.what, /bytes were allocated/);
});

test('a fuzzer that was stopped for minutes called that a hang: only what its processor did counts', () => {
  const before = processorMs();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);
  assert.ok(processorMs() - before < 300);
});

test.run();
