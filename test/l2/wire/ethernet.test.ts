import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { ConfigError } from '../../../src/core/index.js';
import {
  BROADCAST_MAC,
  decodeEthernet,
  ethernetPayloadAt,
  formatMac,
  isGroupMac,
  isLinkLocalMac,
  parseMac,
  writeEthernet,
} from '../../../src/l2/index.js';
import { suite } from '../../suite.js';
import { hex } from '../oracle.js';

const test = suite('l2/wire/ethernet');
const anyMac = fc.maxSafeNat().map((n) => n % (BROADCAST_MAC + 1));

test('a golden header', () => {
  const b = hex(`
    ff ff ff ff ff ff   # destination: broadcast
    52 54 00 12 34 56   # source
    08 06               # ARP
  `);
  const eth = decodeEthernet(b, 0, b.length);
  assert.equal(eth, {
    ok: true,
    value: { dst: BROADCAST_MAC, src: 0x525400123456, etherType: 0x0806, tci: null, payloadAt: 14 },
  });
  const written = new Uint8Array(14);
  writeEthernet(written, 0, BROADCAST_MAC, 0x525400123456, 0x0806);
  assert.equal(written, b);
});

test('tags are looked through: none, one, two; a third is the payload', () => {
  const macs = '02 00 00 00 00 01  02 00 00 00 00 02';
  const one = hex(`${macs} 81 00 a0 64  08 00`);
  const two = hex(`${macs} 88 a8 00 0a  81 00 00 64  08 00`);
  const three = hex(`${macs} 88 a8 00 0a  81 00 00 64  81 00 00 01  08 00`);
  const read = (b: Uint8Array) => {
    const eth = decodeEthernet(b, 0, b.length);
    return eth.ok ? [eth.value.etherType, eth.value.tci, eth.value.payloadAt] : eth.code;
  };
  assert.equal(read(one), [0x0800, 0xa064, 18]);
  assert.equal(read(two), [0x0800, 0x000a, 22]);
  assert.equal(read(three), [0x8100, 0x000a, 22]);
  assert.is(read(one.subarray(0, 17)), 'truncated');
  assert.is(ethernetPayloadAt(one, 0, 17), -1);
});

test('13 bytes are no header', () => {
  assert.equal(decodeEthernet(new Uint8Array(20), 0, 13), { ok: false, code: 'truncated', at: 13 });
});

test('text and number are the same address', () => {
  assert.is(parseMac('52:54:00:12:34:56'), 0x525400123456);
  assert.is(parseMac('FF-FF-FF-FF-FF-FF'), BROADCAST_MAC);
  assert.is(formatMac(1), '00:00:00:00:00:01');
  fc.assert(fc.property(anyMac, (mac) => parseMac(formatMac(mac)) === mac));
});

test('a bad address is refused with the option, the form and the code', () => {
  for (const bad of [
    '',
    '52:54:00:12:34',
    '52:54:00:12:34:5g',
    '52:54-00:12:34:56',
    '52:54:00:12:34:56:78',
  ]) {
    try {
      parseMac(bad, '--guest-mac');
      assert.unreachable(bad);
    } catch (e) {
      assert.instance(e, ConfigError);
      assert.is((e as ConfigError).code, 'L2_MAC_SYNTAX');
      assert.match((e as ConfigError).line(), /--guest-mac .* like 52:54:00:12:34:56/);
    }
  }
});

test('group and reserved addresses', () => {
  assert.ok(isGroupMac(BROADCAST_MAC));
  assert.ok(isGroupMac(parseMac('01:00:5e:00:00:01')));
  assert.ok(isGroupMac(parseMac('33:33:00:00:00:01')));
  assert.not(isGroupMac(parseMac('52:54:00:00:00:01')));
  assert.not(isGroupMac(parseMac('fe:ff:ff:ff:ff:ff')));
  assert.ok(isLinkLocalMac(parseMac('01:80:c2:00:00:00')));
  assert.ok(isLinkLocalMac(parseMac('01:80:c2:00:00:0f')));
  assert.not(isLinkLocalMac(parseMac('01:80:c2:00:00:10')));
  assert.not(isLinkLocalMac(parseMac('01:80:c1:ff:ff:ff')));
});

test.run();
