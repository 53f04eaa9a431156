/** The receiving half of the control stream: any segments in any order give the bytes, once and in order. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { Rng } from '../../../src/core/index.js';
import { ControlInbox } from '../../../src/vmotion-protocol/udp/control-inbox.js';
import { suite } from '../../suite.js';

const test = suite('vmotion-protocol/udp/control-inbox');
const CAPACITY = 65_536;
const text = new Uint8Array(3 * CAPACITY);
new Rng('control').fill(text);

function readAll(inbox: ControlInbox): Uint8Array {
  const into = new Uint8Array(CAPACITY);
  return into.subarray(0, inbox.read(into));
}

test('segments that overlap, come twice and in any order', () => {
  const piece = fc.record({ at: fc.nat(3000), length: fc.integer({ min: 0, max: 700 }) });
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      const inbox = new ControlInbox(CAPACITY, 1400);
      const here = new Set<number>();
      let read = 0;
      for (const { at, length } of pieces) {
        inbox.segment(at, text, at, length, false);
        for (let i = at; i < at + length; i++) here.add(i);
        const got = readAll(inbox);
        assert.equal(got, text.subarray(read, read + got.length));
        read += got.length;
        assert.is(inbox.ack, read);
        assert.not.ok(here.has(read), 'everything up to the first hole was readable');
      }
      assert.is(inbox.dropped, 0);
    }),
  );
});

test('what has no room is dropped and counted; room that comes is news once it is half', () => {
  const inbox = new ControlInbox(CAPACITY, 1400);
  for (let at = 0; at < CAPACITY; at += 1024) inbox.segment(at, text, at, 1024, false);
  assert.is(inbox.readable, CAPACITY);
  inbox.segment(CAPACITY, text, CAPACITY, 1, false);
  assert.is(inbox.dropped, 1);
  assert.is(inbox.tellWindow(), 0);
  inbox.read(new Uint8Array(CAPACITY / 2 - 1));
  assert.not.ok(inbox.windowNews);
  inbox.read(new Uint8Array(1));
  assert.ok(inbox.windowNews);
  assert.is(inbox.tellWindow(), CAPACITY / 2);
});

test('more holes than are kept: what would make one more is dropped, and comes again', () => {
  const inbox = new ControlInbox(CAPACITY, 1400);
  for (let i = 0; i < 100; i++) inbox.segment(2 * i + 1, text, 2 * i + 1, 1, false);
  assert.is(inbox.dropped, 36);
  for (let i = 0; i < 200; i++) inbox.segment(i, text, i, 1, false);
  assert.equal(readAll(inbox), text.subarray(0, 200));
});

test('the end is where FIN stands, whatever comes before it later', () => {
  const inbox = new ControlInbox(CAPACITY, 1400);
  inbox.segment(10, text, 10, 5, true);
  assert.not.ok(inbox.ended);
  inbox.segment(15, text, 15, 3, false);
  assert.is(inbox.dropped, 1, 'there are no bytes behind a FIN');
  inbox.segment(0, text, 0, 10, false);
  assert.ok(inbox.ended);
  assert.is(inbox.readable, 15);
  assert.is(inbox.ack, 16, 'the FIN counts as one');
});

test.run();
