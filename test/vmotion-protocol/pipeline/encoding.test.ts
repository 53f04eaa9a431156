/** How encoded pages stand in a record: golden bytes, and descriptors that lie. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { PAGE_SIZE } from '../../../src/core/index.js';
import {
  AS_COMPRESSED,
  AS_DELTA,
  AS_RAW,
  AS_SAME,
  AS_ZERO,
  checkDescriptors,
  DESCRIPTOR_BYTES,
  descriptorEncoding,
  descriptorLength,
  EncodedRecord,
  HEADER_BYTES,
  lengthFits,
  MAX_RECORD_PAGES,
  RUN_BYTES,
  STAGING_BYTES,
} from '../../../src/vmotion-protocol/index.js';
import { suite } from '../../suite.js';

const test = suite('vmotion-protocol/pipeline/encoding');

function put(record: EncodedRecord, pfn: number, encoding: number, bytes: readonly number[]): void {
  record.body.set(bytes, record.bodyBytes);
  record.add(pfn, encoding, bytes.length, 0, 0);
}

test('golden: a record of four pages in two runs', () => {
  const record = new EncodedRecord();
  record.begin();
  put(record, 5, AS_ZERO, []);
  put(record, 6, AS_SAME, [1, 0, 0, 0, 0xaa, 0xaa, 0xaa, 0xaa, 0xbb, 0xbb, 0xbb, 0xbb]);
  put(record, 9, AS_DELTA, [1, 2, 3, 4, 5, 6, 7, 8]);
  put(record, 10, AS_COMPRESSED, [0xc0, 0xc1]);
  assert.is(record.finish(3, false), 16 + 16 + 16 + 22);
  const hex = (b: Uint8Array, n: number): string => Buffer.from(b.subarray(0, n)).toString('hex');
  const head = [
    '4c50 05 00 03000000 0200 0000 04000000', // 'LP', ENCODED, flags, round 3, 2 runs, reserved, 4 pages
    '05000000 02000000', //                      pfns 5 and 6
    '09000000 02000000', //                      pfns 9 and 10
    '01 00 0000', //                             ZERO, no bytes
    '02 00 0c00', //                             SAME, 12 bytes
    '03 00 0800', //                             DELTA, its hash and no change
    '04 00 0200', //                             COMPRESSED, 2 bytes
  ];
  assert.is(hex(record.head, record.headBytes), head.join('').replaceAll(' ', ''));
  const body = [
    '01000000 aaaaaaaa bbbbbbbb', // as page 1, if that has this hash
    '0102030405060708', //           hash of the page, which is as it was
    'c0c1', //                       a block
  ];
  assert.is(hex(record.body, record.bodyBytes), body.join('').replaceAll(' ', ''));
});

test('what is written is what a reader finds, and a full record fits its buffers', () => {
  const lengthOf = [PAGE_SIZE, 0, 12, 100, 4095];
  const record = new EncodedRecord();
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(4), fc.nat(3)), { minLength: 1, maxLength: MAX_RECORD_PAGES }),
      (pages) => {
        record.begin();
        let pfn = 0;
        let runs = 0;
        for (const [encoding, gap] of pages) {
          if (gap > 0 || pfn === 0) runs++;
          pfn += gap;
          record.add(pfn++, encoding, lengthOf[encoding]!, 0, 0);
        }
        const bytes = record.finish(1, false);
        assert.is(record.pages, pages.length);
        assert.ok(record.headBytes <= STAGING_BYTES && record.bodyBytes <= record.body.length);
        const view = new DataView(record.head.buffer);
        const at = HEADER_BYTES + runs * RUN_BYTES;
        assert.is(checkDescriptors(view, at, pages.length), bytes - record.headBytes);
        pages.forEach(([encoding], i) => {
          assert.is(descriptorEncoding(view, at + i * DESCRIPTOR_BYTES), encoding);
          assert.is(descriptorLength(view, at + i * DESCRIPTOR_BYTES), lengthOf[encoding]);
        });
      },
    ),
  );
});

test('a length fits its encoding or the record is refused', () => {
  const fits: readonly (readonly [number, number, boolean])[] = [
    [AS_RAW, PAGE_SIZE, true],
    [AS_RAW, PAGE_SIZE - 1, false],
    [AS_ZERO, 0, true],
    [AS_ZERO, 1, false],
    [AS_SAME, 12, true],
    [AS_SAME, 11, false],
    [AS_DELTA, 8, true],
    [AS_DELTA, 7, false],
    [AS_DELTA, PAGE_SIZE, false],
    [AS_COMPRESSED, 1, true],
    [AS_COMPRESSED, 0, false],
    [AS_COMPRESSED, PAGE_SIZE, false],
    [5, 0, false],
    [255, PAGE_SIZE, false],
  ];
  for (const [encoding, length, ok] of fits)
    assert.is(lengthFits(encoding, length), ok, `${encoding} ${length}`);
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4, maxLength: 256 }), (bytes) => {
      const pages = bytes.length >> 2;
      const n = checkDescriptors(new DataView(bytes.buffer, bytes.byteOffset), 0, pages);
      assert.ok(n >= -1 && n <= pages * PAGE_SIZE);
    }),
  );
  const reserved = new DataView(Uint8Array.of(AS_ZERO, 1, 0, 0).buffer);
  assert.is(checkDescriptors(reserved, 0, 1), -1, 'the byte between is 0');
});

test.run();
