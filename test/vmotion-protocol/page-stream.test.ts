import fc from 'fast-check';
import * as assert from 'uvu/assert';
import {
  AS_COMPRESSED,
  AS_RAW,
  AS_ZERO,
  EncodedRecord,
  HEADER_BYTES,
  MAX_RECORD_PAGES,
  MAX_RECORD_RUNS,
  PAGE_HASH_BYTES,
  PageStreamReader,
  RECORD_DATA,
  RECORD_END,
  RECORD_ZERO,
  RUN_BYTES,
  writeRecordHeader,
  writeRun,
} from '../../src/vmotion-protocol/index.js';
import { suite } from '../suite.js';

const test = suite('vmotion-protocol/page-stream');
const PAGE = 4096;

interface Rec {
  readonly kind: number;
  readonly runs: readonly (readonly [pfn: number, count: number])[];
}

/** A record as bytes; page `pfn` is filled with `pfn + 1`. */
function bytesOf(r: Rec, round: number, pages = r.runs.reduce((n, [, c]) => n + c, 0)): Uint8Array {
  const payload = r.kind === RECORD_DATA ? pages * PAGE : 0;
  const out = new Uint8Array(HEADER_BYTES + r.runs.length * RUN_BYTES + payload);
  const view = new DataView(out.buffer);
  writeRecordHeader(view, 0, r.kind, round, r.runs.length, pages);
  let at = HEADER_BYTES;
  for (const [pfn, count] of r.runs) {
    writeRun(view, at, pfn, count);
    at += RUN_BYTES;
  }
  if (payload > 0) {
    for (const [pfn, count] of r.runs) {
      for (let p = pfn; p < pfn + count; p++, at += PAGE) out.fill(p + 1, at, at + PAGE);
    }
  }
  return out;
}

/** Feeds a stream in pieces as a driver would, moving payload itself. */
function receive(pages: number, stream: Uint8Array, pieceBytes: (i: number) => number) {
  const reader = new PageStreamReader(pages);
  const memory = new Uint8Array(pages * PAGE);
  const events: string[] = [];
  let at = 0;
  for (let i = 0; at < stream.length && reader.failure === null; i++) {
    let left = Math.min(Math.max(1, pieceBytes(i)), stream.length - at);
    while (left > 0 && reader.failure === null) {
      const n = Math.min(left, reader.needBytes);
      const piece = stream.subarray(at, at + n);
      if (reader.phase === 'payload') memory.set(piece, reader.memoryOffset);
      else if (reader.phase === 'staging') reader.staging.set(piece, reader.stagingOffset);
      const event = reader.taken(n);
      at += n;
      left -= n;
      if (event === 'more') continue;
      const runs = Array.from(
        { length: event === 'end' ? 0 : reader.runs },
        (_, r) => `${reader.pfns[r]}+${reader.counts[r]}`,
      );
      events.push(
        event === 'bad'
          ? `bad ${reader.failure!.code} @${reader.failure!.at}`
          : `${event} ${reader.round} ${runs.join(' ')}`.trim(),
      );
    }
  }
  return { reader, memory, events };
}

const whole = (stream: Uint8Array, pages = 100) => receive(pages, stream, () => stream.length).events;
const concat = (parts: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(parts));

test('golden bytes of a ZERO record and of an END', () => {
  assert.is(
    Buffer.from(
      bytesOf(
        {
          kind: RECORD_ZERO,
          runs: [
            [5, 3],
            [256, 1],
          ],
        },
        7,
      ),
    ).toString('hex'),
    [
      '4c50', // 'LP'
      '02', // ZERO
      '00', // flags
      '07000000', // round 7
      '0200', // 2 runs
      '0000', // reserved
      '04000000', // 4 pages
      '0500000003000000', // pfn 5, 3 pages
      '0001000001000000', // pfn 256, 1 page
    ].join(''),
  );
  assert.is(
    Buffer.from(bytesOf({ kind: RECORD_END, runs: [] }, 1)).toString('hex'),
    '4c50030001000000' + '0000000000000000', // END of round 1, no runs, no pages
  );
});

