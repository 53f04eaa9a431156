import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { decodeRecords, RecordStore } from '../../src/host/index.js';
import { suite } from '../suite.js';

const test = suite('host/records');
const id = (n: number): Uint8Array => new Uint8Array(16).fill(n);

function withStore(body: (path: string) => void): void {
  const dir = mkdtempSync(join(tmpdir(), 'records-test-'));
  try {
    body(join(dir, 'store'));
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test('what was recorded is there after the process, under the same store id', () => {
  withStore((path) => {
    const store = new RecordStore(path);
    store.append({ kind: 'COMMIT', epoch: 3, migrationId: id(1), guest: 'web' });
    store.append({ kind: 'NEVER', epoch: 4, migrationId: id(2), guest: 'web' });
    store.close();
    const again = new RecordStore(path);
    assert.equal(again.storeId, store.storeId);
    assert.equal(
      again.records.map((r) => r.kind),
      ['STORE', 'COMMIT', 'NEVER'],
    );
    assert.is(again.highestEpoch('web'), 4);
    assert.is(again.highestEpoch('db'), null);
    assert.is(again.decision('02'.repeat(16)), 'NEVER');
    assert.is(again.decision('01'.repeat(16)), null, 'COMMIT is the source’s word, not a decision');
    again.close();
  });
});

test('a line torn by a crash counts as not written, whatever byte is missing', () => {
  withStore((path) => {
    const store = new RecordStore(path);
    store.append({ kind: 'RUNNING', epoch: 1, migrationId: id(7), guest: 'web' });
    store.close();
    const whole = readFileSync(path);
    fc.assert(
      fc.property(fc.integer({ min: 64, max: 127 - 8 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const torn = Buffer.from(whole);
        torn[at] = torn[at]! ^ flip;
        // Bytes 12..15 of a line are reserved and checked like all others.
        return decodeRecords(torn).length === 1;
      }),
    );
  });
});

test('any bytes decode to records or to nothing', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => Array.isArray(decodeRecords(bytes))));
  withStore((path) => {
    writeFileSync(path, Buffer.alloc(64 * 1024, 0xff));
    const store = new RecordStore(path);
    assert.is(store.records.length, 1);
    store.close();
  });
});

test('a full store refuses, before anything is written over', () => {
  withStore((path) => {
    const store = new RecordStore(path);
    for (let i = 1; i < 1024; i++) store.append({ kind: 'ENDED', epoch: i, migrationId: id(1), guest: 'g' });
    assert.throws(
      () => store.append({ kind: 'COMMIT', epoch: 9999, migrationId: id(1), guest: 'g' }),
      /1024 records/,
    );
    store.close();
  });
});

test.run();
