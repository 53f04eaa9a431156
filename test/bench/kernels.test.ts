import * as assert from 'uvu/assert';
import { KERNELS } from '../../bench/kernels/kernels.js';
import { MESSAGES } from '../../bench/kernels/messages.js';
import { decodeMessage, encodeMessage, LENGTH_BYTES } from '../../src/vmotion-protocol/index.js';
import { suite } from '../suite.js';

const test = suite('bench/kernels');

test('every kernel runs, under a name of its own', () => {
  assert.is(new Set(KERNELS.map((k) => k.name)).size, KERNELS.length);
  for (const { name, ready } of KERNELS) {
    assert.match(name, /^[\w.]+$/);
    const timed = ready();
    for (let i = 0; timed !== null && i < 3; i++) timed();
  }
});

test('the messages that are timed are right ones', () => {
  for (const message of MESSAGES)
    assert.ok(decodeMessage(encodeMessage(message).subarray(LENGTH_BYTES)).ok, message.type);
});

test.run();
