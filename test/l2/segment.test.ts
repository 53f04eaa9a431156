import fc from 'fast-check';
import * as assert from 'uvu/assert';
import {
  bytesOf,
  CSUM_NEEDED,
  CSUM_VALID,
  type Frame,
  frameOf,
  GSO_ECN,
  GSO_NONE,
  GSO_TCPV4,
  GSO_TCPV6,
  GSO_UDP,
  GSO_UDP_L4,
  LonghaulError,
  NO_OFFLOAD,
} from '../../src/core/index.js';
import {
  completeChecksum,
  cut,
  cutAround,
  cutEvery,
  cutInto,
  headerLength,
  packetsOf,
  pieceBytes,
  toWirePackets,
} from '../../src/l2/index.js';
import { suite } from '../suite.js';
import { dissect, hex, naiveSum } from './oracle.js';

const test = suite('l2/segment');

/** Three wire packets of 4, 4 and 2 bytes; identification and sequence both wrap inside. */
const GOLDEN = hex(`
  52 54 00 00 00 02  52 54 00 00 00 01  08 00
  45 00  00 32                                  # 50 bytes in all
  ff fe  40 00  40 06  26 c5                    # identification, DF, TTL, TCP, header checksum
  0a 00 00 01  0a 00 00 02
  0f a0  13 88  ff ff ff fc  11 22 33 44        # ports, sequence, acknowledgement
  50 99  01 f6                                  # 20 bytes, CWR ACK PSH FIN, window
  14 27                                         # sum of the pseudo-header with length 30
  00 00
  a0 a1 a2 a3  a4 a5 a6 a7  a8 a9
`);
const MACS = '52 54 00 00 00 02  52 54 00 00 00 01  08 00';
const IP_TAIL = '0a 00 00 01  0a 00 00 02  0f a0  13 88';
const GOLDEN_PACKETS = [
  hex(`${MACS} 45 00 00 2c ff fe 40 00 40 06 26 cb ${IP_TAIL}
       ff ff ff fc 11 22 33 44 50 90 01 f6 ee 87 00 00  a0 a1 a2 a3   # CWR stays with the first`),
  hex(`${MACS} 45 00 00 2c ff ff 40 00 40 06 26 ca ${IP_TAIL}
       00 00 00 00 11 22 33 44 50 10 01 f6 e6 fc 00 00  a4 a5 a6 a7   # ACK alone`),
  hex(`${MACS} 45 00 00 2a 00 00 40 00 40 06 26 cc ${IP_TAIL}
       00 00 00 04 11 22 33 44 50 19 01 f6 89 95 00 00  a8 a9         # PSH FIN with the last`),
];
const GOLDEN_LAST_TWO = hex(`${MACS} 45 00 00 2e ff ff 40 00 40 06 26 c8 ${IP_TAIL}
       00 00 00 00 11 22 33 44 50 19 01 f6 14 23 00 00  a4 a5 a6 a7 a8 a9`);

const goldenFrame = (): Frame => ({
  data: GOLDEN,
  start: 0,
  length: GOLDEN.length,
  offload: {
    flags: CSUM_NEEDED,
    gsoType: GSO_TCPV4 | GSO_ECN,
    hdrLen: 0,
    gsoSize: 4,
    csumStart: 34,
    csumOffset: 16,
  },
});

test('a golden TSO frame and its wire packets', () => {
  assert.is(packetsOf(goldenFrame()), 3);
  assert.is(headerLength(goldenFrame()), 54);
  assert.equal(toWirePackets(goldenFrame()), GOLDEN_PACKETS);
});

test('a golden piece of two packets is a super-frame again', () => {
  const piece = cut(goldenFrame(), 1, 2);
  assert.equal(bytesOf(piece), GOLDEN_LAST_TWO);
  assert.equal(piece.offload, {
    flags: CSUM_NEEDED,
    gsoType: GSO_TCPV4 | GSO_ECN,
    hdrLen: 54,
    gsoSize: 4,
    csumStart: 34,
    csumOffset: 16,
  });
  assert.equal(toWirePackets(piece), GOLDEN_PACKETS.slice(1));
});

test('a golden piece of one packet is an ordinary frame whose checksum is pending', () => {
  const piece = cut(goldenFrame(), 2, 1);
  assert.is(packetsOf(piece), 1);
  assert.is(piece.offload.gsoType, GSO_NONE);
  assert.is(piece.offload.gsoSize, 0);
  assert.equal(bytesOf(completeChecksum(piece)), GOLDEN_PACKETS[2]);
  assert.equal(completeChecksum(piece).offload, NO_OFFLOAD);
});

