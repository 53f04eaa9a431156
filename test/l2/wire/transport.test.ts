import fc from 'fast-check';
import * as assert from 'uvu/assert';
import {
  decodeIcmp,
  decodeTcp,
  decodeUdp,
  describeFrame,
  echoCodec,
  echoMessage,
  formatTcpFlags,
  gratuitousArpRequest,
  parseIpv4,
  parseMac,
  rarpAnnouncement,
  udpFrame,
} from '../../../src/l2/index.js';
import { suite } from '../../suite.js';
import { dissect, hex } from '../oracle.js';

const test = suite('l2/wire/icmp, udp, tcp, datagram, describe');

const A = parseIpv4('10.0.0.1');
const B = parseIpv4('10.0.0.2');
const link = {
  srcMac: parseMac('52:54:00:00:00:01'),
  dstMac: parseMac('52:54:00:00:00:02'),
  srcIp: A,
  dstIp: B,
  ipId: 1,
};
const text = (s: string): Uint8Array => new TextEncoder().encode(s);
const anyPayload = fc.uint8Array({ maxLength: 300 });

test('a golden UDP frame', () => {
  assert.equal(
    udpFrame(link, 4000, 5000, text('ping')),
    hex(`
      52 54 00 00 00 02  52 54 00 00 00 01  08 00
      45 00 00 20 00 01 40 00 40 11 26 ca 0a 00 00 01 0a 00 00 02
      0f a0  13 88        # ports 4000, 5000
      00 0c               # 12 bytes
      e9 da               # checksum
      70 69 6e 67         # "ping"
      00 00 00 00 00 00 00 00 00 00 00 00 00 00   # padding to 60
    `),
  );
});

test('any UDP frame convinces the independent judge and is read back', () => {
  fc.assert(
    fc.property(anyPayload, fc.nat(0xffff), fc.nat(0xffff), (payload, from, to) => {
      const b = udpFrame(link, from, to, payload);
      assert.equal(dissect(b.subarray(0, 42 + payload.length)).payload, payload);
      const udp = decodeUdp(b, 34, 42 + payload.length, A, B);
      assert.ok(udp.ok && udp.value.srcPort === from && udp.value.dstPort === to);
    }),
  );
});

test('one flipped bit anywhere in a UDP datagram is refused', () => {
  const b = udpFrame(link, 4000, 5000, text('ping pong'));
  const end = 42 + 9;
  for (let bit = 34 * 8; bit < end * 8; bit++) {
    b[bit >> 3]! ^= 1 << (bit & 7);
    assert.not(decodeUdp(b, 34, end, A, B).ok, `bit ${bit}`);
    b[bit >> 3]! ^= 1 << (bit & 7);
  }
  assert.equal(
    decodeUdp(b, 34, end, A, B + 1),
    { ok: false, code: 'checksum', at: 40 },
    'the pseudo-header counts',
  );
});

test('a UDP checksum of zero means there is none; a computed zero goes out as ones', () => {
  const b = udpFrame(link, 4000, 5000, text('ping'));
  b[40] = 0;
  b[41] = 0;
  assert.ok(decodeUdp(b, 34, 46, A, B).ok);
  // A payload equal to the checksum of the datagram with two zero bytes makes the sum come out as 0xffff.
  const zeros = udpFrame(link, 4000, 5000, new Uint8Array(2));
  const mangled = udpFrame(link, 4000, 5000, zeros.subarray(40, 42));
  assert.equal(mangled.subarray(40, 42), hex('ff ff'));
  assert.ok(decodeUdp(mangled, 34, 44, A, B).ok);
});

test('a golden echo request', () => {
  const golden = hex(`
    08 00  21 62   # echo request, checksum
    12 34  00 07   # identifier, sequence
    61 62 63       # "abc": an odd length
  `);
  const echo = { kind: 'echo-request', id: 0x1234, seq: 7, payload: text('abc') } as const;
  assert.equal(echoMessage(echo), golden);
  const read = decodeIcmp(golden, 0, golden.length);
  assert.equal(read, {
    ok: true,
    value: { kind: 'echo-request', id: 0x1234, seq: 7, payloadAt: 8, payloadEnd: 11 },
  });
  golden[10]! ^= 1;
  assert.equal(decodeIcmp(golden, 0, golden.length), { ok: false, code: 'checksum', at: 2 });
  assert.equal(decodeIcmp(golden, 0, 7), { ok: false, code: 'truncated', at: 7 });
});

