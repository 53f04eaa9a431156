/** Links of migrations put together from packets: cut anywhere, in any order, twice; and what is sealed or foreign. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { LinkBytes, type LinkEvents } from '../../src/dissect/link-bytes.js';
import { Links } from '../../src/dissect/links.js';
import { OrderedBytes } from '../../src/dissect/ordered-bytes.js';
import type { Transport } from '../../src/dissect/transport.js';
import {
  AS_COMPRESSED,
  AS_DELTA,
  AS_ZERO,
  DESCRIPTOR_BYTES,
  encodeMessage,
  RECORD_ENCODED_HASHED,
  RECORD_END,
  RECORD_ZERO,
  writeDescriptor,
  writeRecordHeader,
  writeRun,
} from '../../src/vmotion-protocol/index.js';
import { encodePreamble } from '../../src/vmotion-protocol/transport/index.js';
import {
  CONTROL_FRAME_BYTES,
  FLAG_INITIATOR,
  PACKET_HEADER_BYTES,
  writeControlFrame,
  writeEndFrame,
  writePacketHeader,
  writeZeroFrame,
} from '../../src/vmotion-protocol/udp/packet-codec.js';
import { suite } from '../suite.js';

const test = suite('dissect/links');

const migrationId = new Uint8Array(16).fill(7);

function journal(): { events: LinkEvents; lines: string[] } {
  const lines: string[] = [];
  const events: LinkEvents = {
    opened: ({ kind, stream }) => lines.push(`opened ${kind} ${stream}`),
    message: (from, m) => lines.push(`${from} ${m.type}`),
    pages: (way, round, pages, bytes) => lines.push(`${way} ${round} ${pages} ${bytes}`),
    ended: (round) => lines.push(`end ${round}`),
    demand: () => lines.push('demand'),
    sealed: (from, kind, bytes) => lines.push(`${from} ${kind} ${bytes}`),
    unreadable: (from, text) => lines.push(`${from} unreadable: ${text}`),
  };
  return { events, lines };
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((p) => [...p]));
}

function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const n = sizes[i % sizes.length]!;
    pieces.push(bytes.subarray(at, at + n));
    at += n;
  }
  return pieces;
}

const CONTROL = joined(
  encodePreamble({ kind: 'control', stream: 0, attempt: 0, migrationId }),
  encodeMessage({ type: 'ping', seq: 1 }),
  encodeMessage({ type: 'ready' }),
  encodeMessage({ type: 'ended', migrationId: '07'.repeat(16) }),
);

test('any split of a control link reads the same', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 }), (sizes) => {
      const { events, lines } = journal();
      const link = new LinkBytes(events);
      for (const piece of cut(CONTROL, sizes)) link.put('source', piece);
      link.put('destination', encodeMessage({ type: 'pong', seq: 1 }));
      assert.equal(lines, [
        'opened control 0',
        'source ping',
        'source ready',
        'source ended',
        'destination pong',
      ]);
    }),
  );
});

test('bytes of the destination that come before the preamble is whole are kept', () => {
  const { events, lines } = journal();
  const link = new LinkBytes(events);
  link.put('destination', encodeMessage({ type: 'pong', seq: 1 }));
  assert.equal(lines, []);
  link.put('source', CONTROL.subarray(0, 24));
  link.put('destination', encodeMessage({ type: 'pong', seq: 2 }));
  assert.equal(lines, ['opened control 0', 'destination pong', 'destination pong']);
});

test('a page link that begins with a later round, and requests on a demand link', () => {
  const records = new Uint8Array(40);
  const view = new DataView(records.buffer);
  writeRecordHeader(view, 0, RECORD_ZERO, 5, 1, 9);
  writeRun(view, 16, 0, 9);
  writeRecordHeader(view, 24, RECORD_END, 5, 0, 0);
  const { events, lines } = journal();
  const link = new LinkBytes(events);
  for (const piece of cut(
    joined(encodePreamble({ kind: 'demand', stream: 0, attempt: 0, migrationId }), records),
    [7],
  )) {
    link.put('source', piece);
  }
  link.put('destination', new Uint8Array(6));
  link.put('destination', new Uint8Array(2));
  assert.equal(lines, ['opened demand 0', 'zero 5 9 0', 'end 5', 'demand', 'demand']);
});

test('a round of encoded pages was shown as one of no pages', () => {
  const descriptors = 16 + 8 + 4 * 8;
  const record = new Uint8Array(descriptors + 4 * DESCRIPTOR_BYTES + 20 + 700 + 300);
  const view = new DataView(record.buffer);
  writeRecordHeader(view, 0, RECORD_ENCODED_HASHED, 3, 1, 4);
  writeRun(view, 16, 100, 4);
  for (const [i, [encoding, bytes]] of [
    [AS_DELTA, 20],
    [AS_COMPRESSED, 700],
    [AS_ZERO, 0],
    [AS_COMPRESSED, 300],
  ].entries()) {
    writeDescriptor(view, descriptors + i * DESCRIPTOR_BYTES, encoding!, bytes!);
  }
  const onlyZero = new Uint8Array(16 + 8 + 8 + DESCRIPTOR_BYTES);
  writeRecordHeader(new DataView(onlyZero.buffer), 0, RECORD_ENCODED_HASHED, 3, 1, 1);
  writeRun(new DataView(onlyZero.buffer), 16, 7, 1);
  writeDescriptor(new DataView(onlyZero.buffer), 32, AS_ZERO, 0);
  const preamble = encodePreamble({ kind: 'pages', stream: 0, attempt: 0, migrationId });
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 99 }), { minLength: 1, maxLength: 5 }), (sizes) => {
      const { events, lines } = journal();
      const link = new LinkBytes(events);
      for (const piece of cut(joined(preamble, record, onlyZero), sizes)) link.put('source', piece);
      assert.equal(lines, [
        'opened pages 0',
        ...['zero 3 1 0', 'delta 3 1 20', 'compressed 3 2 1000'],
        'zero 3 1 0',
      ]);
    }),
  );
});

test('a secured link is named with what passed, and not read', () => {
  const greeting = new Uint8Array(56);
  greeting.set([0x4c, 0x48, 0x56, 0x53, 1, 0x61]);
  const sealed = new Uint8Array(8 + 5 + 16);
  sealed.set([2, 0, 0, 0, 0, 0, 0, 5]);
  const { events, lines } = journal();
  const link = new LinkBytes(events);
  for (const piece of cut(joined(greeting, sealed, sealed), [11])) link.put('source', piece);
  link.put('destination', sealed);
  assert.equal(lines, [
    'source greeting 56',
    'source record 29',
    'source record 29',
    'destination record 29',
  ]);
});

test('a link of somebody else on our port is said to be so, once', () => {
  const { events, lines } = journal();
  const link = new LinkBytes(events);
  link.put('source', new TextEncoder().encode('GET / HTTP/1.1\r\nHost: x\r\n\r\n'));
  link.put('source', new Uint8Array(100));
  assert.is(lines.length, 1);
  assert.match(lines[0]!, /neither a preamble nor a greeting/);
});

test('random bytes never throw', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.constantFrom('control', 'pages', 'demand'),
      (bytes, kind) => {
        const link = new LinkBytes(journal().events);
        link.put('source', encodePreamble({ kind: kind as 'control', stream: 0, attempt: 0, migrationId }));
        link.put('source', bytes);
        link.put('destination', bytes);
        return true;
      },
    ),
  );
});

test('pieces in any order, twice and overlapping, give every byte once', () => {
  const whole = Uint8Array.from({ length: 500 }, (_, i) => i % 256);
  const piece = fc.record({ at: fc.integer({ min: 0, max: 499 }), n: fc.integer({ min: 1, max: 60 }) });
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      const got: number[] = [];
      const stream = new OrderedBytes((b) => got.push(...b));
      for (const { at, n } of pieces) stream.put(at, whole.subarray(at, at + n));
      stream.put(0, whole);
      assert.equal(got, [...whole]);
    }),
  );
});

test('a hole behind which 4 MiB wait ends the stream where it is', () => {
  let bytes = 0;
  const stream = new OrderedBytes((b) => {
    bytes += b.length;
  });
  stream.put(0, new Uint8Array(10));
  for (let at = 20; stream.brokenAt < 0; at += 65_536) stream.put(at, new Uint8Array(65_536));
  stream.put(10, new Uint8Array(10));
  assert.is(stream.brokenAt, 10);
  assert.is(bytes, 10);
});

test('the UDP transport: control by offset in any order, rounds beside', () => {
  const { events, lines } = journal();
  const links = new Links(() => events);
  const datagram = (number: number, fill: (view: DataView, at: number) => number): Transport => {
    const payload = new Uint8Array(600);
    const view = new DataView(payload.buffer);
    writePacketHeader(view, 0, FLAG_INITIATOR, 0xabcd, number, 2);
    const end = fill(view, PACKET_HEADER_BYTES);
    return {
      protocol: 'udp',
      src: '10.0.0.1:4000',
      dst: '10.0.0.2:8000',
      srcPort: 4000,
      dstPort: 8000,
      seq: 0,
      flags: 0,
      payload: payload.subarray(0, end),
    };
  };
  const control = (number: number, from: number, to: number): Transport =>
    datagram(number, (view, at) => {
      writeControlFrame(view, at, from, to - from, false);
      new Uint8Array(view.buffer).set(CONTROL.subarray(from, to), at + CONTROL_FRAME_BYTES);
      return at + CONTROL_FRAME_BYTES + to - from;
    });
  links.heard(control(2, 30, CONTROL.length));
  assert.equal(lines, []);
  links.heard(control(1, 0, 30));
  const text = links.heard(
    datagram(3, (view, at) => {
      writeZeroFrame(view, at, 0, 40, 1);
      writeEndFrame(view, at + 12, 40);
      return at + 20;
    }),
  );
  assert.is(text, 'connection 0000abcd packet 3 round 2: ZERO, END');
  assert.equal(lines, [
    'opened control 0',
    'source ping',
    'source ready',
    'source ended',
    'zero 2 40 0',
    'end 2',
  ]);
});

test.run();
