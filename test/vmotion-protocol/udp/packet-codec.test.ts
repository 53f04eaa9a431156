import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { AckRanges } from '../../../src/vmotion-protocol/udp/ack-ranges.js';
import {
  FLAG_INITIATOR,
  FLAG_OPENING,
  FRAME_ACK,
  FRAME_BAD,
  FRAME_CLOSE,
  FRAME_CONTROL,
  FRAME_END,
  FRAME_NONE,
  FRAME_PAGE,
  FRAME_PARITY,
  FRAME_PROBE,
  FRAME_ZERO,
  PacketReader,
  writeAckFrame,
  writeControlFrame,
  writeEndFrame,
  writePacketHeader,
  writePageFrame,
  writeParityFrame,
  writeShortFrame,
  writeZeroFrame,
} from '../../../src/vmotion-protocol/udp/packet-codec.js';
import { suite } from '../../suite.js';

const test = suite('vmotion-protocol/udp/packet-codec');

/** Bytes from lines of hex, each with what it means behind `·`. */
function bytesOf(text: string): Uint8Array {
  const hex = text
    .split('\n')
    .map((line) => line.split('·')[0]!)
    .join('')
    .replace(/\s/g, '');
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

function written(length: number, write: (view: DataView) => void): string {
  const bytes = new Uint8Array(length);
  write(new DataView(bytes.buffer));
  return Buffer.from(bytes).toString('hex');
}

const HEADER = `
  4c55          · 'LU'
  03            · opening, from the initiator
  00            · reserved
  ddccbbaa      · connection 0xaabbccdd
  050403020100  · packet number 0x0102030405
  0700          · round 7`;

function read(text: string): { reader: PacketReader; kind: number } {
  const bytes = bytesOf(`${HEADER}\n${text}`);
  const reader = new PacketReader();
  assert.ok(reader.open(new DataView(bytes.buffer), 0, bytes.length));
  return { reader, kind: reader.next() };
}

test('golden bytes of the header', () => {
  const hex = written(16, (v) =>
    writePacketHeader(v, 0, FLAG_OPENING | FLAG_INITIATOR, 0xaabbccdd, 0x0102030405, 7),
  );
  assert.is(hex, Buffer.from(bytesOf(HEADER)).toString('hex'));
  const { reader, kind } = read('');
  assert.equal(
    [reader.flags, reader.connection, reader.number, reader.round, kind],
    [3, 0xaabbccdd, 0x0102030405, 7, FRAME_NONE],
  );
});

test('golden bytes of PAGE, ZERO and END', () => {
  const page = `
    01          · PAGE
    00          · raw
    300b        · offset 2864
    a004        · 1184 bytes here
    0010        · record of 4096
    39300000    · pfn 12345
    02000000    · version 2`;
  assert.is(
    written(16, (v) => writePageFrame(v, 0, 0, 12_345, 2, 2864, 1184, 4096)),
    Buffer.from(bytesOf(page)).toString('hex'),
  );
  const { reader, kind } = read(`${page}\n${'ab'.repeat(1184)}`);
  assert.is(kind, FRAME_PAGE);
  assert.equal(
    [reader.pfn, reader.version, reader.offset, reader.length, reader.recordBytes, reader.bytesAt],
    [12_345, 2, 2864, 1184, 4096, 32],
  );
  const zero = '02 00 0500 · five pages\n 39300000 · from pfn 12345\n 09000000 · version 9';
  assert.is(
    written(12, (v) => writeZeroFrame(v, 0, 12_345, 5, 9)),
    Buffer.from(bytesOf(zero)).toString('hex'),
  );
  const z = read(zero);
  assert.equal([z.kind, z.reader.count, z.reader.pfn, z.reader.version], [FRAME_ZERO, 5, 12_345, 9]);
  const end = '03000000 · END\n 00000100 · 65536 pages';
  assert.is(
    written(8, (v) => writeEndFrame(v, 0, 65_536)),
    Buffer.from(bytesOf(end)).toString('hex'),
  );
  const e = read(end);
  assert.equal([e.kind, e.reader.count], [FRAME_END, 65_536]);
});

test('golden bytes of CONTROL, PARITY and the short frames', () => {
  const control = '04 01 · with FIN\n 0200 · two bytes\n 060504030201 · offset\n 0000 · reserved';
  assert.is(
    written(12, (v) => writeControlFrame(v, 0, 0x010203040506, 2, true)),
    Buffer.from(bytesOf(control)).toString('hex'),
  );
  const c = read(`${control}\n 6869`);
  assert.equal(
    [c.kind, c.reader.offset, c.reader.length, c.reader.fin],
    [FRAME_CONTROL, 0x010203040506, 2, true],
  );
  const parity = `
    06 00
    0300          · three bytes of parity
    11000080      · members 0, 4 and 31
    640000000000  · of packets from 100 on
    0700          · XOR of lengths`;
  assert.is(
    written(16, (v) => writeParityFrame(v, 0, 0x80000011, 100, 7, 3)),
    Buffer.from(bytesOf(parity)).toString('hex'),
  );
  const p = read(`${parity}\n 010203`);
  assert.equal(
    [p.kind, p.reader.members, p.reader.first, p.reader.lengthXor, p.reader.length, p.reader.number],
    [FRAME_PARITY, 0x80000011, 100, 7, 3, 0x0102030405],
  );
  assert.is(
    written(4, (v) => writeShortFrame(v, 0, FRAME_CLOSE)),
    '09000000',
  );
  const probe = read(`07000000 ${'00'.repeat(100)}`);
  assert.equal([probe.kind, probe.reader.next()], [FRAME_PROBE, FRAME_NONE], 'padding is part of the probe');
});

test('golden bytes of an ACK of two ranges', () => {
  const received = new AckRanges();
  for (const n of [3, 4, 5, 8, 9]) received.add(n);
  const ack = `
    05 02 0000
    19000000      · 25 µs late
    090000000000 0000 · largest 9
    40e201000000 0000 · control stream known up to 123456
    00000100      · window of 65536
    0200 0200     · 9, 8 received, 7, 6 missing
    0300 0000     · 5, 4, 3`;
  const hex = written(36, (v) => assert.is(writeAckFrame(v, 0, 100, received, 25_000, 123_456, 65_536), 36));
  assert.is(hex, Buffer.from(bytesOf(ack)).toString('hex'));
  const { reader, kind } = read(ack);
  assert.equal(
    [kind, reader.largest, reader.delayNs, reader.controlAck, reader.controlWindow, reader.count],
    [FRAME_ACK, 9, 25_000, 123_456, 65_536, 2],
  );
  assert.equal(
    [reader.rangeReceived(0), reader.rangeMissing(0), reader.rangeReceived(1), reader.rangeMissing(1)],
    [2, 2, 3, 0],
  );
});

test('any set of packet numbers is told as far as there is room, and nothing else', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(400), { minLength: 1, maxLength: 200 }),
      fc.integer({ min: 32, max: 400 }),
      (numbers, room) => {
        const received = new AckRanges();
        for (const n of numbers) received.add(n);
        const view = new DataView(new ArrayBuffer(16 + 400));
        writePacketHeader(view, 0, 0, 1, 1, 0);
        const n = writeAckFrame(view, 16, room, received, 0, 0, 0);
        assert.ok(n <= room);
        const reader = new PacketReader();
        reader.open(view, 0, 16 + n);
        assert.is(reader.next(), FRAME_ACK);
        const told = new Set<number>();
        let end = reader.largest + 1;
        for (let i = 0; i < reader.count; i++) {
          const start = end - reader.rangeReceived(i);
          for (let k = start; k < end; k++) told.add(k);
          end = start - reader.rangeMissing(i);
        }
        const lowest = Math.min(...told);
        assert.equal(
          [...told].sort((a, b) => a - b),
          [...new Set(numbers)].filter((k) => k >= lowest).sort((a, b) => a - b),
        );
      },
    ),
    { numRuns: 200 },
  );
});

