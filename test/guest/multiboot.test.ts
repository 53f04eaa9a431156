/** What is said of an image before a loader sees it: good ones pass, every bad one has a reason, and no bytes throw. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { judgeImage } from '../../src/guest/index.js';
import { suite } from '../suite.js';

const METAL = readFileSync(fileURLToPath(new URL('../../../guest-images/metal/metal.elf', import.meta.url)));
const MIB = 2 ** 20;

const test = suite('guest/multiboot');

function why(image: Uint8Array, memory = 64 * MIB): string {
  const verdict = judgeImage(image, memory);
  return verdict.ok ? 'ok' : `${verdict.code}: ${verdict.text}`;
}

function changed(at: number, value: number): Uint8Array {
  const image = new Uint8Array(METAL);
  new DataView(image.buffer).setUint32(at, value, true);
  return image;
}

/** A flat image that says itself where it goes: header at 0, loaded at `loadAt`. */
function flat(fields: { loadAt?: number; loadEnd?: number; bssEnd?: number; headerAt?: number }): Uint8Array {
  const image = new Uint8Array(64);
  const view = new DataView(image.buffer);
  const loadAt = fields.loadAt ?? MIB;
  const words = [0x1badb002, 0x10000, -(0x1badb002 + 0x10000), fields.headerAt ?? loadAt, loadAt];
  [...words, fields.loadEnd ?? 0, fields.bssEnd ?? 0, loadAt + 32].forEach((w, i) => {
    view.setInt32(4 * i, w | 0, true);
  });
  return image;
}

test('the metal image can be booted where there is room for it', () => {
  const verdict = judgeImage(METAL, 64 * MIB);
  assert.ok(verdict.ok);
  assert.ok(verdict.endsAt > MIB && verdict.endsAt < 4 * MIB);
  assert.match(why(METAL, MIB), /GUEST_IMAGE_TOO_LARGE: it takes memory up to \d+ KiB/);
});

test('every bad image is told why', () => {
  assert.match(why(new Uint8Array(0)), 'no multiboot header');
  assert.match(why(METAL.subarray(0, 100)), 'no multiboot header');
  assert.match(why(changed(0, 1)), 'no ELF file');
  assert.match(why(changed(16, 0x003e0002)), 'not one for i386');
  assert.match(why(changed(28, 0x7fffffff)), 'table of segments is cut off');
  assert.match(why(METAL.subarray(0, 0x2000)), 'segment 0 is cut off');
  assert.match(why(flat({ loadAt: 63 * MIB, bssEnd: 65 * MIB })), 'GUEST_IMAGE_TOO_LARGE');
  assert.match(why(flat({ loadEnd: MIB + 65 })), 'loads more than the file holds');
  assert.match(why(flat({ loadEnd: 5 })), 'ends the load before it begins');
  assert.match(why(flat({ headerAt: MIB + 8 })), 'from before its beginning');
  assert.is(why(flat({})), 'ok');
});

test('random bytes behind a right header never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, elf) => {
      const image = elf ? new Uint8Array(METAL.subarray(0, 4096)) : flat({});
      image.set(bytes.subarray(0, image.length - 16), elf ? 4 : 16);
      judgeImage(image, 64 * MIB);
    }),
  );
});

test.run();
