import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { type AesGcm, libcrypto, NativeStruct, openAesGcm } from '../../src/sys/index.js';
import { suite } from '../suite.js';

const test = suite('sys/aes-gcm');
const KINDS: readonly AesGcm['kind'][] = ['libcrypto', 'node:crypto'];
const hidden = libcrypto === null ? 'this Node hides its OpenSSL' : null;
const hex = (s: string): Uint8Array => Uint8Array.from(Buffer.from(s.replace(/\s/g, ''), 'hex'));

function place(bytes: Uint8Array, length = bytes.length): NativeStruct {
  const p = new NativeStruct(length);
  p.bytes.set(bytes);
  return p;
}

/** NIST's and McGrew and Viega's vectors for 256-bit keys and 96-bit nonces ("The Galois/Counter Mode of Operation", B). */
const VECTORS = [
  {
    name: 'case 13: nothing at all',
    key: '00'.repeat(32),
    nonce: '00'.repeat(12),
    header: '',
    plain: '',
    sealed: '',
    tag: '530f8afbc74536b9a963b4f1c4cb738b',
  },
  {
    name: 'case 14: one block of zeros',
    key: '00'.repeat(32),
    nonce: '00'.repeat(12),
    header: '',
    plain: '00'.repeat(16),
    sealed: 'cea7403d4d606b6e074ec5d3baf39d18',
    tag: 'd0d1c8a799996bf0265b98b5d48ab919',
  },
  {
    name: 'case 15: four blocks',
    key: 'feffe9928665731c6d6a8f9467308308 feffe9928665731c6d6a8f9467308308',
    nonce: 'cafebabefacedbaddecaf888',
    header: '',
    plain:
      'd9313225f88406e5a55909c5aff5269a 86a7a9531534f7da2e4c303d8a318a72 1c3c0c95956809532fcf0e2449a6b525 b16aedf5aa0de657ba637b391aafd255',
    sealed:
      '522dc1f099567d07f47f37a32a84427d 643a8cdcbfe5c0c97598a2bd2555d1aa 8cb08e48590dbb3da7b08b1056828838 c5f61e6393ba7a0abcc9f662898015ad',
    tag: 'b094dac5d93471bdec1a502270e3cc6c',
  },
  {
    name: 'case 16: a header, and a last block that is not whole',
    key: 'feffe9928665731c6d6a8f9467308308 feffe9928665731c6d6a8f9467308308',
    nonce: 'cafebabefacedbaddecaf888',
    header: 'feedfacedeadbeeffeedfacedeadbeef abaddad2',
    plain:
      'd9313225f88406e5a55909c5aff5269a 86a7a9531534f7da2e4c303d8a318a72 1c3c0c95956809532fcf0e2449a6b525 b16aedf5aa0de657ba637b39',
    sealed:
      '522dc1f099567d07f47f37a32a84427d 643a8cdcbfe5c0c97598a2bd2555d1aa 8cb08e48590dbb3da7b08b1056828838 c5f61e6393ba7a0abcc9f662',
    tag: '76fc6ece0f4e1768cddf8853bb2d551b',
  },
];

for (const kind of KINDS) {
  for (const v of VECTORS) {
    test.when(kind === 'libcrypto' ? hidden : null, `${kind}, ${v.name}`, () => {
      const plain = hex(v.plain);
      const header = place(hex(v.header));
      const nonce = place(hex(v.nonce));
      const out = place(new Uint8Array(0), 128);
      const seal = openAesGcm('seal', kind);
      assert.is(seal.kind, kind);
      seal.setKey(hex(v.key));
      seal.begin(nonce, header, 0, hex(v.header).length);
      seal.update(place(plain), 0, out, 0, plain.length);
      assert.ok(seal.finish(out, plain.length));
      assert.is(
        Buffer.from(out.bytes.subarray(0, plain.length)).toString('hex'),
        v.sealed.replace(/\s/g, ''),
      );
      assert.is(Buffer.from(out.bytes.subarray(plain.length, plain.length + 16)).toString('hex'), v.tag);

      const open = openAesGcm('open', kind);
      open.setKey(hex(v.key));
      open.begin(nonce, header, 0, hex(v.header).length);
      open.update(out, 0, out, 0, plain.length);
      assert.ok(open.finish(out, plain.length));
      assert.equal(out.bytes.slice(0, plain.length), plain);
      seal.close();
      open.close();
    });
  }
}

test.when(
  hidden,
  'both ways seal alike, whatever the cuts, and open each other’s; a changed byte opens nowhere',
  () => {
    const [evp, node] = KINDS.map((kind) => openAesGcm('seal', kind));
    const opens = KINDS.map((kind) => openAesGcm('open', kind));
    const a = place(new Uint8Array(0), 1024);
    const b = place(new Uint8Array(0), 1024);
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.uint8Array({ minLength: 12, maxLength: 12 }),
        fc.uint8Array({ minLength: 1, maxLength: 40 }),
        fc.uint8Array({ minLength: 1, maxLength: 700 }),
        fc.nat(),
        fc.nat(),
        (key, iv, ad, plain, cut, wrong) => {
          const nonce = place(iv);
          const header = place(ad);
          const from = place(plain);
          const n = plain.length;
          const at = cut % n;
          for (const [seal, out] of [
            [evp!, a],
            [node!, b],
          ] as const) {
            seal.setKey(key);
            seal.begin(nonce, header, 0, ad.length);
            seal.update(from, 0, out, 0, at);
            seal.update(from, at, out, at, n - at);
            seal.finish(out, n);
          }
          assert.equal(a.bytes.slice(0, n + 16), b.bytes.slice(0, n + 16));
          const sealed = a.bytes.slice();
          for (const open of opens) {
            for (const broken of [false, true]) {
              a.bytes.set(sealed);
              if (broken) a.bytes[wrong % (n + 16)]! ^= 1 << (wrong % 8);
              open.setKey(key);
              open.begin(nonce, header, 0, ad.length);
              open.update(a, 0, a, 0, n);
              assert.is(open.finish(a, n), !broken);
              if (!broken) assert.equal(a.bytes.slice(0, n), plain);
            }
          }
        },
      ),
      { numRuns: 60 },
    );
    for (const c of [evp!, node!, ...opens]) c.close();
  },
);

test('a key of another length is refused', () => {
  for (const kind of KINDS) {
    const cipher = openAesGcm('seal', kind);
    assert.throws(() => cipher.setKey(new Uint8Array(16)), /16 bytes is not 32/);
    cipher.close();
  }
});

test.run();
