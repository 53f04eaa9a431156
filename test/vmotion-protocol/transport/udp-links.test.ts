/** The UDP links over real sockets on the loopback interface: two hosts in one thread, each with its own poll set. */
import * as assert from 'uvu/assert';
import { PAGE_SIZE, PageSet, Rng } from '../../../src/core/index.js';
import { nowNs, PollSet } from '../../../src/sys/index.js';
import {
  Chain,
  DEMAND_AGAIN,
  DEMAND_BYTES,
  KernelWire,
  newRegion,
  PREAMBLE_BYTES,
  type Region,
  type UdpLink,
  UdpLinks,
  UdpPageReceiver,
  UdpPageSender,
  UdpPageServer,
} from '../../../src/vmotion-protocol/transport/index.js';
import { suite } from '../../suite.js';

const test = suite('vmotion-protocol/transport/udp-links');
const LOOPBACK = 0x7f000001;
const WAIT_NS = 2_000_000;
let port = 20_000 + (process.pid % 20_000);

/** A 32-bit FNV of each page stands for the page table of a host. */
class Hashes {
  /** Only the pipeline asks. */
  lo(): number {
    return 0;
  }

  hi(): number {
    return 0;
  }

  readonly words: Uint32Array;
  readonly hashes: Uint32Array;

  constructor(readonly bytes: Uint8Array) {
    this.words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    this.hashes = new Uint32Array(bytes.length / PAGE_SIZE);
  }

  hash(pfn: number): boolean {
    let h = 0x811c9dc5;
    let any = 0;
    for (let i = pfn * 1024; i < (pfn + 1) * 1024; i++) {
      h = Math.imul(h ^ this.words[i]!, 0x01000193);
      any |= this.words[i]!;
    }
    this.hashes[pfn] = h;
    return any === 0;
  }

  changed(pfn: number): boolean {
    const before = this.hashes[pfn];
    this.hash(pfn);
    return before !== this.hashes[pfn];
  }

  putHash(pfn: number, view: DataView, at: number): void {
    view.setUint32(at, this.hashes[pfn]!, true);
    view.setUint32(at + 4, pfn, true);
  }

  hashStaged(
    pfn: number,
    bytes: Uint8Array,
    at: number,
    announced: DataView | null,
    announcedAt: number,
  ): boolean {
    if (announced === null) return true;
    const page = new Hashes(bytes.slice(at, at + PAGE_SIZE));
    page.hash(0);
    return (
      page.hashes[0] === announced.getUint32(announcedAt, true) &&
      announced.getUint32(announcedAt + 4, true) === pfn
    );
  }

  hashZero(): void {}
}

class Host {
  readonly polls = new PollSet(8);
  readonly links: UdpLinks;
  readonly wire: KernelWire;

  constructor(local: number, peer: number) {
    this.wire = KernelWire.open(
      this.polls,
      { ip: LOOPBACK, port: local },
      { ip: LOOPBACK, port: peer },
      9000,
    );
    this.links = new UdpLinks(this.wire);
  }

  turn(): void {
    const wakeNs = this.links.nextWakeNs();
    this.polls.wait(Math.min(WAIT_NS, Math.max(0, wakeNs - nowNs())));
    this.links.takeIn(nowNs());
    this.links.flush(nowNs());
  }
}

function pair(): { a: Host; b: Host; close: () => void } {
  const [p, q] = [port++, port++];
  const a = new Host(p, q);
  const b = new Host(q, p);
  return {
    a,
    b,
    close: () => {
      a.links.close();
      b.links.close();
    },
  };
}

/** Both hosts take turns until `done`; no clock decides, only a number of turns that no sound run needs. */
function until(a: Host, b: Host, done: () => boolean, what: string): void {
  for (let i = 0; i < 200_000; i++) {
    if (done()) return;
    a.turn();
    b.turn();
  }
  assert.unreachable(`never: ${what}`);
}

