import * as assert from 'uvu/assert';
import { EnvironmentError } from '../../src/core/index.js';
import { checkMode } from '../../src/lab/mode-choice.js';
import { suite } from '../suite.js';

const test = suite('lab/mode-choice');

test('without userfaultfd post-copy is refused, and hybrid becomes pre-copy and says so', () => {
  assert.throws(
    () => checkMode('postcopy', false),
    (e: unknown) => e instanceof EnvironmentError && e.code === 'LAB_NO_POSTCOPY',
  );
  assert.match(checkMode('hybrid', false)!, 'hybrid becomes pre-copy');
  assert.is(checkMode('precopy', false), null);
});

test('with it every mode is as asked', () => {
  for (const mode of ['precopy', 'postcopy', 'hybrid'] as const) assert.is(checkMode(mode, true), null);
});

test.run();
