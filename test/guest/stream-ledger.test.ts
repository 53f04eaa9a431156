/** Streams over TCP: right in whatever pieces they come; a byte lost, repeated or changed shows. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { CounterLedger, StreamEchoLedger } from '../../src/guest/index.js';
import { suite } from '../suite.js';

const test = suite('guest/stream-ledger');

function lines(n: number): Uint8Array {
  const text = Array.from({ length: n }, (_, i) => `${String(i).padStart(11, '0')}\n`).join('');
  return new TextEncoder().encode(text);
}

/** Gives `data` to `take` in pieces of these lengths, over and over. */
function inPieces(data: Uint8Array, lengths: readonly number[], take: (piece: Uint8Array) => void): void {
  let at = 0;
  for (let i = 0; at < data.length; i++) {
    const n = lengths[i % lengths.length]!;
    take(data.subarray(at, at + n));
    at += n;
  }
}

const LENGTHS = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 5 });

test('echoed records are right however the stream is cut, and their round trips are known', () => {
  fc.assert(
    fc.property(LENGTHS, (lengths) => {
      const ledger = new StreamEchoLedger();
      const sent = Array.from({ length: 20 }, (_, i) => ledger.next(1000 * i));
      inPieces(Buffer.concat(sent), lengths, (piece) => ledger.receive(50_000, piece));
      const { answered, lost, wrong, bytesWrong, rttBeforeNs } = ledger.stats();
      assert.equal({ answered, lost, wrong, bytesWrong }, { answered: 20, lost: 0, wrong: 0, bytesWrong: 0 });
      assert.is(rttBeforeNs[0], 50_000);
      assert.is(rttBeforeNs[19], 31_000);
    }),
  );
});

test('one byte of an echo lost, repeated, changed or added is seen', () => {
  const alter: readonly ((b: Buffer) => Buffer)[] = [
    (b) => Buffer.concat([b.subarray(0, 100), b.subarray(101)]),
    (b) => Buffer.concat([b.subarray(0, 101), b.subarray(100)]),
    (b) => Buffer.concat([b.subarray(0, 100), Buffer.of(b[100]! ^ 1), b.subarray(101)]),
    (b) => Buffer.concat([b, Buffer.of(0)]),
  ];
  for (const change of alter) {
    const ledger = new StreamEchoLedger();
    const sent = Buffer.concat(Array.from({ length: 4 }, (_, i) => ledger.next(1000 + i)));
    ledger.receive(5000, change(sent));
    const { bytesWrong, firstWrong } = ledger.stats();
    assert.ok(bytesWrong > 0);
    assert.type(firstWrong, 'string');
  }
});

test('a broken connection is a reset: what was under way is lost, and the next stream begins anew', () => {
  const ledger = new StreamEchoLedger();
  ledger.next(0);
  ledger.broken();
  ledger.receive(9, ledger.next(5));
  const { resets, lost, answered, bytesWrong } = ledger.stats();
  assert.equal({ resets, lost, answered, bytesWrong }, { resets: 1, lost: 1, answered: 1, bytesWrong: 0 });
});

test('a record sent before the account began and answered after it is late, not lost', () => {
  const ledger = new StreamEchoLedger();
  const first = ledger.next(0);
  ledger.reset();
  ledger.receive(10, first);
  const { sent, late, lost } = ledger.stats();
  assert.equal({ sent, late, lost }, { sent: 0, late: 1, lost: 0 });
});

test('the counter is right however it is cut; its longest silence is known', () => {
  fc.assert(
    fc.property(LENGTHS, (lengths) => {
      const ledger = new CounterLedger();
      inPieces(lines(30), lengths, (piece) => ledger.receive(1000, piece));
      const { answered, lost, wrong, bytesWrong } = ledger.stats();
      assert.equal({ answered, lost, wrong, bytesWrong }, { answered: 30, lost: 0, wrong: 0, bytesWrong: 0 });
    }),
  );
  const ledger = new CounterLedger();
  const all = lines(3);
  for (const [i, atNs] of [1000, 1500, 9500].entries())
    ledger.receive(atNs, all.subarray(12 * i, 12 * i + 12));
  assert.is(ledger.stats().longestGapNs, 8000);
  assert.is(ledger.stats().longestGapStartNs, 1500);
});

test('a line of the counter that is missing or comes twice is seen', () => {
  for (const [from, again] of [
    [24, 36],
    [24, 12],
  ] as const) {
    const ledger = new CounterLedger();
    const all = lines(6);
    ledger.receive(1, all.subarray(0, from));
    ledger.receive(1, all.subarray(again));
    assert.ok(ledger.stats().bytesWrong > 0);
    assert.match(ledger.stats().firstWrong ?? '', 'line 2 of the counter');
  }
});

test.run();
