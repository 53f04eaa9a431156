import fc from 'fast-check';
import * as assert from 'uvu/assert';
import {
  BlockBuffer,
  dropReasonOf,
  dropVerdict,
  encodeEvent,
  LINK_ETHERNET,
  type PacketDirection,
  PcapngDecoder,
  PcapngEncoder,
  type ReadPacket,
} from '../../src/capture/index.js';
import { suite } from '../suite.js';

const test = suite('capture/pcapng');

const hexBytes = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replace(/\/\/.*$/gm, '').replace(/\s/g, ''), 'hex'));

interface Read {
  readonly decoder: PcapngDecoder;
  readonly packets: ReadPacket[];
}

/** Decodes a whole file given in pieces that end at `cuts`. */
function decode(file: Uint8Array, cuts: readonly number[] = []): Read {
  const decoder = new PcapngDecoder();
  const packets: ReadPacket[] = [];
  let offset = 0;
  let left: Uint8Array = new Uint8Array(0);
  for (const end of [...cuts, file.length]) {
    const piece = Buffer.concat([left, file.subarray(offset + left.length, end)]);
    const taken = decoder.decode(piece, offset, end === file.length, packets);
    left = Uint8Array.from(piece.subarray(taken));
    offset += taken;
  }
  return { decoder, packets };
}

function encode(
  write: (e: PcapngEncoder) => void,
  epoch = { seconds: 1_700_000_000, nanoseconds: 5 },
): Uint8Array {
  const out = new BlockBuffer(16);
  write(new PcapngEncoder(out, epoch));
  return out.bytes.slice(0, out.length);
}

const ETHERNET_A = { name: 'a', description: '', linkType: LINK_ETHERNET, snapBytes: 262_144 };

test('what is written, byte by byte', () => {
  const written = encode((e) => {
    e.section({ comments: ['seed'] });
    e.interface(ETHERNET_A);
    e.packet(0, 995, Uint8Array.of(9, 1, 2, 3, 4, 5), 1, 6, 60, {
      direction: 'out',
      packetId: 7,
      verdict: dropVerdict('loss'),
      comment: 'x',
      unrecorded: 2,
    });
    e.statistics(1_000, {
      interfaceId: 0,
      received: 3,
      droppedByInterface: 2,
      droppedByFilter: 1,
      comment: null,
    });
  });
  const wanted = hexBytes(`
    0a0d0d0a 28000000      // section header, 40 bytes
    4d3c2b1a 0100 0000     // byte-order magic, version 1.0
    ffffffff ffffffff      // length of the section: not known
    0100 0400 73656564     // comment "seed"
    0000 0000 28000000     // end of options, the length again
    01000000 28000000      // interface description, 40 bytes
    0100 0000 00000400     // Ethernet, snap length 262144
    0200 0100 61 000000    // if_name "a", padded
    0900 0100 09 000000    // if_tsresol 10^-9
    0000 0000 28000000
    06000000 60000000      // enhanced packet, 96 bytes
    00000000               // interface 0
    fe9c9717 e8032a36      // 1,700,000,000,000,001,000 ns = 0x17979cfe_362a03e8, upper word first
    05000000 3c000000      // 5 bytes captured of 60
    0102030405 000000      // padded
    0200 0400 02000000     // epb_flags: outbound
    0400 0800 02000000 00000000   // epb_dropcount 2
    0500 0800 07000000 00000000   // epb_packetid 7
    0700 0500 00 6c6f7373 000000  // epb_verdict: hardware, "loss"
    0100 0100 78 000000    // comment "x"
    0000 0000 60000000
    05000000 40000000      // interface statistics, 64 bytes
    00000000 fe9c9717 ed032a36
    0400 0800 03000000 00000000   // isb_ifrecv 3
    0500 0800 02000000 00000000   // isb_ifdrop 2
    0600 0800 02000000 00000000   // isb_filteraccept 2
    0000 0000 40000000`);
  assert.is(Buffer.from(written).toString('hex'), Buffer.from(wanted).toString('hex'));
});

