import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { newRunKey, notePeerStore, readKeyFile, writeKeyFile } from '../../src/host/index.js';
import { suite } from '../suite.js';

const test = suite('host/key-file');
const id = (n: number): string => n.toString(16).padStart(2, '0').repeat(16);

function withFile(body: (path: string, dir: string) => void): void {
  const dir = mkdtempSync(join(tmpdir(), 'keys-test-'));
  try {
    body(join(dir, 'host-a.keys'), dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test('what was written is there again, for its owner alone, and peers are added to it', () => {
  withFile((path, dir) => {
    const runKey = Buffer.from(newRunKey()).toString('hex');
    assert.is(readKeyFile(path), null);
    writeKeyFile(path, { schema: 1, site: 'a', runKey, peerStores: {} });
    assert.is(statSync(path).mode & 0o777, 0o600);
    notePeerStore(path, id(1), id(9));
    notePeerStore(path, id(2), id(9));
    assert.equal(readKeyFile(path), {
      schema: 1,
      site: 'a',
      runKey,
      peerStores: { [id(1)]: id(9), [id(2)]: id(9) },
    });
    assert.is(statSync(path).mode & 0o777, 0o600);
    assert.equal(readdirSync(dir), ['host-a.keys'], 'no draft is left');
  });
});

test('a key that others may read is refused, with the remedy', () => {
  withFile((path) => {
    writeKeyFile(path, { schema: 1, site: 'b', runKey: null, peerStores: {} });
    chmodSync(path, 0o644);
    assert.throws(
      () => readKeyFile(path),
      (e: { code: string; hint: string }) => e.code === 'HOST_KEYS_MODE' && e.hint.includes('chmod 600'),
    );
  });
});

test('bytes that are no key file are refused by code', () => {
  for (const text of [
    '',
    'null',
    '{"schema":2}',
    '{"schema":1,"site":"a","runKey":"00","peerStores":{}}',
    '\0\0',
  ]) {
    withFile((path) => {
      writeFileSync(path, text, { mode: 0o600 });
      assert.throws(
        () => readKeyFile(path),
        (e: { code: string }) => e.code === 'HOST_KEYS_SYNTAX',
      );
    });
  }
});

test('run keys are 32 bytes and never the same', () => {
  assert.is(newRunKey().length, 32);
  assert.is.not(Buffer.from(newRunKey()).toString('hex'), Buffer.from(newRunKey()).toString('hex'));
});

test.run();