/** Records of ascending disjoint runs within `pages`. */
const record = (pages: number): fc.Arbitrary<Rec> =>
  fc
    .tuple(
      fc.constantFrom(RECORD_DATA, RECORD_ZERO),
      fc.uniqueArray(fc.nat(pages - 1), { minLength: 1, maxLength: 12 }),
    )
    .map(([kind, pfns]) => {
      const sorted = pfns.sort((a, b) => a - b);
      const runs: [number, number][] = [];
      for (const pfn of sorted) {
        const last = runs[runs.length - 1];
        if (last && last[0] + last[1] === pfn && pfn % 3 !== 0) last[1]++;
        else runs.push([pfn, 1]);
      }
      return { kind, runs };
    });

test('any split of a stream gives the same events and the same memory', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(record(40), { maxLength: 4 }), { minLength: 1, maxLength: 3 }),
      fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1, maxLength: 50 }),
      (rounds, cuts) => {
        const stream = concat(
          rounds.flatMap((records, r) => [
            ...records.map((x) => bytesOf(x, r + 1)),
            bytesOf({ kind: RECORD_END, runs: [] }, r + 1),
          ]),
        );
        const once = receive(40, stream, () => stream.length);
        const split = receive(40, stream, (i) => cuts[i % cuts.length]!);
        assert.is(once.reader.failure, null);
        assert.equal(split.events, once.events);
        assert.equal(split.memory, once.memory);
        for (const records of rounds) {
          for (const { kind, runs } of records) {
            if (kind !== RECORD_DATA) continue;
            for (const [pfn] of runs) assert.is(once.memory[pfn * PAGE], pfn + 1);
          }
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('the driver is told where every run goes, and how much is left', () => {
  const reader = new PageStreamReader(100);
  const stream = bytesOf(
    {
      kind: RECORD_DATA,
      runs: [
        [2, 1],
        [90, 2],
      ],
    },
    1,
  );
  reader.staging.set(stream.subarray(0, HEADER_BYTES), reader.stagingOffset);
  assert.is(reader.taken(HEADER_BYTES), 'more');
  assert.is(reader.needBytes, 16);
  reader.staging.set(stream.subarray(HEADER_BYTES, HEADER_BYTES + 16), reader.stagingOffset);
  assert.is(reader.taken(16), 'data');
  assert.equal([reader.phase, reader.memoryOffset, reader.needBytes], ['payload', 2 * PAGE, PAGE]);
  assert.is(reader.payloadBytesLeft, 3 * PAGE);
  assert.is(reader.taken(PAGE), 'more');
  assert.equal(
    [reader.memoryOffset, reader.needBytes, reader.payloadBytesLeft],
    [90 * PAGE, 2 * PAGE, 2 * PAGE],
  );
  assert.is(reader.taken(100), 'more');
  assert.equal([reader.memoryOffset, reader.needBytes], [90 * PAGE + 100, 2 * PAGE - 100]);
  assert.is(reader.taken(2 * PAGE - 100), 'data-done');
  assert.equal([reader.phase, reader.needBytes], ['staging', HEADER_BYTES]);
});

test('a ZERO record may cover all pages in one run, a DATA record at most 64', () => {
  const all = bytesOf({ kind: RECORD_ZERO, runs: [[0, 1 << 20]] }, 1);
  assert.equal(whole(all, 1 << 20), ['zero 1 0+1048576']);
  const long = bytesOf({ kind: RECORD_DATA, runs: [[0, MAX_RECORD_PAGES + 1]] }, 1);
  assert.equal(whole(long), ['bad VMOTION_PAGE_COUNT @0']);
});

test('what is wrong is refused before a byte of it is accepted, with a code and a place', () => {
  const good = bytesOf({ kind: RECORD_ZERO, runs: [[1, 1]] }, 1);
  const edited = (edit: (v: DataView) => void, r: Rec = { kind: RECORD_ZERO, runs: [[1, 1]] }) => {
    const b = bytesOf(r, 1);
    edit(new DataView(b.buffer));
    return whole(concat([good, b])).slice(1);
  };
  assert.equal(
    edited((v) => v.setUint16(0, 0, true)),
    ['bad VMOTION_PAGE_MAGIC @24'],
  );
  assert.equal(
    edited((v) => v.setUint8(2, 7)),
    ['bad VMOTION_PAGE_KIND @24'],
  );
  assert.equal(
    edited((v) => v.setUint8(3, 1)),
    ['bad VMOTION_PAGE_FLAGS @24'],
  );
  assert.equal(
    edited((v) => v.setUint16(10, 1, true)),
    ['bad VMOTION_PAGE_FLAGS @24'],
  );
  assert.equal(
    edited((v) => v.setUint32(4, 2, true)),
    ['bad VMOTION_PAGE_ROUND @24'],
  );
  assert.equal(
    edited((v) => v.setUint16(8, 0, true)),
    ['bad VMOTION_PAGE_RUNS @24'],
  );
  assert.equal(
    edited((v) => v.setUint16(8, 2, true)),
    ['bad VMOTION_PAGE_RUNS @24'],
    'more runs than pages',
  );
  assert.equal(
    edited((v) => v.setUint32(12, 0xffffffff, true)),
    ['bad VMOTION_PAGE_COUNT @24'],
  );
  assert.equal(
    edited((v) => v.setUint32(12, 2, true)),
    ['bad VMOTION_PAGE_COUNT @24'],
    'header and runs disagree',
  );
  assert.equal(
    edited((v) => v.setUint32(16, 100, true)),
    ['bad VMOTION_PAGE_RANGE @24'],
    'behind the last page',
  );
  assert.equal(
    edited((v) => v.setUint32(20, 0, true)),
    ['bad VMOTION_PAGE_RANGE @24'],
    'an empty run',
  );
  assert.equal(
    edited((v) => v.setUint32(20, 0xffffffff, true)),
    ['bad VMOTION_PAGE_RANGE @24'],
  );
  const twice: Rec = {
    kind: RECORD_DATA,
    runs: [
      [5, 2],
      [6, 1],
    ],
  };
  assert.equal(
    edited(() => {}, twice),
    ['bad VMOTION_PAGE_RANGE @24'],
    'a page twice in one record',
  );
  const many = Array.from({ length: MAX_RECORD_RUNS + 1 }, (_, i) => [i * 2, 1] as const);
  assert.equal(whole(bytesOf({ kind: RECORD_ZERO, runs: many }, 1), 1000), ['bad VMOTION_PAGE_RUNS @0']);
  const end = bytesOf({ kind: RECORD_END, runs: [] }, 1, 1);
  assert.equal(whole(end), ['bad VMOTION_PAGE_COUNT @0']);
});

test('a round ends once: after END only the next round is taken', () => {
  const end = bytesOf({ kind: RECORD_END, runs: [] }, 1);
  const zero = bytesOf({ kind: RECORD_ZERO, runs: [[1, 1]] }, 1);
  assert.equal(whole(concat([end, zero])), ['end 1', 'bad VMOTION_PAGE_ROUND @16']);
  assert.equal(whole(concat([end, bytesOf({ kind: RECORD_END, runs: [] }, 2)])), ['end 1', 'end 2']);
});

test('random bytes never throw, never want more than a staging buffer, and stay refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 700 }), fc.boolean(), (b, magic) => {
      if (magic) b.set([0x4c, 0x50, 1 + (b[2]! % 3), 0, 1, 0, 0, 0]);
      const { reader } = receive(500, b, (i) => 1 + (i % 97));
      if (reader.failure !== null) assert.is(reader.taken(0), 'bad');
      else if (reader.phase === 'staging')
        assert.ok(reader.stagingOffset + reader.needBytes <= reader.staging.length);
      else assert.ok(reader.memoryOffset + reader.needBytes <= 500 * PAGE);
    }),
  );
});

