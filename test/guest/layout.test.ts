import * as assert from 'uvu/assert';
import { isLonghaulError } from '../../src/core/index.js';
import {
  decodeDeviceState,
  dirtyRange,
  encodeDeviceState,
  GuestHeader,
  layoutOf,
  slotPagesOf,
} from '../../src/guest/index.js';
import { suite } from '../suite.js';

const test = suite('guest/layout, device-state');

test('service pages stand before the free ones, and shrink with a small guest', () => {
  assert.equal(layoutOf(65536), {
    pages: 65536,
    clientPage: 1,
    slotFirstPage: 2,
    slotPages: 256,
    freeFirstPage: 258,
    freePages: 65278,
  });
  assert.is(slotPagesOf(256), 64);
  assert.is(layoutOf(256).freePages, 190);
  assert.equal(dirtyRange(layoutOf(256), 1000), { firstPage: 66, pages: 190 });
  assert.equal(dirtyRange(layoutOf(65536), 10), { firstPage: 258, pages: 10 });
});

test('a memory outside 1MiB..4GiB is refused by code', () => {
  for (const pages of [0, 255, 2 ** 20 + 1, 1000.5, Number.NaN]) {
    assert.throws(
      () => layoutOf(pages),
      (e: unknown) => isLonghaulError(e, 'GUEST_MEMORY_RANGE'),
    );
  }
});

test('a header is bytes in guest memory: another object over a copy of page 0 goes on from it', () => {
  const memory = new Uint8Array(1 << 20);
  const layout = layoutOf(256);
  const header = new GuestHeader(memory);
  assert.is(header.isFormatted(layout), false);
  header.format(
    layout,
    7,
    Uint8Array.from({ length: 16 }, (_, i) => i),
  );
  assert.equal(
    [...memory.subarray(0, 24)],
    [
      ...[0x4c, 0x48, 0x47, 0x31], // 'LHG1'
      ...[1, 0, 0, 0], // version
      ...[0, 1, 0, 0], // 256 pages
      ...[64, 0, 0, 0], // slot pages
      ...[0, 1, 2, 3, 4, 5, 6, 7], // boot id
    ],
  );
  header.instructions = 5;
  const before = [header.u32(), header.u32()];
  assert.is.not(before[0], before[1]);
  const moved = new GuestHeader(memory.slice());
  assert.is(moved.isFormatted(layout), true);
  assert.is(moved.isFormatted(layoutOf(512)), false);
  assert.is(moved.instructions, 5);
  assert.equal([moved.u32(), moved.u32()], [header.u32(), header.u32()]);
});

test('device state: golden bytes, and what is not one is refused with its place', () => {
  const state = { mac: Uint8Array.of(2, 0, 0, 0, 0, 9), ip: 0x0a500009, ranNs: 1 };
  const bytes = encodeDeviceState(state);
  assert.is(
    Buffer.from(bytes).toString('hex'),
    '4c484431' + // 'LHD1'
      '0001' + // version
      '020000000009' + // MAC
      '0a500009' + // 10.80.0.9
      '3ff0000000000000', // 1.0
  );
  assert.equal(decodeDeviceState(bytes), { ok: true, state });
  const bad = (at: number, value: number): unknown => {
    const copy = bytes.slice();
    copy[at] = value;
    return decodeDeviceState(copy);
  };
  assert.equal(bad(0, 0), { ok: false, code: 'GUEST_STATE_INVALID', at: 0 });
  assert.equal(bad(5, 9), { ok: false, code: 'GUEST_STATE_INVALID', at: 4 });
  assert.equal(bad(16, 0xff), { ok: false, code: 'GUEST_STATE_INVALID', at: 16 });
  assert.equal(decodeDeviceState(bytes.slice(0, 10)), { ok: false, code: 'GUEST_STATE_INVALID', at: 10 });
});

test.run();