test('a big-endian file with stamps in 2^-20 s, an offset, a simple packet, names, and blocks nobody knows', () => {
  const file = hexBytes(`
    0a0d0d0a 0000001c 1a2b3c4d 0001 0002 ffffffffffffffff 0000001c
    00000001 0000002c      // interface
    0001 0000 00000040     // Ethernet, snap length 64
    0009 0001 94 000000    // 2^-20 s
    000e 0008 0000000000000064    // if_tsoffset 100 s
    0000 0000 0000002c
    00000bad 00000014 0102030405060708 00000014     // a custom block of the older kind
    00000006 00000038      // packet
    00000000 00000000 00180000    // 1.5 s in 2^-20 s
    00000004 00000004 aabbccdd
    1234 0003 616263 00    // an option nobody knows
    0002 0004 00000001     // inbound
    0000 0000 00000038
    00000003 00000014 00000003 112233 00 00000014   // simple packet of 3 bytes
    00000004 00000024      // names
    0001 0008 0a500001 6100 6200    // 10.80.0.1: a, b
    0000 0000
    0001 0002 6869 0000    // comment behind the records
    00000024`);
  const { decoder, packets } = decode(file);
  assert.is(decoder.damage, null);
  assert.is(decoder.section!.byteOrder, 'big');
  assert.equal(decoder.epoch, { seconds: 101, nanoseconds: 500_000_000 });
  assert.equal(
    packets.map(({ bytes, direction, atNs }) => [Buffer.from(bytes).toString('hex'), direction, atNs]),
    [
      ['aabbccdd', 'in', 0],
      ['112233', null, 0],
    ],
  );
  assert.equal(
    decoder.names.map(({ address, names }) => [[...address], names]),
    [
      [
        [10, 80, 0, 1],
        ['a', 'b'],
      ],
    ],
  );
});

const anyPacket = fc.record({
  interfaceId: fc.constantFrom(0, 1),
  atNs: fc.integer({ min: 0, max: 9e15 }),
  data: fc.uint8Array({ maxLength: 90 }),
  more: fc.nat(5),
  direction: fc.constantFrom<PacketDirection | null>('in', 'out', null),
  packetId: fc.option(fc.maxSafeNat()),
  verdict: fc.option(fc.record({ kind: fc.nat(255), value: fc.uint8Array({ maxLength: 9 }) })),
  comment: fc.option(fc.string({ minLength: 1, unit: 'grapheme-ascii' })),
});

test('what was written is read again, however the file is split', () => {
  fc.assert(
    fc.property(
      fc.array(anyPacket, { maxLength: 8 }),
      fc.array(fc.nat(1500), { maxLength: 6 }),
      fc.record({ seconds: fc.integer({ min: 0, max: 4e9 }), nanoseconds: fc.nat(999_999_999) }),
      (sent, cuts, epoch) => {
        const file = encode((e) => {
          e.section({ application: 'longhaul', comments: ['one', 'two'] });
          e.interface(ETHERNET_A);
          e.interface({ ...ETHERNET_A, name: 'b', description: 'site b: x' });
          for (const p of sent)
            e.packet(p.interfaceId, p.atNs, p.data, 0, p.data.length, p.data.length + p.more, p);
        }, epoch);
        const inside = cuts.filter((cut) => cut < file.length).sort((x, y) => x - y);
        const { decoder, packets } = decode(file, inside);
        assert.is(decoder.damage, null);
        assert.is(decoder.interfaces[1]!.description, 'site b: x');
        const first = sent[0]?.atNs ?? 0;
        assert.equal(
          packets.map(({ offset: _, bytes, verdict, ...rest }) => ({
            ...rest,
            bytes: [...bytes],
            verdict: verdict && { kind: verdict.kind, value: [...verdict.value] },
          })),
          sent.map(({ data, more, atNs, verdict, ...rest }) => ({
            ...rest,
            atNs: atNs - first,
            bytes: [...data],
            originalBytes: data.length + more,
            verdict: verdict && { kind: verdict.kind, value: [...verdict.value] },
          })),
        );
      },
    ),
  );
});