test('a wrong IPv4 header checksum stays wrong in every piece', () => {
  const bytes = GOLDEN.slice();
  bytes[24]! ^= 1;
  for (const packet of toWirePackets({ ...goldenFrame(), data: bytes })) {
    assert.is.not(naiveSum(packet.subarray(14, 34)), 0xffff);
  }
});

interface Shape {
  readonly kind: 'tcp4' | 'tcp6' | 'udp4' | 'udp6';
  readonly payload: Uint8Array;
  readonly gsoSize: number;
  readonly headroom: number;
  readonly optionWords: number;
  readonly tagged: boolean;
  readonly flags: number;
}

const anyShape: fc.Arbitrary<Shape> = fc.record({
  kind: fc.constantFrom('tcp4', 'tcp6', 'udp4', 'udp6'),
  payload: fc.uint8Array({ minLength: 1, maxLength: 600 }),
  gsoSize: fc.integer({ min: 1, max: 120 }),
  headroom: fc.constantFrom(0, 10, 13),
  optionWords: fc.nat(10),
  tagged: fc.boolean(),
  flags: fc.nat(0xff),
});

/** A super-frame as a kernel would hand it out, built with DataView and the naive sum only. */
function build(shape: Shape): Frame {
  const v6 = shape.kind.endsWith('6');
  const udp = shape.kind.startsWith('udp');
  const l3 = shape.tagged ? 18 : 14;
  // On IPv6 the option words become a destination-options header of one or two units of eight bytes.
  const ipBytes = v6 ? 40 + (shape.optionWords % 3) * 8 : 20 + Math.min(shape.optionWords, 10) * 4;
  const l4 = l3 + ipBytes;
  const headers = l4 + (udp ? 8 : 20 + Math.min(shape.optionWords, 10) * 4);
  const length = headers + shape.payload.length;
  const data = new Uint8Array(shape.headroom + length + 7); // slack behind
  const view = new DataView(data.buffer, shape.headroom);
  const b = data.subarray(shape.headroom, shape.headroom + length);
  b.set(hex('52 54 00 00 00 02 52 54 00 00 00 01'));
  if (shape.tagged) view.setUint32(12, 0x8100_0064);
  view.setUint16(l3 - 2, v6 ? 0x86dd : 0x0800);
  const protocol = udp ? 17 : 6;
  const l4Bytes = length - l4;
  let addresses: Uint8Array;
  if (v6) {
    view.setUint32(l3, 0x6000_0000);
    view.setUint16(l3 + 4, length - l3 - 40);
    b[l3 + 6] = ipBytes > 40 ? 60 : protocol;
    b[l3 + 7] = 64;
    for (let i = 0; i < 32; i++) b[l3 + 8 + i] = 0x20 + i;
    if (ipBytes > 40) {
      b[l3 + 40] = protocol;
      b[l3 + 41] = (ipBytes - 48) / 8;
    }
    addresses = b.slice(l3 + 8, l3 + 40);
  } else {
    b[l3] = 0x40 | (ipBytes / 4);
    view.setUint16(l3 + 2, length - l3 > 65_535 ? 0 : length - l3);
    view.setUint16(l3 + 4, 0xfff0);
    b[l3 + 8] = 64;
    b[l3 + 9] = protocol;
    view.setUint32(l3 + 12, 0x0a00_0001);
    view.setUint32(l3 + 16, 0x0a00_0002);
    b.fill(1, l3 + 20, l4); // no-operation options
    view.setUint16(l3 + 10, naiveSum(b.subarray(l3, l4)) ^ 0xffff);
    addresses = b.slice(l3 + 12, l3 + 20);
  }
  view.setUint32(l4, 0x0fa0_1388);
  if (udp) view.setUint16(l4 + 4, l4Bytes);
  else {
    view.setUint32(l4 + 4, 0xffff_ff00);
    b[l4 + 12] = ((headers - l4) / 4) << 4;
    b[l4 + 13] = shape.flags;
    b.fill(1, l4 + 20, headers);
  }
  const csumOffset = udp ? 6 : 16;
  view.setUint16(
    l4 + csumOffset,
    naiveSum(addresses, Uint8Array.of(0, protocol, 0, l4Bytes >> 16, l4Bytes >> 8, l4Bytes)),
  );
  b.set(shape.payload, headers);
  const gsoType = udp ? GSO_UDP_L4 : v6 ? GSO_TCPV6 : GSO_TCPV4;
  return {
    data,
    start: shape.headroom,
    length,
    offload: { flags: CSUM_NEEDED, gsoType, hdrLen: 0, gsoSize: shape.gsoSize, csumStart: l4, csumOffset },
  };
}

