/** Post-copy's pages over links in memory: requests first, each page once, each verified, a damaged one again. */
import * as assert from 'uvu/assert';
import { PAGE_SIZE, PageSet } from '../../src/core/index.js';
import { createGuestMemory } from '../../src/guest/memory/index.js';
import { MemoryLinks } from '../../src/host/memory-link.js';
import { PageTable } from '../../src/host/page-table.js';
import {
  Chain,
  DEMAND_AGAIN,
  DEMAND_BYTES,
  encodePreamble,
  type Link,
  newRegion,
  PageReceiver,
  PageSender,
  PageServer,
  PREAMBLE_BYTES,
  type Region,
  regionOf,
} from '../../src/vmotion-protocol/transport/index.js';
import { suite } from '../suite.js';

const test = suite('host/page serving');
const PAGES = 256;
const FIRST_ROUND = 3;

/** Skips a preamble. */
function skip(link: Link, bytes: number): void {
  const chain = new Chain();
  chain.push(newRegion(bytes), 0, bytes);
  link.receive(chain);
}

function scene() {
  const memory = createGuestMemory(PAGES);
  for (let pfn = 0; pfn < PAGES; pfn++)
    if (pfn % 5 !== 0) memory.bytes.fill(pfn, pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE);
  const table = new PageTable(memory);
  const links = new MemoryLinks();
  const id = new Uint8Array(16);
  const sender = new PageSender(
    regionOf(memory.bytes),
    table,
    links,
    [links.connect()],
    [encodePreamble({ kind: 'pages', stream: 0, attempt: 0, migrationId: id })],
  );
  const preamble = encodePreamble({ kind: 'demand', stream: 0, attempt: 0, migrationId: id });
  const server = new PageServer(
    regionOf(memory.bytes),
    table,
    links,
    sender.lanes,
    links.connect(),
    preamble,
  );
  const [bulk, demand] = [links.accept()!, links.accept()!];
  // Two rounds of no pages, as before every switchover.
  for (let round = 1; round < FIRST_ROUND; round++) {
    sender.begin(round, new PageSet(PAGES));
    sender.pump();
  }
  skip(bulk, PREAMBLE_BYTES);
  skip(demand, PREAMBLE_BYTES);

  const placed: number[] = [];
  const damaged: number[] = [];
  const right = (pfn: number, source: Region, at: number): void => {
    for (const i of [0, 2048, PAGE_SIZE - 1])
      assert.is(source.bytes[at + i], memory.bytes[pfn * PAGE_SIZE + i], `page ${pfn}`);
  };
  const target = createGuestMemory(PAGES);
  const receiver = new PageReceiver(regionOf(target.bytes), PAGES, new PageTable(target), {
    onRoundApplied: () => {},
    onViolation: (code, text) => assert.unreachable(`${code}: ${text}`),
  });
  receiver.begin(1);
  receiver.addStream(bulk, 0);
  receiver.stageFrom(FIRST_ROUND - 1, {
    place: (pfn, pages, source, offset) => {
      for (let i = 0; i < pages; i++) {
        right(pfn + i, source, offset + i * PAGE_SIZE);
        placed.push(pfn + i);
      }
    },
    placeZeros: (pfn, pages) => {
      for (let i = 0; i < pages; i++) {
        assert.is(memory.bytes[(pfn + i) * PAGE_SIZE], 0);
        placed.push(pfn + i);
      }
    },
    damaged: (pfn) => damaged.push(pfn),
  });
  receiver.addDemandLink(demand, FIRST_ROUND);
  const ask = (...requests: number[]): void => {
    const region = newRegion(requests.length * DEMAND_BYTES);
    const view = new DataView(region.bytes.buffer);
    requests.forEach((r, i) => {
      view.setUint32(i * DEMAND_BYTES, r, true);
    });
    const chain = new Chain();
    chain.push(region, 0, requests.length * DEMAND_BYTES);
    demand.send(chain);
  };
  /** Sends and receives by turns: a link holds less than the memory. */
  const drain = (): void => {
    for (let turn = 0; turn < 200; turn++) {
      assert.ok(server.pump(true));
      receiver.receive();
    }
  };
  return { server, receiver, placed, damaged, ask, drain };
}

const sorted = (pfns: readonly number[]): number[] => [...pfns].sort((a, b) => a - b);
const all = Array.from({ length: PAGES }, (_, pfn) => pfn);

test('nothing of it is read before it is released; then every page comes once, whole', () => {
  const { server, receiver, placed, drain } = scene();
  server.begin(FIRST_ROUND, PageSet.full(PAGES), null);
  for (let i = 0; i < 5; i++) assert.ok(server.pump(true));
  receiver.receive();
  assert.equal(placed, [], 'held back until it is known what is missing');
  receiver.release();
  drain();
  assert.equal(sorted(placed), all);
  assert.is(server.pagesPushed, PAGES);
  assert.is(server.zeroPages, Math.ceil(PAGES / 5));
});

test('a page that is asked for is ahead of all others, and comes once', () => {
  const { server, receiver, placed, ask, drain } = scene();
  receiver.release();
  server.begin(FIRST_ROUND, PageSet.full(PAGES), null);
  ask(200, 17, 100, 17, 4_000_000);
  server.pump(false);
  receiver.receive();
  assert.equal(placed, [200, 17, 100], 'a page of nobody is not answered');
  drain();
  assert.equal(sorted(placed), all);
  assert.is(server.pagesDemanded, 3);
  assert.is(server.pagesPushed, PAGES - 3);
});

test('a page that came damaged is not placed, and comes again when it is asked for so', () => {
  const { server, receiver, placed, damaged, ask, drain } = scene();
  receiver.release();
  server.corruptPfn = 33;
  server.begin(FIRST_ROUND, PageSet.full(PAGES), null);
  drain();
  assert.equal(damaged, [33]);
  assert.equal(
    sorted(placed),
    all.filter((pfn) => pfn !== 33),
  );
  ask(33);
  server.pump(true);
  receiver.receive();
  assert.is(placed.length, PAGES - 1, 'a page that was sent is on its way: it is not sent twice');
  ask(33 + DEMAND_AGAIN);
  server.pump(true);
  receiver.receive();
  assert.equal(sorted(placed), all);
  assert.is(server.pagesAgain, 1);
});

test.run();
