import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { bytesOf, CSUM_NEEDED, type Frame, frameOf, GSO_TCPV4 } from '../../src/core/index.js';
import { arrivalsOf } from '../../src/fabric/arrivals.js';
import {
  checksum,
  checksummedSpan,
  decodeIpv4,
  decodeUdp,
  isUdpChecksumZero,
  newFrameBytes,
  PROTOCOL_TCP,
  pseudoHeaderSumV4,
  toWirePackets,
  udpFrame,
  writeEthernet,
  writeIpv4,
} from '../../src/l2/index.js';
import { suite } from '../suite.js';

const test = suite('fabric/arrivals');

const ADDRESSES = { srcMac: 2, dstMac: 4, srcIp: 0x0a000001, dstIp: 0x0a000002, ipId: 7 };
const GSO_SIZE = 100;

/** A TCP super-frame of `payload` bytes, its checksum pending as a kernel hands it out. */
function superFrame(payload: number): Frame {
  const tcpAt = 34;
  const b = new Uint8Array(tcpAt + 20 + payload);
  writeEthernet(b, 0, ADDRESSES.dstMac, ADDRESSES.srcMac, 0x0800);
  writeIpv4(b, 14, ADDRESSES.srcIp, ADDRESSES.dstIp, PROTOCOL_TCP, ADDRESSES.ipId, 20 + payload);
  b[tcpAt + 12] = 0x50;
  b[tcpAt + 13] = 0x10;
  for (let i = 0; i < payload; i++) b[tcpAt + 20 + i] = (i * 7) & 0xff;
  // The pseudo-header's sum, which is what stands in the field while the checksum is pending.
  let sum = 0x0a00 + 0x0001 + 0x0a00 + 0x0002 + 6 + 20 + payload;
  sum = (sum & 0xffff) + (sum >>> 16);
  b[tcpAt + 16] = sum >>> 8;
  b[tcpAt + 17] = sum & 0xff;
  return {
    data: b,
    start: 0,
    length: b.length,
    offload: {
      flags: CSUM_NEEDED,
      gsoType: GSO_TCPV4,
      hdrLen: 54,
      gsoSize: GSO_SIZE,
      csumStart: tcpAt,
      csumOffset: 16,
    },
  };
}

const wire = (frames: readonly Frame[]): string[] =>
  frames.flatMap((f) => toWirePackets(f).map((p) => Buffer.from(p).toString('hex')));

function bitsThatDiffer(a: string, b: string): number {
  const [x, y] = [Buffer.from(a, 'hex'), Buffer.from(b, 'hex')];
  return x.reduce((sum, byte, i) => sum + (byte ^ y[i]!).toString(2).replaceAll('0', '').length, 0);
}

test('what is neither lost nor damaged arrives as it was sent; a damaged packet differs in one bit that TCP sees', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1200 }),
      fc.uniqueArray(fc.nat(11), { maxLength: 6 }),
      fc.uniqueArray(fc.nat(11), { maxLength: 6 }),
      fc.integer(),
      (payload, lostAny, damagedAny, seed) => {
        const frame = superFrame(payload);
        const sent = wire([frame]);
        const within = (list: number[]): number[] =>
          list.filter((i) => i < sent.length).sort((x, y) => x - y);
        const lost = within(lostAny);
        const damaged = within(damagedAny).filter((i) => !lost.includes(i));
        const arrived = arrivalsOf(frame, lost, damaged, seed);
        const got = wire(arrived.frames);
        const left = sent.map((_, i) => i).filter((i) => !lost.includes(i));
        assert.is(got.length, left.length);
        assert.is(arrived.damaged, damaged.length);
        assert.is(arrived.refusedByFcs.length, 0);
        for (const [at, i] of left.entries()) {
          const isDamaged = damaged.includes(i);
          assert.is(bitsThatDiffer(got[at]!, sent[i]!), isDamaged ? 1 : 0);
          assert.is(isSound(Buffer.from(got[at]!, 'hex')), !isDamaged);
        }
      },
    ),
  );
});

function isSound(packet: Uint8Array): boolean {
  const ip = decodeIpv4(packet, 14, packet.length);
  if (!ip.ok) return false;
  const { payloadAt, payloadEnd, src, dst } = ip.value;
  return (
    checksum(
      packet,
      payloadAt,
      payloadEnd,
      pseudoHeaderSumV4(src, dst, PROTOCOL_TCP, payloadEnd - payloadAt),
    ) === 0
  );
}

test('no choice of bit turns a UDP checksum into the zero that means none', () => {
  for (let ipId = 0; ipId < 400; ipId++) {
    // Payloads chosen so that the checksum has few bits set: one flip may clear it.
    const frame = frameOf(udpFrame({ ...ADDRESSES, ipId }, 1, 1, Uint8Array.of(ipId >> 8, ipId & 0xff)));
    for (let seed = 0; seed < 200; seed++) {
      const { frames, damaged } = arrivalsOf(frame, null, [0], seed);
      assert.is(damaged, 1);
      assert.not.ok(isUdpChecksumZero(frames[0]!));
      const b = bytesOf(frames[0]!);
      const ip = decodeIpv4(b, 14, b.length);
      assert.not.ok(
        ip.ok && decodeUdp(b, ip.value.payloadAt, ip.value.payloadEnd, ip.value.src, ip.value.dst).ok,
      );
    }
  }
});

test('bytes that no checksum covers are not in the span', () => {
  const whole = udpFrame(ADDRESSES, 1, 2, Uint8Array.of(1, 2, 3, 4));
  assert.equal(checksummedSpan(frameOf(whole)), { at: 14, bytes: 32 }); // the padding to 60 bytes is outside
  const without = whole.slice();
  without.fill(0, 40, 42);
  assert.equal(
    checksummedSpan(frameOf(without)),
    { at: 14, bytes: 20 },
    'UDP without a checksum: the header',
  );
  const arp = newFrameBytes(60);
  writeEthernet(arp, 0, 1, 2, 0x0806);
  assert.is(checksummedSpan(frameOf(arp)), null);
  assert.is(checksummedSpan(frameOf(whole.slice(0, 20))), null, 'cut off in the header');
});

test.run();
