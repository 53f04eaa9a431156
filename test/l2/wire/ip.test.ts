import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { ConfigError } from '../../../src/core/index.js';
import {
  decodeIpv4,
  decodeIpv6,
  formatIpv4,
  formatIpv6,
  ipv6TransportAt,
  parseIpv4,
  parseMac,
  unsolicitedAdvertisement,
  writeIpv4,
} from '../../../src/l2/index.js';
import { suite } from '../../suite.js';
import { hex } from '../oracle.js';

const test = suite('l2/wire/ipv4, ipv6, ndp');

const GOLDEN_V4 = hex(`
  45 00         # version 4, 5 words, no ToS
  00 20         # 32 bytes in all
  00 01         # identification
  40 00         # don't fragment
  40 11         # TTL 64, UDP
  26 ca         # checksum
  0a 00 00 01   # from 10.0.0.1
  0a 00 00 02   # to 10.0.0.2
`);

test('a golden IPv4 header', () => {
  const b = new Uint8Array(36);
  writeIpv4(b, 2, parseIpv4('10.0.0.1'), parseIpv4('10.0.0.2'), 17, 1, 12);
  assert.equal(b.subarray(2, 22), GOLDEN_V4);
  assert.equal(decodeIpv4(b, 2, b.length), {
    ok: true,
    value: {
      id: 1,
      fragment: false,
      ttl: 64,
      protocol: 17,
      src: 0x0a000001,
      dst: 0x0a000002,
      payloadAt: 22,
      payloadEnd: 34, // two bytes of padding stay outside
    },
  });
});

test('each way an IPv4 header can be wrong', () => {
  const with_ = (at: number, value: number): Uint8Array => {
    const b = new Uint8Array(32);
    b.set(GOLDEN_V4);
    b[at] = value;
    return b;
  };
  assert.equal(decodeIpv4(with_(0, 0x45), 0, 19), { ok: false, code: 'truncated', at: 19 });
  assert.equal(decodeIpv4(with_(0, 0x65), 0, 32), { ok: false, code: 'version', at: 0 });
  assert.equal(decodeIpv4(with_(0, 0x44), 0, 32), { ok: false, code: 'header-length', at: 0 });
  assert.equal(decodeIpv4(with_(0, 0x4f), 0, 32), { ok: false, code: 'header-length', at: 0 });
  assert.equal(decodeIpv4(with_(3, 0x13), 0, 32), { ok: false, code: 'total-length', at: 2 });
  assert.equal(decodeIpv4(with_(3, 0x21), 0, 32), { ok: false, code: 'total-length', at: 2 });
  assert.equal(decodeIpv4(with_(8, 0x3f), 0, 32), { ok: false, code: 'checksum', at: 10 });
});

test('first, middle and last fragments are fragments, an unfragmented datagram is none', () => {
  for (const [field, fragment] of [
    [0x4000, false],
    [0x0000, false],
    [0x2000, true],
    [0x2001, true],
    [0x0001, true],
  ] as const) {
    const b = new Uint8Array(32);
    b.set(GOLDEN_V4);
    b[6] = field >> 8;
    b[7] = field & 255;
    // The header sums to 0xffff: what the flags lose, the checksum gains.
    const check = 0x26ca + 0x4000 - field;
    b[10] = check >> 8;
    b[11] = check;
    const ip = decodeIpv4(b, 0, 32);
    assert.ok(ip.ok && ip.value.fragment === fragment, `flags and offset 0x${field.toString(16)}`);
  }
});

test('IPv4 addresses as text', () => {
  assert.is(parseIpv4('255.255.255.255'), 0xffff_ffff);
  fc.assert(fc.property(fc.nat(0xffff_ffff), (ip) => parseIpv4(formatIpv4(ip)) === ip));
  for (const bad of ['', '10.0.0', '10.0.0.256', '10.0.0.01', '10.0.0.1.2', ' 10.0.0.1', '0x0a.0.0.1']) {
    try {
      parseIpv4(bad, '--ip');
      assert.unreachable(bad);
    } catch (e) {
      assert.instance(e, ConfigError);
      assert.is((e as ConfigError).code, 'L2_IPV4_SYNTAX');
    }
  }
});

