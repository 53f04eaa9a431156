import fc from 'fast-check';
import * as assert from 'uvu/assert';
import {
  DatagramOpener,
  DatagramSealer,
  KEY_LIMITS,
  type KeyLimits,
  RECORD_BODY_MAX,
  RECORD_OVERHEAD,
  StreamOpener,
  StreamSealer,
  secureRecordBytes,
} from '../../../src/vmotion-protocol/index.js';
import { newRegion, openRecordSuite, type Region } from '../../../src/vmotion-protocol/transport/index.js';
import { suite } from '../../suite.js';

const test = suite('vmotion-protocol/record-layer/records');
const crypto = openRecordSuite();
const secret = (n: number): Uint8Array => new Uint8Array(32).fill(n);
const BODY = 8; // where a record's ciphertext begins

interface Stream {
  seal(plain: Uint8Array): Uint8Array;
  open(record: Uint8Array): Uint8Array | null;
  readonly sealer: StreamSealer;
}

function stream(limits?: KeyLimits): Stream {
  const out = newRegion(RECORD_BODY_MAX + RECORD_OVERHEAD);
  const into = newRegion(RECORD_BODY_MAX + RECORD_OVERHEAD);
  const sealer = new StreamSealer(crypto, secret(1), out, limits);
  const opener = new StreamOpener(crypto, secret(1), into);
  return {
    sealer,
    seal: (plain) => {
      const from = newRegion(plain.length);
      from.bytes.set(plain);
      sealer.begin(0, plain.length);
      const half = plain.length >> 1;
      if (half > 0) sealer.add(from, 0, half);
      sealer.add(from, half, plain.length - half);
      return out.bytes.slice(0, sealer.end());
    },
    open: (record) => {
      into.bytes.set(record);
      const n = opener.open(0);
      return n < 0 ? null : into.bytes.slice(BODY, BODY + n);
    },
  };
}

test('the header says kind, phase and length; the tag follows the ciphertext', () => {
  const s = stream();
  const record = s.seal(new Uint8Array([1, 2, 3]));
  assert.equal(
    record.slice(0, BODY),
    new Uint8Array([
      2, // sealed
      0, // phase
      0,
      0, // reserved
      0,
      0,
      0,
      3, // plaintext bytes
    ]),
  );
  assert.is(record.length, 3 + RECORD_OVERHEAD);
  assert.equal(s.open(record), new Uint8Array([1, 2, 3]));
});

test('any change to any byte of a record is refused, and nothing after it opens', () => {
  const plain = new Uint8Array(40).map((_, i) => i);
  for (let at = 0; at < plain.length + RECORD_OVERHEAD; at++) {
    const s = stream();
    const record = s.seal(plain);
    const next = s.seal(plain);
    record[at]! ^= 0x10;
    // A wrong kind, reserved field or length is no record at all; everything else must fail by its tag.
    const bytes = secureRecordBytes(new DataView(record.buffer), 0);
    if (bytes === record.length) assert.is(s.open(record), null, `byte ${at}`);
    else assert.ok(at < BODY, `byte ${at}`);
    if (bytes === record.length) assert.is(s.open(next), null, 'a stream has no second try');
  }
});

test('records repeated, left out or exchanged do not open', () => {
  const plain = new Uint8Array([9]);
  const repeated = stream();
  const first = repeated.seal(plain);
  assert.ok(repeated.open(first));
  assert.is(repeated.open(first), null);
  const leftOut = stream();
  leftOut.seal(plain);
  assert.is(leftOut.open(leftOut.seal(plain)), null);
});

test('after a limit the next key: bytes or records, whichever comes first, unseen by the reader', () => {
  assert.is(KEY_LIMITS.records, 2 ** 24);
  assert.is(KEY_LIMITS.bytes, 64 * 2 ** 30);
  const byRecords = stream({ records: 3, bytes: 1000 });
  const phases: number[] = [];
  for (let i = 0; i < 10; i++) {
    const record = byRecords.seal(new Uint8Array([i]));
    phases.push(record[1]!);
    assert.equal(byRecords.open(record), new Uint8Array([i]));
  }
  assert.equal(phases, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]);
  const byBytes = stream({ records: 100, bytes: 10 });
  assert.equal(
    [4, 4, 4, 10, 1].map((n) => {
      const record = byBytes.seal(new Uint8Array(n));
      assert.ok(byBytes.open(record));
      return record[1];
    }),
    [0, 0, 1, 2, 3],
  );
});

