import * as assert from 'uvu/assert';
import { ANYWHERE, CaptureFilter, placeOf } from '../../src/capture/index.js';
import { isLonghaulError } from '../../src/core/index.js';
import { arpFrame, udpFrame } from '../../src/l2/index.js';
import { suite } from '../suite.js';

const test = suite('capture/capture-filter');

const [A, B] = [0x020000000001, 0x020000000002];
const [IP_A, IP_B] = [0x0a500001, 0x0a500002];
const UDP = udpFrame(
  { srcMac: A, dstMac: B, srcIp: IP_A, dstIp: IP_B, ipId: 1 },
  1000,
  4789,
  Buffer.from('hello'),
);
const ARP = arpFrame(B, A, { operation: 1, senderMac: A, senderIp: IP_A, targetMac: 0, targetIp: IP_B });
const LEFT = placeOf('left', 'site a: client port, tap', 1);

/** Whether the filter takes a frame that came in at port left of site a. */
function takes(text: string, frame: Uint8Array, dropReason: string | null = null): boolean {
  // Behind other bytes, as a frame lies in a ring.
  const store = new Uint8Array(frame.length + 20);
  store.set(frame, 13);
  return new CaptureFilter(text).matches(LEFT, 'in', dropReason, store, 13, 13 + frame.length);
}

test('each field by itself', () => {
  for (const text of [
    'site a',
    'port left',
    'direction in',
    'mac 02:00:00:00:00:02',
    'mac 02:00:00:00:00:01',
    'ip 10.80.0.1',
    'ip 10.80.0.2',
    'ip 10.80.0.0/30',
    'ip 0.0.0.0/0',
    'proto ip',
    'proto udp',
    'proto 17',
    'proto vxlan',
    'l4 4789',
    'l4 1000',
  ]) {
    assert.ok(takes(text, UDP), text);
    assert.not(takes(`not ${text}`, UDP), `not ${text}`);
  }
  for (const text of [
    'site b',
    'port right',
    'direction out',
    'mac 02:00:00:00:00:03',
    'ip 10.80.0.3',
    'ip 10.80.0.4/30',
    'ip fd00::1',
    'proto arp',
    'proto tcp',
    'proto icmp6',
    'l4 1001',
    'vlan 7',
    'dropped',
  ]) {
    assert.not(takes(text, UDP), text);
  }
});

test('ARP by the addresses in it, frames behind a tag, and what was dropped', () => {
  assert.ok(takes('proto arp and ip 10.80.0.2', ARP));
  assert.not(takes('proto ip', ARP));
  const vlan = new Uint8Array(UDP.length + 4);
  vlan.set(UDP.subarray(0, 12));
  vlan.set([0x81, 0, 0x20, 7], 12);
  vlan.set(UDP.subarray(12), 16);
  assert.ok(takes('vlan 7 and l4 4789', vlan));
  assert.ok(takes('dropped', UDP, 'loss'));
  assert.ok(takes('dropped loss', UDP, 'loss'));
  assert.not(takes('dropped queue-full', UDP, 'loss'));
  assert.ok(takes('(dropped) and proto udp', UDP, 'loss'));
});

test('"and" binds closer than "or", parentheses closest', () => {
  assert.ok(takes('proto udp or proto arp and site b', UDP));
  assert.not(takes('(proto udp or proto arp) and site b', UDP));
  assert.ok(takes('not not proto udp', UDP));
  assert.ok(takes('not (proto arp or site b)', UDP));
});

test('IPv6 behind an extension header, by address and port', () => {
  const frame = new Uint8Array(14 + 40 + 8 + 8);
  frame.set([0x86, 0xdd], 12);
  frame[14] = 0x60;
  frame[20] = 60; // destination options
  frame.set([0xfe, 0x80], 22);
  frame[37] = 1; // source fe80::1
  frame[54] = 17; // next: UDP
  frame.set([0, 53], 62);
  assert.ok(takes('proto ip6 and ip fe80::1 and ip fe80::/10 and proto udp and l4 53', frame));
  assert.not(takes('ip fe80::2', frame));
});

test('cut-off frames match no field that they lost, and never throw', () => {
  for (let length = 0; length < UDP.length; length++) {
    const short = UDP.subarray(0, length);
    assert.is(takes('l4 4789', short), length >= 38, `${length} bytes`);
    takes('mac 02:00:00:00:00:01 or ip 10.80.0.1 or vlan 1', short);
  }
});

test('what is not understood is refused with the word and what was expected', () => {
  for (const [text, word, expected] of [
    ['', 'at its end', 'one of site'],
    ['sight a', '"sight"', 'one of site'],
    ['site c', '"c"', 'a or b'],
    ['ip 10.80.0.256', '"10.80.0.256"', 'an address'],
    ['ip 10.80.0.1/33', '"10.80.0.1/33"', 'an address'],
    ['ip fe80:::1', '"fe80:::1"', 'an address'],
    ['proto tpc', '"tpc"', 'tcp, udp'],
    ['vlan 4095', '"4095"', '0..4094'],
    ['mac 02:00', '"02:00"', 'a MAC address'],
    ['site a site b', '"site"', '"and" or "or"'],
    ['(site a', 'at its end', '")"'],
    ['site a and', 'at its end', 'one of site'],
  ] as const) {
    try {
      new CaptureFilter(text);
      assert.unreachable(text);
    } catch (e) {
      assert.ok(isLonghaulError(e, 'CAPTURE_FILTER'), String(e));
      assert.ok(e.message.includes(word) && e.message.includes(expected), `${text}: ${e.message}`);
    }
  }
});

test('a place without our description has no site', () => {
  assert.is(placeOf('eth0', 'a card', 1).site, null);
  assert.is(placeOf('fiber-b', "site b: the fiber's end", 1).site, 'b');
  assert.ok(new CaptureFilter('not site a').matches(ANYWHERE, null, null, UDP, 0, UDP.length));
});

test.run();
