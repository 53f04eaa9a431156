import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { ConfigError } from '../../../src/core/index.js';
import { parseDirty } from '../../../src/lab/config/dirty-spec.js';
import { suite } from '../../suite.js';

const test = suite('lab/config/dirty-spec');

test('a rate in bytes counts pages of 4096', () => {
  assert.equal(parseDirty('uniform:50MB/s', '--dirty'), { model: 'uniform', pagesPerS: 50e6 / 4096 });
  assert.equal(parseDirty('sweep:12800pages/s', '--dirty'), { model: 'sweep', pagesPerS: 12_800 });
  assert.equal(parseDirty('zipf:0.5GB/s', '--dirty'), { model: 'zipf', pagesPerS: 0.5e9 / 4096 });
  assert.equal(parseDirty('Uniform: 4MiB/s', '--dirty'), { model: 'uniform', pagesPerS: 1024 });
  assert.equal(parseDirty('uniform', '--dirty'), parseDirty('uniform:50MB/s', '--dirty'));
  assert.equal(parseDirty('idle', '--dirty'), { model: 'idle', pagesPerS: 0 });
});

function line(text: string): string {
  try {
    parseDirty(text, '--dirty');
  } catch (e) {
    assert.instance(e, ConfigError);
    return (e as ConfigError).line();
  }
  throw new Error(`${text} was accepted`);
}

test('a refusal names the option, the models or the range, and the remedy', () => {
  assert.is(
    line('unifrom:50MB/s'),
    'LAB_DIRTY_MODEL: --dirty "unifrom:50MB/s" names no dirty model; the models are idle, sweep, uniform, zipf; did you mean uniform?',
  );
  assert.match(line('idle:5MB/s'), 'write idle alone');
  for (const bad of [
    'uniform:50MB',
    'uniform:fast',
    'uniform:-1MB/s',
    'uniform:21GB/s',
    'sweep:9e9pages/s',
    'zipf:1MB/s:2',
  ]) {
    assert.match(line(bad), '0..20GB/s');
  }
});

test('any text is a model with a rate or a ConfigError', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((s) => `zipf:${s}`),
      ),
      (text) => {
        try {
          return parseDirty(text, '--dirty').pagesPerS >= 0;
        } catch (e) {
          return e instanceof ConfigError;
        }
      },
    ),
  );
});

test.run();
