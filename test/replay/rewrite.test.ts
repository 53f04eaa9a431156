import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { frameOf, isLonghaulError } from '../../src/core/index.js';
import {
  arpFrame,
  BROADCAST_MAC,
  checksum,
  decodeArp,
  decodeIpv4,
  neighbourSolicitation,
  parseIpv4,
  parseMac,
  pseudoHeaderSumV4,
  pseudoHeaderSumV6,
  tagsOf,
  udpFrame,
} from '../../src/l2/index.js';
import {
  NO_REWRITE,
  parseIpRule,
  parseMacRule,
  parseVlanRule,
  type RewriteRules,
  Rewriter,
} from '../../src/replay/rewrite.js';
import { suite } from '../suite.js';

const test = suite('replay/rewrite');

const A = { srcMac: parseMac('02:00:00:00:00:01'), dstMac: parseMac('02:00:00:00:00:02') };
const udp = (bytes: Uint8Array, srcIp = parseIpv4('10.0.0.1'), dstIp = parseIpv4('10.0.0.2')): Uint8Array =>
  udpFrame({ ...A, srcIp, dstIp, ipId: 7 }, 4000, 5000, bytes);
const rewriter = (rules: Partial<RewriteRules>): Rewriter => new Rewriter({ ...NO_REWRITE, ...rules });
const hex = (b: Uint8Array): string => Buffer.from(b).toString('hex');

/** Whether the UDP checksum of an untagged IPv4 frame is right. */
function udpIsRight(b: Uint8Array): boolean {
  const ip = decodeIpv4(b, 14, b.length);
  if (!ip.ok) return false;
  const { src, dst, payloadAt, payloadEnd } = ip.value;
  return checksum(b, payloadAt, payloadEnd, pseudoHeaderSumV4(src, dst, 17, payloadEnd - payloadAt)) === 0;
}

test('golden: another network and other MAC addresses, both checksums mended', () => {
  const before = udp(Uint8Array.of(1, 2, 3, 4));
  assert.is(
    hex(before).slice(0, 92),
    '020000000002' +
      '020000000001' +
      '0800' + // Ethernet
      '45000020' +
      '00074000' +
      '4011' +
      '26c4' +
      '0a000001' +
      '0a000002' + // IPv4, header checksum 26c4
      '0fa01388' +
      '000c' +
      'c4a5' +
      '01020304', // UDP, checksum c4a5
  );
  const after = rewriter({
    macs: new Map([parseMacRule('02:00:00:00:00:01=02:4c:48:00:00:09')]),
    ips: [parseIpRule('10.0.0.0/24=192.168.7.0/24')],
  }).apply(new Uint8Array(before), 0);
  assert.is(
    hex(after).slice(0, 92),
    '020000000002' +
      '024c48000009' +
      '0800' +
      '45000020' +
      '00074000' +
      '4011' +
      'ab72' +
      'c0a80701' +
      'c0a80702' +
      '0fa01388' +
      '000c' +
      '4954' +
      '01020304',
  );
  assert.ok(udpIsRight(after));
});

test('whatever the addresses and the bytes, right checksums stay right and wrong ones wrong', () => {
  const u32 = fc.integer({ min: 0x0100_0000, max: 0xdfff_ffff });
  fc.assert(
    fc.property(
      u32,
      u32,
      u32,
      fc.uint8Array({ maxLength: 40 }),
      fc.boolean(),
      (src, dst, to, bytes, spoil) => {
        const rule = parseIpRule(`${text(src)}=${text(to)}`);
        const frame = udp(bytes, src, dst);
        if (spoil) frame[40] = frame[40]! ^ 0x55;
        const after = rewriter({ ips: [rule] }).apply(frame, 0);
        const ip = decodeIpv4(after, 14, after.length);
        if (!ip.ok || ip.value.src !== to) return false;
        return udpIsRight(after) === !spoil;
      },
    ),
  );
});

function text(ip: number): string {
  return `${ip >>> 24}.${(ip >>> 16) & 255}.${(ip >>> 8) & 255}.${ip & 255}`;
}

test('UDP without a checksum keeps none; a later fragment has none', () => {
  const rules = { ips: [parseIpRule('10.0.0.1=10.9.9.9')] };
  const none = udp(Uint8Array.of(9));
  none[40] = none[41] = 0;
  assert.equal([...rewriter(rules).apply(none, 0).subarray(40, 42)], [0, 0]);
  const fragment = udp(Uint8Array.of(9, 9, 9));
  fragment[20] = 0x00;
  fragment[21] = 0x10; // offset 128: no transport header here
  const payload = hex(fragment.subarray(34));
  assert.is(hex(rewriter(rules).apply(fragment, 0).subarray(34)), payload);
});

