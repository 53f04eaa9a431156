/** Downloads against their checksums, from a server of our own that cuts and changes what it serves. */
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { DownloadLedger, HttpSession } from '../../../src/lab/client/http-session.js';
import { suite } from '../../suite.js';

const test = suite('lab/http-session');
const DATA = Buffer.alloc(300_000, 'incompressible, as far as this test cares; ');
const SUM = createHash('sha256').update(DATA).digest('hex');

type Serve = 'right' | 'changed' | 'cut';

async function server(serve: (download: number) => Serve): Promise<Server> {
  let downloads = 0;
  const s = createServer((request, response) => {
    if (request.url === '/data.sha256') return response.end(`${SUM}  data\n`);
    const how = serve(downloads++);
    const data = Buffer.from(DATA);
    if (how === 'changed') data[100_000] = 0;
    response.setHeader('content-length', data.length);
    if (how !== 'cut') return response.end(data);
    response.write(data.subarray(0, 1000), () => response.socket?.destroy());
  });
  await new Promise<void>((resolve) => s.listen(0, '127.0.0.1', resolve));
  return s;
}

async function downloads(serve: (download: number) => Serve, enough: (book: DownloadLedger) => boolean) {
  const s = await server(serve);
  const book = new DownloadLedger();
  const session = new HttpSession('127.0.0.1', book, (s.address() as AddressInfo).port);
  try {
    while (!enough(book)) await sleep(5);
    return book.stats();
  } finally {
    session.close();
    s.closeAllConnections();
    s.close();
  }
}

test('downloads follow each other, each right', async () => {
  const seen = await downloads(
    () => 'right',
    (book) => book.stats().answered >= 3,
  );
  assert.equal([seen.wrong, seen.resets, seen.lost], [0, 0, 0]);
  assert.ok(seen.longestGapNs > 0, 'pieces have gaps');
});

test('a changed byte is a wrong download, and it says so', async () => {
  const seen = await downloads(
    (n) => (n === 1 ? 'changed' : 'right'),
    (book) => book.stats().answered >= 3,
  );
  assert.is(seen.wrong, 1);
  assert.match(seen.firstWrong!, /checksum/);
});

test('a download that breaks off is a reset, and the next one is tried', async () => {
  const seen = await downloads(
    (n) => (n === 0 ? 'cut' : 'right'),
    (book) => book.stats().answered >= 1,
  );
  assert.equal([seen.resets, seen.wrong], [1, 0]);
});

test.run();