function greet(a: Host, b: Host): { from: UdpLink; to: UdpLink } {
  const from = a.links.connect();
  const chain = new Chain();
  const region = newRegion(5);
  region.bytes.set(new TextEncoder().encode('hello'));
  chain.push(region, 0, 5);
  assert.ok(from.send(chain));
  let to: UdpLink | null = null;
  until(
    a,
    b,
    () => {
      to ??= b.links.accept();
      return to !== null;
    },
    'the connection is accepted',
  );
  const got = newRegion(5);
  const into = new Chain();
  into.push(got, 0, 5);
  until(a, b, () => to!.receive(into) >= 0 && into.bytes === 0, 'the greeting arrives');
  assert.is(Buffer.from(got.bytes.subarray(0, 5)).toString(), 'hello');
  return { from, to: to! };
}

test('pages of three rounds arrive as they are in memory, zero pages too; the path takes jumbo datagrams', () => {
  const { a, b, close } = pair();
  const { from, to } = greet(a, b);
  const pages = 3000;
  const memory = newRegion(pages * PAGE_SIZE);
  new Rng('pages').fill(memory.bytes);
  memory.bytes.fill(0, 100 * PAGE_SIZE, 900 * PAGE_SIZE);
  const copy = newRegion(pages * PAGE_SIZE);
  const source = new Hashes(memory.bytes);
  const rounds: string[] = [];
  const receiver = new UdpPageReceiver(
    copy,
    pages,
    new Hashes(copy.bytes),
    {
      onRoundApplied: (round, n) => rounds.push(`${round}: ${n}`),
      onViolation: (code) => rounds.push(code),
    },
    to,
  );
  receiver.begin();
  const sender = new UdpPageSender(memory, source, from);
  const send = (round: number, set: PageSet, final = false): void => {
    sender.begin(round, set, final);
    until(
      a,
      b,
      () => {
        sender.pump();
        receiver.receive();
        return rounds.length === round;
      },
      `round ${round} is applied`,
    );
    assert.is(sender.busy, false);
    assert.is(Buffer.compare(memory.bytes, copy.bytes), 0, `memory after round ${round}`);
  };
  send(1, PageSet.full(pages));
  assert.equal([sender.pagesSent, sender.zeroPages], [2200, 800]);
  const dirty = new PageSet(pages);
  for (let pfn = 50; pfn < 150; pfn++) {
    dirty.add(pfn);
    memory.bytes.fill(pfn, pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE);
  }
  send(2, dirty);
  memory.bytes.fill(0, 60 * PAGE_SIZE, 61 * PAGE_SIZE);
  const last = new PageSet(pages);
  last.add(60);
  send(3, last, true);
  assert.equal(rounds, ['1: 3000', '2: 100', '3: 1']);
  assert.is(from.connection.datagramBytes, 8972);
  assert.ok(from.connection.counters.paritySent > 0, 'the last flight was protected');
  close();
});

test('control bytes flow both ways, a close is heard on both sides, descriptors are given back', () => {
  const { a, b, close } = pair();
  const { from, to } = greet(a, b);
  const n = 300_000;
  const text = newRegion(n);
  new Rng('control').fill(text.bytes);
  for (const [near, far] of [
    [from, to],
    [to, from],
  ] as const) {
    const out = new Chain();
    out.push(text, 0, n);
    const got = newRegion(n);
    const into = new Chain();
    into.push(got, 0, n);
    until(
      a,
      b,
      () => {
        near.send(out);
        far.receive(into);
        return into.bytes === 0;
      },
      'all bytes arrive',
    );
    assert.is(Buffer.compare(text.bytes.subarray(0, n), got.bytes.subarray(0, n)), 0);
  }
  from.close();
  const probe = new Chain();
  probe.push(newRegion(1), 0, 1);
  until(a, b, () => to.receive(probe) === -1, 'the far side hears of the close');
  to.close();
  until(a, b, () => from.receive(probe) === -1, 'the near side is closed');
  close();
});

test('a corrupted page on its way is not what the source hashed, and only there', () => {
  const { a, b, close } = pair();
  const { from, to } = greet(a, b);
  const memory = newRegion(10 * PAGE_SIZE);
  memory.bytes.fill(7);
  const copy = newRegion(10 * PAGE_SIZE);
  let applied = 0;
  const events = { onRoundApplied: () => void applied++, onViolation: () => {} };
  const receiver = new UdpPageReceiver(copy, 10, new Hashes(copy.bytes), events, to);
  receiver.begin();
  const sender = new UdpPageSender(memory, new Hashes(memory.bytes), from);
  sender.corruptPfn = 4;
  sender.begin(1, PageSet.full(10), true);
  until(
    a,
    b,
    () => {
      sender.pump();
      receiver.receive();
      return applied === 1;
    },
    'the round is applied',
  );
  const differing = memory.bytes.subarray(0, 10 * PAGE_SIZE).findIndex((v, i) => v !== copy.bytes[i]);
  assert.is(differing, 4 * PAGE_SIZE + PAGE_SIZE / 2);
  assert.is(memory.bytes[differing], 7, 'the guest’s own memory stays as it is');
  close();
});