test('a run longer than a range field holds is told in several ranges', () => {
  const received = new AckRanges();
  for (let n = 0; n < 200_000; n++) received.add(n);
  const view = new DataView(new ArrayBuffer(200));
  const n = writeAckFrame(view, 0, 200, received, 0, 0, 0);
  assert.is(n, 28 + 4 * 4);
  assert.equal(
    [0, 1, 2, 3].map((i) => view.getUint16(28 + 4 * i, true)),
    [65_535, 65_535, 65_535, 3395],
  );
});

test('random bytes never throw, never read beyond the datagram, and end', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), fc.nat(10), (random, ours, kind) => {
      const bytes = new Uint8Array(random.length + 64).fill(0xee);
      bytes.set(random);
      if (ours && random.length > 16) bytes.set([0x4c, 0x55, 0, 0], 0);
      if (ours && random.length > 16) bytes[16] = kind;
      const reader = new PacketReader();
      if (!reader.open(new DataView(bytes.buffer), 0, random.length)) return;
      for (let frames = 0; ; frames++) {
        const k = reader.next();
        if (k === FRAME_NONE || k === FRAME_BAD) break;
        assert.ok(reader.bytesAt + reader.length <= random.length || k >= FRAME_PROBE);
        assert.ok(frames < 100);
      }
    }),
    { numRuns: 2000 },
  );
});

test('frames that lie about themselves are refused', () => {
  for (const lie of [
    '01 00 0000 1000 0010 00000000 01000000', // 16 bytes that are not there
    '01 00 0100 1000 0010 00000000 01000000 00000000000000000000000000000000', // begins between units
    '01 00 0000 0100 0010 00000000 01000000 00', // ends between units, and is not the record's end
    '01 00 f01f 1000 ff1f 00000000 01000000 00000000000000000000000000000000', // a record above the limit
    '02 00 0000 00000000 01000000', // no pages
    '02 00 0102 00000000 01000000', // 513 zero pages
    '06 00 0000 02000000 000000000000 0000', // parity without its first member
    '05 00 0000 00000000 000000000000 0000 000000000000 0000 00000000', // an ACK of nothing
    '0b 000000', // no such frame
    '08 00', // cut short
  ]) {
    const { reader, kind } = read(lie);
    assert.is(kind, FRAME_BAD, lie);
    assert.is(reader.next(), FRAME_BAD, 'for good');
  }
});

test.run();