/** Wire packets without their tag, so that the judge reads them. */
const untagged = (shape: Shape, packets: Uint8Array[]): Uint8Array[] =>
  shape.tagged ? packets.map((p) => Uint8Array.of(...p.subarray(0, 12), ...p.subarray(16))) : packets;

test('every wire packet is right by itself, and together they carry what the super-frame carried', () => {
  fc.assert(
    fc.property(anyShape, (shape) => {
      const packets = untagged(shape, toWirePackets(build(shape))).map(dissect);
      assert.is(packets.length, Math.ceil(shape.payload.length / shape.gsoSize));
      assert.equal(
        packets.flatMap((p) => [...p.payload]),
        [...shape.payload],
      );
      packets.forEach((p, i) => {
        const last = i === packets.length - 1;
        if (!last) assert.is(p.payload.length, shape.gsoSize);
        if (p.version === 4 && packets.length > 1) assert.is(p.ipId, (0xfff0 + i) & 0xffff);
        if (p.protocol !== 6) return;
        assert.is(p.seq, (0xffff_ff00 + i * shape.gsoSize) % 2 ** 32);
        const kept = (last ? 0xff : ~0x09 & 0xff) & (i === 0 ? 0xff : ~0x80 & 0xff);
        assert.is(p.flags, shape.flags & kept);
      });
    }),
  );
});

test('cutting in any two places and then into packets is the same as cutting into packets', () => {
  fc.assert(
    fc.property(anyShape, fc.nat(600), fc.nat(600), (shape, x, y) => {
      const whole = build(shape);
      const original = whole.data.slice();
      const packets = packetsOf(whole);
      const [a, b] = [x % (packets + 1), y % (packets + 1)].sort((m, n) => m - n) as [number, number];
      const pieces = [
        [0, a],
        [a, b],
        [b, packets],
      ].flatMap(([from, to]) => (to! > from! ? [cut(whole, from!, to! - from!)] : []));
      for (const piece of pieces)
        assert.ok(piece === whole || piece.data.length === piece.length, 'no headroom');
      assert.equal(pieces.flatMap(toWirePackets), toWirePackets(whole));
      assert.equal(whole.data, original, 'the frame itself is not written to');
    }),
  );
});

test('a piece cut into memory at hand is the piece, and nothing beside it is written', () => {
  fc.assert(
    fc.property(anyShape, fc.nat(600), fc.nat(600), fc.nat(40), (shape, x, y, start) => {
      const whole = build(shape);
      const packets = packetsOf(whole);
      if (packets === 1) return;
      const count = 1 + (x % (packets - 1));
      const first = y % (packets - count + 1);
      const expected = cut(whole, first, count);
      const bytes = pieceBytes(whole, first, count);
      assert.is(bytes, expected.length);
      const room = {
        data: new Uint8Array(start + bytes + 8).fill(0xee),
        start,
        length: 0,
        offload: { ...NO_OFFLOAD, hdrLen: 77, csumStart: 77 },
      };
      cutInto(whole, first, count, room);
      assert.equal(bytesOf(room), bytesOf(expected));
      assert.equal(room.offload, expected.offload);
      const beside = [...room.data.subarray(0, start), ...room.data.subarray(start + bytes)];
      assert.ok(beside.every((b) => b === 0xee));
    }),
  );
});

test('a piece that is longer than IPv4 can say has the total length 0, and its packets are what they would be', () => {
  const shape = {
    kind: 'tcp4',
    gsoSize: 1448,
    headroom: 0,
    optionWords: 0,
    tagged: false,
    flags: 0x10,
  } as const;
  const payload = new Uint8Array(1448 * 120).map((_, i) => i % 251);
  const whole = build({ ...shape, payload });
  const big = cut(whole, 1, 119);
  assert.is(new DataView(big.data.buffer).getUint16(14 + 2), 0);
  assert.is(naiveSum(big.data.subarray(14, 34)), 0xffff, 'the header checksum covers the 0');
  assert.is(packetsOf(big), 119);
  assert.equal(toWirePackets(big), toWirePackets(whole).slice(1));
});

