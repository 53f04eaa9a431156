import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { bytesOf, CSUM_NEEDED, CSUM_VALID, type Frame, frameOf, GSO_TCPV4 } from '../../../src/core/index.js';
import {
  describeFrame,
  headerLength,
  packetsOf,
  type RetagTarget,
  retag,
  retagged,
  retaggedLength,
  type TagAction,
  tagsOf,
  tciAt,
  tciOf,
  toWirePackets,
} from '../../../src/l2/index.js';
import { suite } from '../../suite.js';
import { hex } from '../oracle.js';

const test = suite('l2/wire/vlan-tag');

const MACS = '52 54 00 00 00 02  52 54 00 00 00 01';
const TEXT = Array.from({ length: 50 }, (_, i) => i.toString(16).padStart(2, '0')).join(' ');
const UNTAGGED = hex(`${MACS}  08 00  ${TEXT}`);
const TAGGED = hex(`${MACS}
  81 00       # TPID: customer tag
  a0 64       # PCP 5, DEI 0, VID 100
  08 00  ${TEXT}`);

test('a trace names every tag', () => {
  const two = hex(`${MACS} 88 a8 20 0a  81 00 00 14  88 b5 ${TEXT}`);
  assert.is(
    describeFrame(two),
    '52:54:00:00:00:01 > 52:54:00:00:00:02, vlan 10, vlan 20, length 72: ethertype 0x88b5',
  );
});

test('a golden tag is put on, changed and taken off', () => {
  assert.equal(bytesOf(retagged(frameOf(UNTAGGED), 0xa064)), TAGGED);
  assert.equal(bytesOf(retagged(frameOf(TAGGED), 'pop')), UNTAGGED);
  const changed = TAGGED.slice();
  changed.set([0x30, 0x0a], 14);
  assert.equal(bytesOf(retagged(frameOf(TAGGED), 0x300a)), changed, 'PCP 1, DEI 1, VID 10');
  assert.is(tciOf(100, 5), 0xa064);
  assert.is(tciOf(10, 1, true), 0x300a);
});

test('nothing to take off, nothing to do', () => {
  const frame = frameOf(UNTAGGED);
  assert.is(retagged(frame, 'keep'), frame);
  assert.equal(bytesOf(retagged(frame, 'pop')), UNTAGGED);
});

test('stacked tags: the outer one is the tag, a service tag is payload', () => {
  const two = hex(`${MACS} 81 00 20 0a  81 00 00 14  08 00 ${TEXT}`);
  assert.equal(tagsOf(two, 0, two.length), [
    { tpid: 0x8100, vid: 10, pcp: 1, dropEligible: false },
    { tpid: 0x8100, vid: 20, pcp: 0, dropEligible: false },
  ]);
  assert.is(tciAt(two, 0, two.length), 0x200a);
  assert.equal(bytesOf(retagged(frameOf(two), 'pop')), hex(`${MACS} 81 00 00 14  08 00 ${TEXT}`));
  const service = hex(`${MACS} 88 a8 00 0a  81 00 00 14  08 00 ${TEXT}`);
  assert.is(tciAt(service, 0, service.length), -1);
  assert.equal(
    bytesOf(retagged(frameOf(service), 7)),
    hex(`${MACS} 81 00 00 07  88 a8 00 0a  81 00 00 14  08 00 ${TEXT}`),
  );
});

test('a frame of legal length stays one, a short one does not grow', () => {
  const lengthAfterPop = (length: number): number => retaggedLength(frameOf(TAGGED.slice(0, length)), 'pop');
  assert.equal([64, 63, 60, 59, 18].map(lengthAfterPop), [60, 60, 60, 59, 18]);
  const short = retagged(frameOf(TAGGED.slice(0, 61)), 'pop');
  assert.equal(bytesOf(short).subarray(57), new Uint8Array(3), 'padding is zeros');
});

test('a super-frame does not grow either: its every byte is payload', () => {
  const offload = { flags: 1, gsoType: GSO_TCPV4, hdrLen: 58, gsoSize: 1, csumStart: 38, csumOffset: 16 };
  assert.is(retaggedLength({ ...frameOf(TAGGED.slice(0, 60)), offload }, 'pop'), 56);
});

test('a cut-off tag is no tag', () => {
  for (let length = 0; length < 18; length++) assert.is(tciAt(TAGGED, 0, length), -1, `${length} bytes`);
  assert.is(tciAt(TAGGED, 0, 18), 0xa064);
  assert.equal(tagsOf(TAGGED, 0, 17), []);
});