test('random and damaged bytes never throw, and what is damaged is told with its place', () => {
  const good = encode((e) => {
    e.section({ comments: ['c'] });
    e.interface(ETHERNET_A);
    for (let i = 0; i < 3; i++) {
      e.packet(0, i, new Uint8Array(40), 0, 40, 40, { direction: 'in', packetId: i, comment: 'hello' });
    }
  });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
      fc.nat(good.length),
      (changes, length) => {
        const file = good.slice(0, Math.max(28, length));
        for (const [at, value] of changes) if (at < file.length) file[at] = value;
        const { decoder, packets } = decode(file);
        assert.ok(packets.length <= 3);
        if (decoder.damage !== null) assert.ok(decoder.damage.offset <= file.length);
      },
    ),
    { numRuns: 500 },
  );
});

test('a block of another kind, as long as it says, is passed over without waiting for it', () => {
  const head = encode((e) => {
    e.section({});
    e.interface(ETHERNET_A);
  });
  const long = new Uint8Array(3_000_012);
  const view = new DataView(long.buffer);
  view.setUint32(0, 0x4000_0bad, true);
  view.setUint32(4, long.length, true);
  view.setUint32(long.length - 4, long.length, true);
  const tail = encode((e) => e.packet(0, 1, new Uint8Array(4), 0, 4, 4, {}));
  const file = Buffer.concat([head, long, tail]);
  const decoder = new PcapngDecoder();
  const packets: ReadPacket[] = [];
  const first = head.length + 100;
  assert.is(decoder.decode(file.subarray(0, first), 0, false, packets), first);
  assert.is(decoder.decode(file.subarray(first), first, true, packets), file.length - first);
  assert.is(decoder.damage, null);
  assert.is(packets.length, 1);
});

test('a second section has interfaces and a byte order of its own', () => {
  const one = encode((e) => {
    e.section({});
    e.interface(ETHERNET_A);
    e.packet(0, 0, Uint8Array.of(1), 0, 1, 1, {});
  });
  const two = hexBytes(`
    0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c
    00000001 00000014 0001 0000 00000000 00000014
    00000006 00000024 00000000 00060a24 181e4000 00000001 00000001 02000000 00000024`);
  const { decoder, packets } = decode(Buffer.concat([one, two]));
  assert.is(decoder.damage, null);
  assert.equal(
    packets.map((p) => p.interfaceId),
    [0, 1],
  );
  // 0x00060a24181e4000 µs = 1,700,000,000 s, 5 ns before the first packet.
  assert.is(packets[1]!.atNs, -5);
});

test('our own verdicts are read as reasons, those of others are not', () => {
  const absent = { interfaceId: 0, atNs: 0, bytes: new Uint8Array(0), originalBytes: 0, direction: null };
  const packet = { ...absent, packetId: null, comment: null };
  assert.is(dropReasonOf({ ...packet, verdict: dropVerdict('queue-full') }), 'queue-full');
  assert.is(dropReasonOf({ ...packet, verdict: { kind: 1, value: Uint8Array.of(2) } }), null);
  assert.is(dropReasonOf({ ...packet, verdict: null }), null);
});

test('an event is text for a dissector that Wireshark has', () => {
  const wanted = hexBytes(`
    000c 0010 646174612d746578742d6c696e657300   // tag 12: "data-text-lines", padded
    0000 0000                                     // end of tags
    676f`);
  assert.is(Buffer.from(encodeEvent('go')).toString('hex'), Buffer.from(wanted).toString('hex'));
});

test.run();