test('cutting around losses leaves exactly the packets that were not lost, in as few pieces as can be', () => {
  fc.assert(
    fc.property(anyShape, fc.array(fc.nat(30)), (shape, hits) => {
      const whole = build(shape);
      const all = toWirePackets(whole);
      const lost = hits.sort((m, n) => m - n);
      const pieces = cutAround(whole, lost);
      assert.equal(
        pieces.flatMap(toWirePackets),
        all.filter((_, i) => !lost.includes(i)),
      );
      const runs = all.filter((_, i) => !lost.includes(i) && (i === 0 || lost.includes(i - 1))).length;
      assert.is(pieces.length, runs);
    }),
  );
});

test('nothing lost is the frame itself; all lost is nothing; an ordinary frame can only be lost whole', () => {
  const whole = goldenFrame();
  assert.is(cutAround(whole, [])[0], whole);
  assert.equal(cutAround(whole, [0, 1, 2]), []);
  assert.equal(cutAround(frameOf(GOLDEN), [0]), []);
});

test('even pieces for the entry of a slow fiber', () => {
  assert.equal(cutEvery(goldenFrame(), 2).map(packetsOf), [2, 1]);
  assert.equal(cutEvery(goldenFrame(), 0).map(packetsOf), [1, 1, 1]);
  const whole = goldenFrame();
  assert.is(cutEvery(whole, 3)[0], whole);
});

test('a run outside the frame is the caller’s mistake', () => {
  for (const [first, count] of [
    [0, 4],
    [3, 1],
    [-1, 1],
    [0, 0],
    [0, Number.NaN],
  ] as const) {
    try {
      cut(goldenFrame(), first, count);
      assert.unreachable(`${first}+${count}`);
    } catch (e) {
      assert.instance(e, LonghaulError);
      assert.is((e as LonghaulError).code, 'L2_CUT_RANGE');
    }
  }
});

test('a frame whose headers belie its GSO type is one packet', () => {
  const belied = (change: Partial<Frame['offload']>): Frame => ({
    ...goldenFrame(),
    offload: { ...goldenFrame().offload, ...change },
  });
  for (const gsoType of [GSO_TCPV6, GSO_UDP_L4, GSO_UDP, GSO_NONE, 0x7f]) {
    assert.is(headerLength(belied({ gsoType })), -1);
    assert.is(packetsOf(belied({ gsoType })), 1);
    assert.is(toWirePackets(belied({ gsoType })).length, 1);
  }
  assert.is(headerLength(belied({ gsoSize: 0 })), -1);
});

test('the header length is that of the headers, whatever hdrLen says', () => {
  const lying = { ...goldenFrame(), offload: { ...goldenFrame().offload, hdrLen: 4000, csumStart: 2 } };
  assert.is(headerLength(lying), 54);
  assert.equal(toWirePackets(lying), GOLDEN_PACKETS);
});

test('completing writes to fresh bytes even when the frame lies in a Node Buffer', () => {
  const data = Buffer.from(GOLDEN_LAST_TWO);
  const offload = { ...NO_OFFLOAD, flags: CSUM_NEEDED, csumStart: 34, csumOffset: 16 };
  const before = Uint8Array.from(data);
  const done = completeChecksum({ data, start: 0, length: data.length, offload });
  assert.equal(Uint8Array.from(data), before);
  dissect(bytesOf(done));
});

test('completing drops the promise that a checksum was verified, and keeps bytes it need not touch', () => {
  const frame = { ...frameOf(GOLDEN), offload: { ...NO_OFFLOAD, flags: CSUM_VALID } };
  const done = completeChecksum(frame);
  assert.is(done.data, GOLDEN);
  assert.is(done.offload.flags, 0);
});

test('checksum offsets outside the frame change nothing', () => {
  const offload = { ...NO_OFFLOAD, flags: CSUM_NEEDED, csumStart: 60_000, csumOffset: 16 };
  assert.equal(bytesOf(completeChecksum({ ...frameOf(GOLDEN), offload })), GOLDEN);
});

test('a UDP checksum that comes out as zero is sent as ones', () => {
  const shape = {
    kind: 'udp4',
    payload: new Uint8Array(2),
    gsoSize: 0,
    headroom: 0,
    optionWords: 0,
    tagged: false,
    flags: 0,
  };
  const plain = bytesOf(completeChecksum(build(shape as Shape)));
  const mangled = bytesOf(completeChecksum(build({ ...shape, payload: plain.slice(40, 42) } as Shape)));
  assert.equal(mangled.subarray(40, 42), hex('ff ff'));
});

test.run();