test('echo frames: decode ∘ encode is the identity, padding stays outside', () => {
  fc.assert(
    fc.property(anyPayload, fc.nat(0xffff), fc.nat(0xffff), fc.boolean(), (payload, id, seq, request) => {
      const echo = { kind: request ? 'echo-request' : 'echo-reply', id, seq, payload } as const;
      const read = echoCodec.decode(echoCodec.encode(link, echo));
      assert.equal(read, { ok: true, value: { ...link, ...echo } });
    }),
  );
  assert.equal(echoCodec.decode(udpFrame(link, 1, 2, text('x'))), { ok: false, code: 'not-an-echo', at: 14 });
});

test('destination unreachable names the datagram that was not delivered', () => {
  const lost = udpFrame(link, 4000, 5000, text('ping')).subarray(14, 42);
  const message = new Uint8Array(8 + 28);
  message.set(hex('03 03 00 00 00 00 00 00'));
  message.set(lost, 8);
  const sum = echoMessage({ kind: 'echo-reply', id: 0, seq: 0, payload: lost }); // same bytes but type and code
  const check = ((sum[2]! << 8) | sum[3]!) - 0x0303;
  message[2] = check >> 8;
  message[3] = check;
  assert.equal(decodeIcmp(message, 0, message.length), {
    ok: true,
    value: {
      kind: 'unreachable',
      code: 3,
      nextHopMtu: 0,
      original: { protocol: 17, src: A, dst: B, srcPort: 4000, dstPort: 5000 },
    },
  });
});

test('a TCP header and its flags', () => {
  const b = hex(`
    0f a0 13 88  00 00 00 01  11 22 33 44   # ports, sequence, acknowledgement
    60 12  01 f6  00 00  00 00              # 24 bytes, SYN ACK, window 502
    02 04 05 b4                             # an option
    aa
  `);
  const tcp = decodeTcp(b, 0, b.length);
  assert.equal(tcp, {
    ok: true,
    value: { srcPort: 4000, dstPort: 5000, seq: 1, ack: 0x11223344, flags: 0x12, window: 502, payloadAt: 24 },
  });
  assert.is(formatTcpFlags(0x12), 'SA');
  assert.is(formatTcpFlags(0), '.');
  assert.equal(decodeTcp(b, 0, 23), { ok: false, code: 'data-offset', at: 12 });
  assert.equal(decodeTcp(b, 0, 19), { ok: false, code: 'truncated', at: 19 });
});

test('one line per frame', () => {
  const mac = parseMac('52:54:00:00:00:01');
  const ends = (b: Uint8Array): string => describeFrame(b).replace(/^.*length \d+: /, '');
  assert.is(
    describeFrame(udpFrame(link, 4000, 5000, text('ping'))),
    '52:54:00:00:00:01 > 52:54:00:00:00:02, length 60: IP 10.0.0.1.4000 > 10.0.0.2.5000: UDP, length 4',
  );
  assert.is(ends(rarpAnnouncement(mac)), 'RARP who-is 52:54:00:00:00:01 tell 52:54:00:00:00:01');
  assert.is(ends(gratuitousArpRequest(mac, A)), 'ARP who-has 10.0.0.1 tell 10.0.0.1 (gratuitous)');
  const echo = echoCodec.encode(link, { kind: 'echo-request', id: 5, seq: 9, payload: text('abc') });
  assert.is(ends(echo), 'IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 5, seq 9, length 11');
  echo[24]! ^= 1;
  assert.is(ends(echo), 'IP [checksum]');
  assert.is(describeFrame(new Uint8Array(3)), '[runt], length 3');
  assert.match(describeFrame(hex('02 00 00 00 00 01 02 00 00 00 00 02 81 00 00 64 88 cc')), 'vlan 100');
});

test.run();