test('ARP tells the new addresses too', () => {
  const mac = parseMac('02:00:00:00:00:01');
  const ask = arpFrame(BROADCAST_MAC, mac, {
    operation: 1,
    senderMac: mac,
    senderIp: parseIpv4('10.0.0.1'),
    targetMac: 0,
    targetIp: parseIpv4('10.0.0.2'),
  });
  const after = rewriter({
    macs: new Map([parseMacRule('02:00:00:00:00:01=02:4c:48:00:00:09')]),
    ips: [parseIpRule('10.0.0.0/8=172.0.0.0/8')],
  }).apply(ask, 0);
  const arp = decodeArp(after, 14, after.length);
  assert.ok(arp.ok);
  assert.equal(arp.ok && arp.value, {
    operation: 1,
    senderMac: parseMac('02:4c:48:00:00:09'),
    senderIp: parseIpv4('172.0.0.1'),
    targetMac: 0,
    targetIp: parseIpv4('172.0.0.2'),
  });
  assert.is(hex(after.subarray(0, 6)), 'ffffffffffff');
});

test('IPv6: the checksum of what it carries is mended', () => {
  const from = Uint8Array.from(Buffer.from('20010db8000000000000000000000001', 'hex'));
  const target = Uint8Array.from(Buffer.from('20010db8000000000000000000000002', 'hex'));
  const frame = neighbourSolicitation(parseMac('02:00:00:00:00:01'), from, target);
  const after = rewriter({ ips: [parseIpRule('2001:db8::/32=2001:db9:1234::/32')] }).apply(frame, 0);
  assert.is(hex(after.subarray(22, 38)), '20010db9000000000000000000000001');
  assert.is(checksum(after, 54, after.length, pseudoHeaderSumV6(after, 22, 58, after.length - 54)), 0);
});

test('VLAN: another number keeps the priority; a tag goes, one comes', () => {
  const tagged = rewriter({ vlans: [parseVlanRule('none=10')] }).apply(udp(new Uint8Array(4)), 0);
  assert.equal(
    tagsOf(tagged, 0, tagged.length).map((t) => t.vid),
    [10],
  );
  tagged[14] = tagged[14]! | 0xa0;
  const moved = rewriter({ vlans: [parseVlanRule('10=300')] }).apply(new Uint8Array(tagged), 0);
  assert.is(hex(moved.subarray(12, 16)), '8100a12c');
  const bare = rewriter({ vlans: [parseVlanRule('300=none')] }).apply(moved, 0);
  assert.is(hex(bare), hex(udp(new Uint8Array(4))));
});

test('each loop has addresses of its own, and right checksums', () => {
  const r = rewriter({ perLoop: true });
  const seen = new Set<string>();
  for (let loop = 0; loop < 300; loop++) {
    const frame = r.apply(udp(Uint8Array.of(1)), loop);
    assert.ok(udpIsRight(frame), `loop ${loop}`);
    seen.add(hex(frame.subarray(0, 12)) + hex(frame.subarray(26, 34)));
  }
  assert.is(seen.size, 300);
  assert.is(hex(r.apply(udp(Uint8Array.of(1)), 0)), hex(udp(Uint8Array.of(1))), 'the first is as captured');
});

test('rules that are none are refused', () => {
  const refused = (make: () => unknown): void =>
    assert.throws(make, (e: unknown) => isLonghaulError(e, 'REPLAY_REWRITE') && e.hint !== undefined);
  for (const rule of [
    '10.0.0.1',
    '10.0.0.0/24=10.1.0.0/16',
    '10.0.0.1=2001:db8::1',
    '10.0.0.0/33=10.0.0.0/33',
  ]) {
    refused(() => parseIpRule(rule));
  }
  for (const rule of ['10', '10=5000', 'x=1']) refused(() => parseVlanRule(rule));
  refused(() => parseMacRule('02:00:00:00:00:01'));
});

test('random bytes never throw', () => {
  const r = rewriter({
    ips: [parseIpRule('0.0.0.0/0=1.0.0.0/0')],
    perLoop: true,
    vlans: [parseVlanRule('none=1')],
  });
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 80 }),
      fc.constantFrom(0x0800, 0x86dd, 0x0806, 0x8100),
      (bytes, type) => {
        if (bytes.length > 14)
          [bytes[12], bytes[13], bytes[14]] = [type >> 8, type & 255, type === 0x86dd ? 0x60 : 0x45];
        r.apply(bytes, 3);
        return frameOf(bytes).length === bytes.length;
      },
    ),
  );
});

test.run();