test('post-copy: held until released, what is asked for first, each page with its hash, a damaged one again', () => {
  const { a, b, close } = pair();
  const { from, to } = greet(a, b);
  const pages = 400;
  const memory = newRegion(pages * PAGE_SIZE);
  new Rng('served').fill(memory.bytes);
  memory.bytes.fill(0, 300 * PAGE_SIZE, 310 * PAGE_SIZE);
  const copy = newRegion(pages * PAGE_SIZE);
  const placed: number[] = [];
  const damaged: number[] = [];
  const rounds: number[] = [];
  const events = { onRoundApplied: (round: number) => void rounds.push(round), onViolation: () => {} };
  const receiver = new UdpPageReceiver(copy, pages, new Hashes(copy.bytes), events, to);
  receiver.begin();
  receiver.stageFrom(1, {
    place: (pfn: number, _pages: number, source: Region, at: number) => {
      copy.bytes.set(source.bytes.subarray(at, at + PAGE_SIZE), pfn * PAGE_SIZE);
      placed.push(pfn);
    },
    placeZeros: (pfn: number) => void placed.push(pfn),
    damaged: (pfn: number) => void damaged.push(pfn),
  });
  const sender = new UdpPageSender(memory, new Hashes(memory.bytes), from);
  const demand = a.links.connect();
  const server = new UdpPageServer(
    sender,
    memory.bytes.length,
    a.links,
    demand,
    new Uint8Array(PREAMBLE_BYTES),
  );
  let asking: UdpLink | null = null;
  const turn = (done: () => boolean) => (): boolean => {
    asking ??= b.links.accept();
    sender.pump();
    server.pump(true);
    receiver.receive();
    return done();
  };
  const ask = (...requests: number[]): void => {
    const region = newRegion(requests.length * DEMAND_BYTES);
    const view = new DataView(region.bytes.buffer);
    for (const [i, r] of requests.entries()) view.setUint32(i * DEMAND_BYTES, r, true);
    const chain = new Chain();
    chain.push(region, 0, requests.length * DEMAND_BYTES);
    assert.ok(asking!.send(chain));
  };
  const flight = new PageSet(pages);
  flight.add(1);
  sender.begin(1, flight, true);
  until(
    a,
    b,
    turn(() => rounds.length === 1 && asking !== null),
    'the final flight is applied',
  );
  placed.length = 0;

  sender.corruptPfn = 77;
  const left = PageSet.full(pages);
  left.delete(1);
  server.begin(2, left, null);
  ask(200, 17, 77);
  for (let i = 0; i < 20; i++) {
    a.turn();
    b.turn();
    turn(() => true)();
  }
  assert.equal(placed, [], 'nothing before the destination knows what it lacks');
  receiver.release();
  until(
    a,
    b,
    turn(() => damaged.length === 1),
    'the damaged page comes',
  );
  ask(77 + DEMAND_AGAIN, 5_000_000);
  until(
    a,
    b,
    turn(() => rounds.length === 2),
    'every page is there',
  );
  assert.equal(damaged, [77]);
  const asked = [200, 17].map((pfn) => placed.indexOf(pfn));
  assert.ok(Math.max(...asked) < 64, `${asked}: ahead of the bulk`);
  assert.is(placed.length, pages - 1);
  assert.is(Buffer.compare(memory.bytes.subarray(2 * PAGE_SIZE), copy.bytes.subarray(2 * PAGE_SIZE)), 0);
  assert.equal([server.pagesDemanded, server.pagesAgain, server.zeroPages], [3, 1, 10]);
  assert.is(server.pagesDemanded + server.pagesPushed, pages - 1);
  close();
});

test.run();
