import fc from 'fast-check';
import * as assert from 'uvu/assert';
import {
  ConfigError,
  parseDistance,
  parseDuration,
  parseProbability,
  parseRate,
  parseSize,
} from '../../src/core/index.js';
import { suite } from '../suite.js';

const test = suite('core/units');

function refusal(body: () => unknown): ConfigError {
  try {
    body();
  } catch (e) {
    assert.instance(e, ConfigError);
    return e as ConfigError;
  }
  throw new Error('was accepted');
}

test('quantities in their base unit', () => {
  assert.is(parseDistance('80km', '--distance'), 80_000);
  assert.is(parseDistance('50 mi', '--distance'), 80_467.2);
  assert.is(parseDuration('400us', '--one-way'), 400_000);
  assert.is(parseDuration('0.4ms', '--one-way'), 400_000);
  assert.is(parseDuration('1.5m', '--limit'), 90_000_000_000);
  assert.is(parseRate('10Gbit', '--rate'), 10e9);
  assert.is(parseRate('250Mbit/s', '--rate'), 250e6);
  assert.is(parseRate('unlimited', '--rate'), Number.POSITIVE_INFINITY);
  assert.is(parseSize('256MiB', '--memory'), 268_435_456);
  assert.is(parseSize('64KB', '--memory'), 64_000);
  assert.is(parseProbability('0.01%', '--loss'), 0.0001);
  assert.is(parseProbability('1e-3', '--loss'), 0.001);
});

test('a refusal names the option, what is allowed and the remedy', () => {
  const loss = refusal(() => parseProbability('1.5', '--loss'));
  assert.is(loss.code, 'CORE_UNIT_RANGE');
  assert.match(loss.line(), '--loss 1.5 is outside 0..1');
  assert.match(loss.line(), 'write 1.5%');
  const distance = refusal(() => parseDistance('80', '--distance'));
  assert.match(distance.line(), '--distance "80" is not a distance');
  assert.match(distance.line(), '80km');
  const range = { min: 2 ** 20, max: 2 ** 32, text: '1MiB..4GiB' };
  assert.match(refusal(() => parseSize('1KiB', '--memory', range)).line(), '1MiB..4GiB');
  for (const bad of ['', '-1km', 'NaNkm', '1e999km', 'km', '8 0km', '80 furlongs']) {
    refusal(() => parseDistance(bad, '--distance'));
  }
});

test('any text is either a number or a ConfigError', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        const v = parseSize(text, '--memory');
        return Number.isInteger(v) && v >= 0;
      } catch (e) {
        return e instanceof ConfigError;
      }
    }),
  );
});

test.run();