test('300 keys later the phase has wrapped and records still open', () => {
  const s = stream({ records: 1, bytes: 1000 });
  for (let i = 0; i < 300; i++) assert.ok(s.open(s.seal(new Uint8Array([i & 0xff]))), `record ${i}`);
  assert.is(s.sealer.phase, 299 & 0xff);
});

const HEADER = 16;

interface Datagram {
  readonly number: number;
  readonly bytes: Uint8Array;
}

function datagrams(limits?: KeyLimits): {
  seal(number: number, plain: Uint8Array): Datagram;
  open(d: Datagram): Uint8Array | null;
  readonly opener: DatagramOpener;
} {
  const sealer = new DatagramSealer(crypto, secret(2), limits);
  const opener = new DatagramOpener(crypto, secret(2), 992);
  const buffer: Region = newRegion(2048);
  return {
    opener,
    seal: (number, plain) => {
      buffer.bytes.fill(0, 0, HEADER);
      buffer.bytes[3] = sealer.phaseFor(plain.length);
      new DataView(buffer.bytes.buffer).setUint32(8, number);
      buffer.bytes.set(plain, HEADER);
      const n = sealer.seal(buffer, 0, HEADER, plain.length, number);
      return { number, bytes: buffer.bytes.slice(0, n) };
    },
    open: ({ bytes }) => {
      buffer.bytes.set(bytes);
      const number = new DataView(buffer.bytes.buffer).getUint32(8);
      const n = opener.open(buffer, 0, HEADER, bytes.length, number, buffer.bytes[3]!);
      return n < 0 ? null : buffer.bytes.slice(HEADER, HEADER + n);
    },
  };
}

test('datagrams open once, in any order, across new keys; the counts close', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 39 }), { maxLength: 120 }), (order) => {
      const d = datagrams({ records: 25, bytes: 1e6 });
      const sent = Array.from({ length: 40 }, (_, i) => d.seal(i * 3, new Uint8Array([i, i])));
      const seen = new Set<number>();
      for (const i of order) {
        const plain = d.open(sent[i]!);
        if (seen.has(i)) assert.is(plain, null);
        else assert.equal(plain, new Uint8Array([i, i]));
        seen.add(i);
      }
      const { opened, replayed, forged } = d.opener.counts;
      assert.is(opened, seen.size);
      assert.is(replayed, order.length - seen.size);
      assert.is(forged, 0);
    }),
    { numRuns: 40 },
  );
});

test('any change to any byte of a datagram, header included, is a counted drop and moves nothing', () => {
  const d = datagrams();
  const good = d.seal(7, new Uint8Array(30).fill(5));
  for (let at = 0; at < good.bytes.length; at++) {
    const bytes = good.bytes.slice();
    bytes[at]! ^= 0x01;
    assert.is(d.open({ number: 7, bytes }), null, `byte ${at}`);
  }
  assert.is(d.opener.counts.forged, good.bytes.length);
  assert.ok(d.open(good), 'and the real one still opens');
});

test('a forged phase does not move the keys on; two keys back is too old', () => {
  const d = datagrams({ records: 2, bytes: 1e6 });
  const sent = Array.from({ length: 6 }, (_, i) => d.seal(i, new Uint8Array([i])));
  assert.equal(
    sent.map((s) => s.bytes[3]),
    [0, 0, 1, 1, 2, 2],
  );
  const forged = sent[1]!.bytes.slice();
  forged[3] = 1;
  assert.is(d.open({ number: 1, bytes: forged }), null);
  assert.ok(d.open(sent[0]!));
  assert.ok(d.open(sent[2]!));
  assert.ok(d.open(sent[1]!), 'overtaken by the next key');
  assert.ok(d.open(sent[4]!));
  assert.ok(d.open(sent[3]!));
  const late = datagrams({ records: 1, bytes: 1e6 });
  const [a, b, c] = [0, 1, 2].map((i) => late.seal(i, new Uint8Array([i])));
  assert.ok(late.open(b!));
  assert.ok(late.open(c!));
  assert.is(late.open(a!), null);
});

test('a packet number that was used before is never sealed again', () => {
  const d = datagrams();
  d.seal(5, new Uint8Array(1));
  for (const number of [5, 4, -1, 1.5e300]) {
    assert.throws(() => d.seal(number, new Uint8Array(1)), /does not follow 5/);
  }
});

test('random bytes open nowhere and never throw', () => {
  const d = datagrams();
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: HEADER, maxLength: 200 }),
      (bytes) => d.open({ number: 0, bytes }) === null,
    ),
    { numRuns: 300 },
  );
});

test.run();
