import fc from 'fast-check';
import { Packr } from 'msgpackr';
import * as assert from 'uvu/assert';
import {
  decodeMessage,
  encodeMessage,
  FRAME_BYTES_MAX,
  MESSAGE_BYTES_MAX,
  type Message,
  MessageReader,
  MIGRATION_MODES,
  PAGE_SET_BYTES_MAX,
  STATE_BYTES_MAX,
} from '../../src/vmotion-protocol/index.js';
import { suite } from '../suite.js';

const test = suite('vmotion-protocol/messages');

/** Plain objects, as the decoder makes them. */
const rec = <T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const id = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((b) => Buffer.from(b).toString('hex'));
const version = rec({ major: fc.nat(255), minor: fc.nat(255) });
const hash64 = rec({ lo: u32, hi: u32 });
const code = fc.constantFrom('VMOTION_LIMIT', 'VMOTION_CANCELLED', '');
const text = fc.string({ maxLength: 100 });
const ns = fc.integer({ min: 0, max: 8_640_000_000_000_000 });
const round = fc.integer({ min: 1, max: 0xffff });
const pages = fc.nat(1 << 22);
const bytesOf = (min: number, max: number) => fc.uint8Array({ minLength: min, maxLength: max });
const pageSet = bytesOf(1, 60);
const times = rec({ finalReceivedNs: ns, appliedNs: ns, verifiedNs: ns, recordedNs: ns, startedNs: ns });

const message: fc.Arbitrary<Message> = fc.oneof(
  rec({
    type: fc.constant('offer' as const),
    version,
    migrationId: id,
    guest: fc.string({ minLength: 1, maxLength: 64 }),
    epoch: u32,
    mode: fc.constantFrom('pre-copy', 'hybrid'),
    pages: fc.integer({ min: 1, max: 1 << 22 }),
    pageSize: fc.constant(4096),
    streams: fc.integer({ min: 1, max: 16 }),
    storeId: id,
    stateBytesMax: fc.nat(STATE_BYTES_MAX),
    codecs: fc.constantFrom('', 'lz4', 'zstd,lz4,sparse'),
    shape: fc.constantFrom('', 'v86-1 4096KiB'),
  }),
  rec({
    type: fc.constant('accept' as const),
    version,
    storeId: id,
    mode: fc.constantFrom(...MIGRATION_MODES),
    codec: fc.constantFrom('', 'lz4', 'zstd'),
  }),
  rec({ type: fc.constantFrom('refuse' as const, 'abort' as const, 'reject' as const), code, text }),
  rec({ type: fc.constantFrom('ping' as const, 'pong' as const), seq: u32 }),
  rec({ type: fc.constant('round-done' as const), round, pages, missed: bytesOf(0, 60) }),
  rec({ type: fc.constant('arm' as const), round, left: pageSet }),
  rec({ type: fc.constant('ready' as const) }),
  rec({
    type: fc.constant('final' as const),
    migrationId: id,
    epoch: u32,
    round,
    pages,
    state: bytesOf(0, 300),
    stateHash: hash64,
    setHash: hash64,
    missing: pageSet,
  }),
  rec({ type: fc.constant('started' as const), migrationId: id, epoch: u32, times }),
  rec({ type: fc.constant('complete' as const), migrationId: id, epoch: u32 }),
  rec({
    type: fc.constant('resume' as const),
    migrationId: id,
    epoch: u32,
    round: fc.integer({ min: 1, max: 0xffff }),
    final: fc.boolean(),
  }),
  rec({
    type: fc.constant('lacks' as const),
    migrationId: id,
    round: fc.integer({ min: 0, max: 0xffff }),
    missing: pageSet,
  }),
  rec({ type: fc.constant('nack' as const), migrationId: id, code, text }),
  rec({ type: fc.constant('frame' as const), bytes: bytesOf(14, 200) }),
  rec({
    type: fc.constant('hashes' as const),
    firstPfn: fc.nat((1 << 22) - 1),
    hashes: fc.integer({ min: 1, max: 30 }).chain((n) => bytesOf(n * 8, n * 8)),
  }),
  rec({ type: fc.constant('ended' as const), migrationId: id }),
  rec({ type: fc.constant('ask' as const), migrationId: id, storeId: id }),
  rec({
    type: fc.constant('answer' as const),
    migrationId: id,
    verdict: fc.constantFrom('running' as const, 'never' as const, 'undecided' as const, 'unknown' as const),
  }),
);