/** An encoded record of a RAW page 4, a zero one 5 and a block of 3 bytes at 9. */
function encodedRecord(
  hashed: boolean,
  edit: (record: Uint8Array, descriptorsAt: number) => void = () => {},
) {
  const record = new EncodedRecord();
  record.begin();
  record.body.fill(0xaa, 0, PAGE);
  record.add(4, AS_RAW, PAGE, 1, 2);
  record.add(5, AS_ZERO, 0, 3, 4);
  record.body.set([1, 2, 3], record.bodyBytes);
  record.add(9, AS_COMPRESSED, 3, 5, 6);
  record.finish(1, hashed);
  const bytes = concat([record.head.slice(0, record.headBytes), record.body.slice(0, record.bodyBytes)]);
  edit(bytes, HEADER_BYTES + 2 * RUN_BYTES + (hashed ? 3 * PAGE_HASH_BYTES : 0));
  return bytes;
}

test('golden: the head of an encoded record with hashes', () => {
  const head = [
    '4c50 06 00 01000000 0200 0000 03000000', // 'LP', ENCODED_HASHED, flags, round 1, 2 runs, reserved, 3 pages
    '04000000 02000000 09000000 01000000', //    pfns 4 and 5, pfn 9
    '01000000 02000000', //                      hash of page 4
    '03000000 04000000', //                      of page 5
    '05000000 06000000', //                      of page 9
    '00 00 0010', //                             RAW, 4096 bytes
    '01 00 0000', //                             ZERO
    '04 00 0300', //                             COMPRESSED, 3 bytes
  ];
  const hex = head.join('').replaceAll(' ', '');
  assert.is(Buffer.from(encodedRecord(true)).toString('hex').slice(0, hex.length), hex);
});

