import * as assert from 'uvu/assert';
import { nearest } from '../../../src/lab/config/nearest.js';
import { suite } from '../../suite.js';

const test = suite('lab/config/nearest');

test('a slip of the finger finds its word, another word finds none', () => {
  const keys = ['memory', 'fill', 'dirty', 'loss'];
  assert.is(nearest('memroy', keys), 'memory');
  assert.is(nearest('Dirty', keys), 'dirty');
  assert.is(nearest('los', keys), 'loss');
  assert.is(nearest('colour', keys), null);
  assert.is(nearest('', keys), null);
  assert.is(nearest('x', keys), null);
});

test.run();
