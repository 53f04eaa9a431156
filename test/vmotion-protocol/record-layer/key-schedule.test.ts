import { hkdfSync } from 'node:crypto';
import * as assert from 'uvu/assert';
import { expandLabel, TrafficKey } from '../../../src/vmotion-protocol/index.js';
import { hkdfExpand } from '../../../src/vmotion-protocol/record-layer/key-schedule.js';
import { openRecordSuite } from '../../../src/vmotion-protocol/transport/index.js';
import { suite } from '../../suite.js';

const test = suite('vmotion-protocol/record-layer/key-schedule');
const crypto = openRecordSuite();
const hex = (b: Uint8Array): string => Buffer.from(b).toString('hex');

test('HKDF-Expand gives the output of RFC 5869, A.1', () => {
  const prk = Buffer.from('077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5', 'hex');
  const info = Buffer.from('f0f1f2f3f4f5f6f7f8f9', 'hex');
  assert.is(
    hex(hkdfExpand(crypto, prk, info, 42)),
    '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
  );
});

test('a label is length, prefix and name, context: as RFC 8446 lays it out', () => {
  const secret = new Uint8Array(32).fill(7);
  const info = Buffer.concat([
    Buffer.from([0x00, 0x20]), // 32 bytes wanted
    Buffer.from([14]),
    Buffer.from('longhaul 1 key'),
    Buffer.from([2, 0xaa, 0xbb]), // the context
  ]);
  const byOurs = expandLabel(crypto, secret, 'key', new Uint8Array([0xaa, 0xbb]));
  assert.equal(byOurs, hkdfExpand(crypto, secret, info, 32));
  // node's HKDF extracts first: with the extracted key given it would differ, so the RFC's vector above is the anchor.
  assert.is.not(hex(byOurs), hex(new Uint8Array(hkdfSync('sha256', secret, '', info, 32))));
});

test('a nonce is the salt xor the number, and its first four bytes are the salt’s', () => {
  const traffic = new TrafficKey(crypto, new Uint8Array(32).fill(9));
  traffic.setNumber(0);
  const salt = traffic.nonce.bytes.slice(0, 12);
  for (const number of [1, 255, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 3, Number.MAX_SAFE_INTEGER]) {
    traffic.setNumber(number);
    let differs = 0n;
    for (let i = 0; i < 12; i++) differs = (differs << 8n) | BigInt(traffic.nonce.bytes[i]! ^ salt[i]!);
    assert.is(differs, BigInt(number));
  }
});

test('phases: each has its key and salt, the successor is the next one, the 256th has phase 0 again', () => {
  const traffic = new TrafficKey(crypto, new Uint8Array(32).fill(1));
  const keys = new Set<string>();
  for (let i = 0; i < 256; i++) {
    assert.is(traffic.phase, i);
    keys.add(hex(traffic.key()));
    const next = traffic.successor();
    assert.is(traffic.phase, i, 'looking ahead leaves the present');
    traffic.advance();
    assert.equal(next.key(), traffic.key());
    assert.is(next.phase, traffic.phase);
  }
  assert.is(traffic.phase, 0);
  assert.is(keys.size, 256);
});

test.run();
