import * as assert from 'uvu/assert';
import { ArrivalLedger } from '../../src/replay/arrival-ledger.js';
import { suite } from '../suite.js';

const test = suite('replay/arrival-ledger');

const sent = (ledger: ArrivalLedger, ...hashes: number[]): void => {
  for (const hash of hashes) ledger.noteSent(hash, 100, hash * 10);
};

test('all in order: everything delivered, nothing else', () => {
  const ledger = new ArrivalLedger();
  sent(ledger, 1, 2, 3);
  assert.equal(
    [1, 2, 3].map((h) => ledger.noteArrived(h, 100)),
    [10, 20, 30],
  );
  const { delivered, reordered, duplicated, unknown } = ledger;
  assert.equal(
    { delivered, reordered, duplicated, unknown },
    { delivered: 3, reordered: 0, duplicated: 0, unknown: 0 },
  );
});

test('one that one sent later has overtaken is reordered; a second copy is duplicated; a changed one unknown', () => {
  const ledger = new ArrivalLedger();
  sent(ledger, 1, 2, 3, 4);
  ledger.noteArrived(2, 100);
  ledger.noteArrived(1, 100);
  ledger.noteArrived(2, 100);
  ledger.noteArrived(9, 100);
  ledger.noteArrived(4, 99);
  const { delivered, reordered, duplicated, unknown } = ledger;
  assert.equal(
    { delivered, reordered, duplicated, unknown },
    { delivered: 2, reordered: 1, duplicated: 1, unknown: 2 },
  );
});

test('equal frames are taken in turn, oldest first', () => {
  const ledger = new ArrivalLedger();
  for (let i = 0; i < 3; i++) ledger.noteSent(7, 60, i);
  assert.equal(
    [0, 1, 2].map(() => ledger.noteArrived(7, 60)),
    [0, 1, 2],
  );
  assert.is(ledger.noteArrived(7, 60), -1);
  assert.is(ledger.duplicated, 1);
});

test('hashes of one bucket do not hide each other', () => {
  const ledger = new ArrivalLedger();
  sent(ledger, 5, 5 + 0x10000, 5 + 0x20000);
  assert.is(ledger.noteArrived(5 + 0x10000, 100), (5 + 0x10000) * 10);
  assert.is(ledger.noteArrived(5 + 0x20000, 100), (5 + 0x20000) * 10);
  assert.is(ledger.noteArrived(5, 100), 50);
});

test('what is under way counts from the first that has not come; what is too old no more', () => {
  const ledger = new ArrivalLedger();
  sent(ledger, 1, 2, 3);
  ledger.noteArrived(1, 100);
  assert.is(ledger.underWay(0), 2);
  ledger.noteArrived(3, 100);
  assert.is(ledger.underWay(25), 0);
});

test('the ring forgets what was lost long ago, and goes on', () => {
  const ledger = new ArrivalLedger();
  const n = 300_000;
  for (let i = 0; i < n; i++) {
    ledger.noteSent(i, 60, i);
    if (i % 3 !== 0) assert.is(ledger.noteArrived(i, 60), i);
  }
  assert.is(ledger.delivered, n - 100_000);
  assert.is(ledger.noteArrived(0, 60), -1, 'forgotten');
  assert.is(ledger.noteArrived(299_997, 60), 299_997, 'late, but remembered');
  assert.is(ledger.reordered, 1);
});

test.run();
