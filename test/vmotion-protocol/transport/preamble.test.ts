import * as assert from 'uvu/assert';
import {
  decodePreamble,
  encodePreamble,
  isLaterAttempt,
} from '../../../src/vmotion-protocol/transport/index.js';
import { suite } from '../../suite.js';

const test = suite('vmotion-protocol/transport/preamble');
const ID = Uint8Array.from({ length: 16 }, (_, i) => i);

test('golden bytes', () => {
  const bytes = encodePreamble({ kind: 'pages', stream: 3, attempt: 0x0102, migrationId: ID });
  // 'LHVM', kind 2, stream 3, attempt big-endian, the migration's name
  assert.is(Buffer.from(bytes).toString('hex'), '4c48564d02030102000102030405060708090a0b0c0d0e0f');
  assert.equal(decodePreamble(bytes), { kind: 'pages', stream: 3, attempt: 0x0102, migrationId: ID });
});

test('what is not a preamble is none: another magic, kind, stream, or cut short', () => {
  const good = encodePreamble({ kind: 'control', stream: 0, attempt: 0, migrationId: ID });
  for (const [at, value] of [
    [0, 0],
    [4, 0],
    [4, 9],
    [5, 16],
  ] as const) {
    const bad = good.slice();
    bad[at] = value;
    assert.is(decodePreamble(bad), null);
  }
  assert.is(decodePreamble(good.subarray(0, 23)), null);
});

test('attempts are told apart beyond 65,535 as well', () => {
  assert.is(isLaterAttempt(1, 0), true);
  assert.is(isLaterAttempt(0, 0), false);
  assert.is(isLaterAttempt(0, 1), false);
  assert.is(isLaterAttempt(0, 0xffff), true);
  assert.is(isLaterAttempt(0xffff, 0), false);
});

test.run();