test('encoded records: any split reads the same, and the pages’ bytes go to a buffer, not to memory', () => {
  const end = bytesOf({ kind: RECORD_END, runs: [] }, 1);
  for (const hashed of [false, true]) {
    const stream = concat([encodedRecord(hashed), bytesOf({ kind: RECORD_DATA, runs: [[1, 1]] }, 1), end]);
    const expected = [
      'encoded 1 4+2 9+1',
      'encoded-done 1 4+2 9+1',
      'data 1 1+1',
      'data-done 1 1+1',
      'end 1',
    ];
    for (const piece of [1, 3, 17, 4096, stream.length]) {
      const { events, memory } = receive(20, stream, () => piece);
      assert.equal(events, expected, `pieces of ${piece}`);
      assert.is(memory[4 * PAGE], 0);
      assert.is(memory[PAGE], 2, 'what follows is read where it belongs');
    }
  }
  const zeros = new EncodedRecord();
  zeros.begin();
  zeros.add(3, AS_ZERO, 0, 0, 0);
  zeros.finish(1, false);
  assert.equal(whole(concat([zeros.head.slice(0, zeros.headBytes), end])), ['encoded-done 1 3+1', 'end 1']);
});

test('descriptors that lie are refused before a byte of a page is accepted', () => {
  const edits: ((record: Uint8Array, at: number) => void)[] = [
    (r, at) => r.set([5], at), //           no such encoding
    (r, at) => r.set([1], at + 1), //       the byte between
    (r, at) => r.set([0xff, 0x0f], at + 2), // RAW of 4095 bytes
    (r, at) => r.set([1], at + 4 + 2), //   ZERO of a byte
    (r, at) => r.set([0, 0x10], at + 8 + 2), // a block as long as a page
  ];
  for (const hashed of [false, true]) {
    for (const edit of edits)
      assert.equal(whole(encodedRecord(hashed, edit)), ['bad VMOTION_PAGE_ENCODING @0']);
  }
});

test.run();