/** A target in a buffer with room on both sides of the frame. */
function roomy(frame: Frame, start: number): { own: Frame; into: RetagTarget } {
  const data = new Uint8Array(frame.length + 40).fill(0xee);
  data.set(bytesOf(frame), 16);
  const offload = { ...frame.offload };
  return {
    own: { data, start: 16, length: frame.length, offload },
    into: { data, start, length: 0, offload },
  };
}

const anyTag: fc.Arbitrary<TagAction> = fc.oneof(
  fc.constantFrom<TagAction>('keep', 'pop'),
  fc.nat(0xffff).map((n): TagAction => n),
);
const anyFrame: fc.Arbitrary<Frame> = fc
  .tuple(
    fc.oneof(
      fc.uint8Array({ maxLength: 130 }),
      fc.constantFrom(TAGGED, UNTAGGED),
      fc
        .tuple(fc.uint8Array({ minLength: 12, maxLength: 12 }), fc.uint8Array({ maxLength: 80 }))
        .map(([a, b]) => Uint8Array.of(...a, 0x81, 0, ...b)),
    ),
    fc.record({
      flags: fc.nat(3),
      gsoType: fc.constantFrom(0, 1, 4, 5),
      hdrLen: fc.nat(200),
      gsoSize: fc.constantFrom(0, 1448),
      csumStart: fc.nat(200),
      csumOffset: fc.nat(20),
    }),
  )
  .map(([data, offload]) => ({ data, start: 0, length: data.length, offload: { ...offload } }));

test('in place or not, with the header or the payload moved, the bytes are the same', () => {
  fc.assert(
    fc.property(anyFrame, anyTag, fc.constantFrom(10, 12, 16, 18, 20), (frame, tag, start) => {
      if (frame.length < 14) return; // the bridge drops runts before it comes to tags
      const expected = retagged(frame, tag);
      const { own, into } = roomy(frame, start);
      const room = into.data.slice();
      retag(own, tag, into);
      assert.equal(bytesOf(into), bytesOf(expected));
      assert.equal(into.offload, expected.offload);
      assert.is(into.length, retaggedLength(frame, tag));
      const last = Math.max(16 + frame.length, start + into.length);
      assert.equal(into.data.subarray(last), room.subarray(last), 'nothing is written behind');
      const first = Math.min(16, start);
      assert.equal(into.data.subarray(0, first), room.subarray(0, first), 'nor before');
    }),
    { numRuns: 1000 },
  );
});

test('off undoes on, whatever the frame', () => {
  fc.assert(
    fc.property(anyFrame, fc.nat(0xffff), (frame, tci) => {
      if (frame.length < 14 || tciAt(frame.data, 0, frame.length) >= 0 || tagIsCut(frame)) return;
      const on = retagged(frame, tci);
      assert.is(tciAt(on.data, 0, on.length), tci);
      const off = retagged(on, 'pop');
      assert.equal(bytesOf(off).subarray(0, frame.length), bytesOf(frame));
      assert.equal(off.offload, frame.offload);
    }),
  );
});

function tagIsCut({ data, length }: Frame): boolean {
  return length < 18 && data[12] === 0x81 && data[13] === 0;
}

test('a super-frame with a tag stands for the same packets, each with the tag', () => {
  const superFrame: Frame = {
    data: hex(`
      ${MACS} 08 00
      45 00 00 32  ff fe 40 00  40 06 26 c5  0a 00 00 01  0a 00 00 02     # IPv4, 50 bytes
      0f a0 13 88  ff ff ff fc  11 22 33 44  50 19 01 f6  14 27 00 00     # TCP, checksum pending
      a0 a1 a2 a3  a4 a5 a6 a7  a8 a9`),
    start: 0,
    length: 64,
    offload: {
      flags: CSUM_NEEDED | CSUM_VALID,
      gsoType: GSO_TCPV4,
      hdrLen: 54,
      gsoSize: 4,
      csumStart: 34,
      csumOffset: 16,
    },
  };
  const tagged = retagged(superFrame, 0x6064);
  assert.equal(tagged.offload, { ...superFrame.offload, hdrLen: 58, csumStart: 38 });
  assert.is(headerLength(tagged), 58);
  assert.is(packetsOf(tagged), 3);
  const expected = toWirePackets(superFrame).map((packet) => bytesOf(retagged(frameOf(packet), 0x6064)));
  assert.equal(toWirePackets(tagged), expected);
  const back = retagged(tagged, 'pop');
  assert.equal(back.offload, superFrame.offload);
  assert.equal(bytesOf(back), superFrame.data);
});

test('offsets that say nothing stay nothing', () => {
  const plain = retagged(frameOf(UNTAGGED), 1);
  assert.equal(plain.offload, { flags: 0, gsoType: 0, hdrLen: 0, gsoSize: 0, csumStart: 0, csumOffset: 0 });
});

test.run();