const ADDRESSES = 'fe80 0000 0000 0000 0000 0000 0000 0001  fe80 0000 0000 0000 0000 0000 0000 0002';

test('extension headers are walked to the transport', () => {
  const b = hex(`
    60 00 00 00  00 1c  00  40      # version, 28 bytes behind, hop-by-hop next, hop limit 64
    ${ADDRESSES}
    3c 00 01 04 00 00 00 00         # hop-by-hop: 8 bytes, destination options next
    11 00 01 04 00 00 00 00         # destination options: 8 bytes, UDP next
    0f a0 13 88 00 0c 00 00  70 69 6e 67   # UDP
  `);
  assert.is(ipv6TransportAt(b, 0, b.length, 17), 56);
  assert.is(ipv6TransportAt(b, 0, b.length, 6), -1, 'the chain does not end in TCP');
  assert.is(ipv6TransportAt(b, 0, 55, 17), -1, 'the chain runs past the end');
  const ip = decodeIpv6(b, 0, b.length);
  assert.ok(ip.ok && ip.value.protocol === 17 && ip.value.payloadAt === 56 && ip.value.payloadEnd === 68);
});

test('a routing header is looked through only when no segment is left', () => {
  const packet = (left: string): Uint8Array =>
    hex(`60 00 00 00 00 08 2b 40 ${ADDRESSES}  06 00 00 ${left} 00 00 00 00`);
  assert.is(ipv6TransportAt(packet('00'), 0, 48, 6), 48);
  assert.is(ipv6TransportAt(packet('01'), 0, 48, 6), -1);
  assert.equal(decodeIpv6(packet('01'), 0, 48), { ok: false, code: 'extension', at: 6 });
});

test('an endless chain of extensions ends', () => {
  const b = new Uint8Array(40 + 8 * 100);
  b.set(hex(`60 00 00 00 03 20 00 40 ${ADDRESSES}`)); // hop-by-hop whose next header is hop-by-hop …
  assert.equal(decodeIpv6(b, 0, b.length), { ok: false, code: 'extension', at: 6 });
});

test('IPv6 text shortens the first longest run of zeros, and no single group', () => {
  const text = (groups: string): string => formatIpv6(hex(groups), 0);
  assert.is(text('fe80 0000 0000 0000 5054 00ff fe00 0001'), 'fe80::5054:ff:fe00:1');
  assert.is(text('0000 0000 0000 0000 0000 0000 0000 0000'), '::');
  assert.is(text('0000 0000 0000 0000 0000 0000 0000 0001'), '::1');
  assert.is(text('2001 0db8 0000 0001 0001 0001 0001 0001'), '2001:db8:0:1:1:1:1:1');
  assert.is(text('2001 0000 0000 0001 0000 0000 0000 0001'), '2001:0:0:1::1');
  assert.is(text('2001 0db8 0000 0000 0001 0000 0000 0001'), '2001:db8::1:0:0:1');
});

test('a golden unsolicited neighbour advertisement', () => {
  const ip = hex('fe80 0000 0000 0000 5054 00ff fe00 0001');
  assert.equal(
    unsolicitedAdvertisement(parseMac('52:54:00:00:00:01'), ip),
    hex(`
      33 33 00 00 00 01  52 54 00 00 00 01  86 dd       # to all nodes, IPv6
      60 00 00 00  00 20  3a  ff                        # 32 bytes of ICMPv6, hop limit 255
      fe 80 00 00 00 00 00 00 50 54 00 ff fe 00 00 01   # from the guest
      ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 01   # to ff02::1
      88 00  68 9e                                      # neighbour advertisement, checksum
      20 00 00 00                                       # override
      fe 80 00 00 00 00 00 00 50 54 00 ff fe 00 00 01   # target
      02 01  52 54 00 00 00 01                          # option: target's MAC
    `),
  );
});

test.run();