/** Everything a reader gives for a stream cut into these pieces. */
function readAll(pieces: readonly Uint8Array[]) {
  const reader = new MessageReader();
  const out = [];
  for (const piece of pieces) {
    reader.push(piece);
    for (let d = reader.next(); d !== null; d = reader.next()) out.push(d);
  }
  return { out, reader };
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

const packr = new Packr({ useRecords: false });
const refusal = (value: unknown) => {
  const d = decodeMessage(packr.pack(value));
  assert.not.ok(d.ok, 'was accepted');
  return d as Exclude<typeof d, { ok: true }>;
};

test('golden bytes of a PING and of an ACCEPT', () => {
  assert.is(
    Buffer.from(encodeMessage({ type: 'ping', seq: 70 })).toString('hex'),
    [
      '00000012', // length 18
      'de0002', // map of 2
      'a474797065', // "type"
      'a470696e67', // "ping"
      'a3736571', // "seq"
      '46', // 70
    ].join(''),
  );
  assert.is(
    Buffer.from(
      encodeMessage({
        type: 'accept',
        version: { major: 1, minor: 1 },
        storeId: '000102030405060708090a0b0c0d0e0f',
        mode: 'hybrid',
        codec: 'lz4',
      }),
    ).toString('hex'),
    [
      '00000058', // length 88
      'de0005', // map of 5
      'a474797065a6616363657074', // type: "accept"
      'a776657273696f6e', // "version"
      'de0002a56d616a6f7201a56d696e6f7201', // {major: 1, minor: 1}
      'a773746f72654964', // "storeId"
      'c410000102030405060708090a0b0c0d0e0f', // 16 bytes
      'a46d6f6465a6687962726964', // mode: "hybrid"
      'a5636f646563a36c7a34', // codec: "lz4"
    ].join(''),
  );
});

test('every message comes back as it was sent, and any split of the stream reads the same', () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 8 }), fc.array(fc.nat(400)), (messages, cuts) => {
      const stream = concat(messages.map(encodeMessage));
      const pieces: Uint8Array[] = [];
      let at = 0;
      for (const cut of cuts) {
        pieces.push(stream.slice(at, at + cut));
        at += cut;
      }
      pieces.push(stream.slice(at));
      const { out, reader } = readAll(pieces);
      assert.equal(
        out.map((d) => (d.ok ? d.message : d)),
        messages,
      );
      assert.is(reader.pendingBytes, 0);
    }),
  );
});

test('what is decoded owns its bytes: the input may be reused', () => {
  const bytes = encodeMessage({ type: 'frame', bytes: new Uint8Array(60).fill(7) });
  const d = decodeMessage(bytes.subarray(4));
  bytes.fill(0);
  assert.ok(d.ok && d.message.type === 'frame' && d.message.bytes.every((b) => b === 7));
});

test('random bytes and damaged messages never throw', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (b) => typeof decodeMessage(b).ok === 'boolean'));
  fc.assert(
    fc.property(message, fc.nat(), fc.nat(255), (m, at, value) => {
      const b = encodeMessage(m).subarray(4);
      b[at % b.length] = value;
      return typeof decodeMessage(b).ok === 'boolean';
    }),
  );
});

test('an over-long length is refused from its four bytes alone, and ends the stream', () => {
  const { out, reader } = readAll([
    Uint8Array.of(0x00, 0x10),
    Uint8Array.of(0x00, 0x01),
    encodeMessage({ type: 'ready' }),
  ]);
  assert.is(out.length, 1);
  assert.is(out[0]!.ok === false && out[0]!.code, 'VMOTION_MESSAGE_LENGTH');
  assert.ok(reader.broken);
  assert.is(reader.pendingBytes, 0);
});

test('a refused body is skipped and the next message is read', () => {
  const rubbish = Uint8Array.of(0, 0, 0, 2, 0xc1, 0xc1);
  const { out } = readAll([concat([rubbish, encodeMessage({ type: 'ready' })])]);
  assert.equal(
    out.map((d) => (d.ok ? d.message.type : d.code)),
    ['VMOTION_MESSAGE_SYNTAX', 'ready'],
  );
});

test('headers that promise huge arrays, deep nests or extensions are refused before they are decoded', () => {
  for (const hex of [
    '81a474797065ddffffffff', // an array of 4,294,967,295
    '81a474797065dfffffffff', // a map of as many
    'ddffffffff',
    '81a474797065c6ffffffff', // binary that ends far outside
    `${'81a161'.repeat(200)}01`, // 200 maps inside each other
    '81a474797065d5720102', // an extension: msgpackr's record
    '81a474797065a47265616479ff'.slice(0, -2).concat('00'), // bytes after the map
    '',
    '80ff',
  ]) {
    const d = decodeMessage(new Uint8Array(Buffer.from(hex, 'hex')));
    assert.is(d.ok === false && d.code, 'VMOTION_MESSAGE_SYNTAX', hex);
  }
});

