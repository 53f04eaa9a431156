/** What a recording writes to: a pipe whose reader has stopped reading must not hold the thread that writes for ever. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import * as assert from 'uvu/assert';
import { OutputFile } from '../../../src/capture/files/output-file.js';
import { suite } from '../../suite.js';

const test = suite('capture/files/output-file');

const dir = mkdtempSync(join(tmpdir(), 'longhaul-output-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

/** A named pipe with a reader that has read nothing yet. */
function pipeWithReader(name: string): { path: string; fd: number } {
  const path = join(dir, name);
  assert.is(spawnSync('mkfifo', [path]).status, 0);
  return { path, fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK) };
}

test('a file is written as it is', () => {
  const path = join(dir, 'plain');
  const file = new OutputFile(path);
  file.write(Uint8Array.of(1, 2, 3), 2);
  file.close();
  assert.equal([...readFileSync(path)], [1, 2]);
});

test('a pipe takes more than it has room for, as its reader makes room', async () => {
  const { path, fd } = pipeWithReader('flowing');
  const total = 300_000;
  const ended = once(writerOf(path, total), 'exit');
  let read = 0;
  const into = Buffer.alloc(65_536);
  while (read < total) {
    try {
      read += readSync(fd, into, 0, into.length, null);
    } catch (e) {
      assert.is((e as NodeJS.ErrnoException).code, 'EAGAIN');
    }
    await sleep(1);
  }
  await ended;
  closeSync(fd);
  assert.is(read, total);
});

test('the thread that wrote into a pipe which nobody read could not be ended', async () => {
  const { path, fd } = pipeWithReader('stopped');
  const worker = writerOf(path, 300_000);
  await once(worker, 'message');
  await sleep(100);
  const ended = await Promise.race([
    worker.terminate().then(() => true),
    sleep(5_000, false, { ref: false }),
  ]);
  closeSync(fd);
  assert.is(ended, true);
});

/** A thread that writes so many bytes there, and says when it begins. */
function writerOf(path: string, bytes: number): Worker {
  const module = new URL('../../../src/capture/files/output-file.js', import.meta.url).href;
  const code = `import(${JSON.stringify(module)}).then(({ OutputFile }) => {
    const file = new OutputFile(${JSON.stringify(path)});
    require('node:worker_threads').parentPort.postMessage('begins');
    file.write(new Uint8Array(${bytes}), ${bytes});
    file.close();
  });`;
  return new Worker(code, { eval: true });
}

test.run();
