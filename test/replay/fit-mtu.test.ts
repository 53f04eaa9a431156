import * as assert from 'uvu/assert';
import { LINK_RAW_IP } from '../../src/capture/index.js';
import {
  checksum,
  decodeIpv4,
  decodeTcp,
  newFrameBytes,
  pseudoHeaderSumV4,
  udpFrame,
  writeEthernet,
  writeIpv4,
} from '../../src/l2/index.js';
import { filledUp, fits, segmentsOf } from '../../src/replay/fit-mtu.js';
import { frameHash } from '../../src/replay/frame-hash.js';
import { toEthernet } from '../../src/replay/link-layer.js';
import { suite } from '../suite.js';

const test = suite('replay/fit-mtu');

/** A TCP super-frame as a capture on the sending host shows it: one header, its checksum not finished. */
function superFrame(payloadBytes: number): Uint8Array {
  const b = newFrameBytes(54 + payloadBytes);
  writeEthernet(b, 0, 0x020000000002, 0x020000000001, 0x0800);
  writeIpv4(b, 14, 0x0a000001, 0x0a000002, 6, 100, 20 + payloadBytes);
  const view = new DataView(b.buffer);
  view.setUint32(38, 5000);
  b[46] = 0x50;
  b[47] = 0x19; // FIN, PSH, ACK
  for (let i = 0; i < payloadBytes; i++) b[54 + i] = i % 251;
  return b;
}

test('a super-frame is cut as a card cuts it: sequence numbers, flags, checksums', () => {
  const segments = segmentsOf(superFrame(4000), 1500)!;
  assert.equal(
    segments.map((s) => s.length),
    [1514, 1514, 1134],
  );
  let payload: number[] = [];
  for (const [i, s] of segments.entries()) {
    assert.ok(fits(s, 1500));
    const ip = decodeIpv4(s, 14, s.length);
    assert.ok(ip.ok);
    const tcp = decodeTcp(s, 34, s.length);
    assert.ok(tcp.ok && tcp.value.seq === 5000 + i * 1460);
    assert.is(s[47], i === 2 ? 0x19 : 0x10, 'FIN and PSH only with the last');
    assert.is(checksum(s, 34, s.length, pseudoHeaderSumV4(0x0a000001, 0x0a000002, 6, s.length - 34)), 0);
    payload = [...payload, ...s.subarray(54)];
  }
  assert.equal(payload, [...superFrame(4000).subarray(54)]);
});

test('what no card cuts is said to be none', () => {
  const udp = udpFrame({ srcMac: 1, dstMac: 2, srcIp: 1, dstIp: 2, ipId: 0 }, 1, 2, new Uint8Array(3000));
  assert.not.ok(fits(udp, 1500));
  assert.is(segmentsOf(udp, 1500), null);
});

test('a packet cut short by the capture is filled up to its length', () => {
  assert.equal([...filledUp(Uint8Array.of(1, 2), 4)], [1, 2, 0, 0]);
  const whole = Uint8Array.of(1, 2, 3);
  assert.is(filledUp(whole, 3), whole);
});

test('bare IP becomes a frame whose addresses follow from the IP addresses', () => {
  const frame = udpFrame(
    { srcMac: 1, dstMac: 2, srcIp: 0x0a000001, dstIp: 0x0a000002, ipId: 0 },
    1,
    2,
    new Uint8Array(30),
  );
  const made = toEthernet(LINK_RAW_IP, frame.subarray(14))!;
  assert.is(Buffer.from(made.subarray(0, 14)).toString('hex'), '02000a00000202000a0000010800');
  assert.equal([...made.subarray(14)], [...frame.subarray(14)]);
});

test('the cooked capture of `tcpdump -i any` becomes a frame; 802.11 does not', () => {
  const frame = udpFrame(
    { srcMac: 1, dstMac: 2, srcIp: 0x0a000001, dstIp: 0x0a000002, ipId: 0 },
    1,
    2,
    new Uint8Array(30),
  );
  const cooked = new Uint8Array(16 + frame.length - 14);
  cooked.set([0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 1, 0, 0, 8, 0]);
  cooked.set(frame.subarray(14), 16);
  assert.equal([...toEthernet(113, cooked)!.subarray(14)], [...frame.subarray(14)]);
  assert.is(toEthernet(105, cooked), null);
});

test('a hash changes with every bit of every byte, and with the length', () => {
  const bytes = Uint8Array.from({ length: 67 }, (_, i) => i * 7);
  const view = new DataView(bytes.buffer);
  const seen = new Set([frameHash(view, 0, 67), frameHash(view, 0, 66)]);
  for (let bit = 0; bit < 67 * 8; bit++) {
    bytes[bit >> 3] = bytes[bit >> 3]! ^ (1 << (bit & 7));
    seen.add(frameHash(view, 0, 67));
    bytes[bit >> 3] = bytes[bit >> 3]! ^ (1 << (bit & 7));
  }
  assert.is(seen.size, 67 * 8 + 2);
});

test.run();