test('an unknown message has a code of its own; unknown fields are skipped', () => {
  assert.is(refusal({ type: 'teleport' }).code, 'VMOTION_MESSAGE_UNKNOWN');
  assert.is(refusal({ type: 'constructor' }).code, 'VMOTION_MESSAGE_UNKNOWN');
  assert.is(refusal({ seq: 1 }).code, 'VMOTION_MESSAGE_FIELD');
  const d = decodeMessage(packr.pack({ type: 'ping', seq: 3, colour: 'red', extra: { a: 1 } }));
  assert.equal(d, { ok: true, message: { type: 'ping', seq: 3 } });
});

test('every field is held to its type, range and length, and the text names it', () => {
  const text = (v: unknown) => refusal(v).text;
  assert.match(text({ type: 'ping', seq: -1 }), 'ping: seq must be a whole number in 0..4294967295');
  for (const seq of [1.5, 2 ** 32, '7', null, NaN, { a: 1 }, 10n ** 18n])
    assert.match(text({ type: 'ping', seq }), 'seq must be');
  assert.match(
    text({ type: 'frame', bytes: Buffer.alloc(13) }),
    `bytes must be 14..${FRAME_BYTES_MAX} bytes`,
  );
  assert.match(text({ type: 'frame', bytes: Buffer.alloc(FRAME_BYTES_MAX + 1) }), 'bytes must be');
  assert.match(text({ type: 'hashes', firstPfn: 0, hashes: Buffer.alloc(12) }), 'a multiple of 8');
  assert.match(text({ type: 'ended', migrationId: Buffer.alloc(15) }), 'migrationId must be 16 bytes');
  assert.match(text({ type: 'ended', migrationId: 'ab'.repeat(16) }), 'migrationId must be 16 bytes');
  assert.match(text({ type: 'arm', round: 0 }), 'round must be a whole number in 1..65535');
  assert.match(
    text({ type: 'answer', migrationId: Buffer.alloc(16), verdict: 'maybe' }),
    'running or never or',
  );
  assert.match(
    text({ type: 'accept', version: { major: 1 }, storeId: Buffer.alloc(16) }),
    'version must be a map of',
  );
  assert.match(text({ type: 'abort', code: 'X', text: 'x'.repeat(1025) }), 'at most 1024 characters');
});

test('texts that are too long are shortened by the sender, so that no error is lost to its own length', () => {
  const d = decodeMessage(
    encodeMessage({ type: 'abort', code: 'C'.repeat(99), text: 'x'.repeat(5000) }).subarray(4),
  );
  assert.ok(
    d.ok && d.message.type === 'abort' && d.message.text.length === 1024 && d.message.code.length === 64,
  );
});

test('the largest FINAL fits the frame', () => {
  const final: Message = {
    type: 'final',
    migrationId: 'ff'.repeat(16),
    epoch: 0xffffffff,
    round: 0xffff,
    pages: 1 << 22,
    state: new Uint8Array(STATE_BYTES_MAX),
    stateHash: { lo: 0xffffffff, hi: 0xffffffff },
    setHash: { lo: 0xffffffff, hi: 0xffffffff },
    missing: new Uint8Array(PAGE_SET_BYTES_MAX),
  };
  const bytes = encodeMessage(final);
  assert.ok(bytes.length - 4 <= MESSAGE_BYTES_MAX);
  assert.equal(readAll([bytes]).out, [{ ok: true, message: final }]);
});

test('what minor 1 added may be absent: a 1.0 peer offers no codec, agrees on none, misses nothing', () => {
  const of = (value: object) => {
    const d = decodeMessage(packr.pack(value));
    assert.ok(d.ok, d.ok ? '' : d.text);
    return d.ok ? d.message : null;
  };
  const version = { major: 1, minor: 0 };
  const id16 = Buffer.alloc(16);
  const offer = { type: 'offer', version, migrationId: id16, guest: 'g', epoch: 1, mode: 'hybrid' };
  const sizes = { pages: 1, pageSize: 4096, streams: 1, storeId: id16, stateBytesMax: 0 };
  assert.is((of({ ...offer, ...sizes }) as { codecs?: string }).codecs, '');
  assert.is((of({ type: 'accept', version, storeId: id16, mode: 'hybrid' }) as { codec?: string }).codec, '');
  assert.is((of({ type: 'round-done', round: 1, pages: 1 }) as { missed?: Uint8Array }).missed?.length, 0);
  const wrong = (value: object) => refusal(value).text;
  assert.match(wrong({ ...offer, ...sizes, codecs: 'x'.repeat(65) }), 'codecs must be text of 0..64');
  assert.match(
    wrong({ type: 'accept', version, storeId: id16, mode: 'hybrid', codec: 7 }),
    'codec must be text of 0..16',
  );
  assert.match(
    wrong({ type: 'round-done', round: 1, pages: 1, missed: Buffer.alloc(PAGE_SET_BYTES_MAX + 1) }),
    'missed must be',
  );
});

test.run();
