/** Sealed datagrams between two hosts in one thread, over a wire that the test reads, changes and adds to. */
import * as assert from 'uvu/assert';
import { PAGE_SIZE, PageSet } from '../../../src/core/index.js';
import { nowNs } from '../../../src/sys/index.js';
import { DatagramPlan } from '../../../src/vmotion-protocol/index.js';
import {
  Chain,
  type DatagramSink,
  type DatagramWire,
  type Link,
  newRegion,
  type Region,
  SecureLinks,
  UdpLinks,
  UdpPageReceiver,
  UdpPageSender,
  udpLinkOf,
} from '../../../src/vmotion-protocol/transport/index.js';
import { suite } from '../../suite.js';

const test = suite('vmotion-protocol/transport/secure-udp');
const DATAGRAM_BYTES = 1472;
const PAGES = 64;
const LIMIT_NS = 20e9;
const MARK = Buffer.from('guest memory that nobody else may read');
const FLAGS_AT = 2;
const FLAG_SEALED = 16;

/** One host's end: what is sent arrives at the peer's next turn, unless `onWay` has other ideas. */
class Wire implements DatagramWire {
  readonly maxDatagramBytes = DATAGRAM_BYTES;
  readonly flat = true;
  readonly at = 0;
  readonly plan = new DatagramPlan(new Uint8Array(DATAGRAM_BYTES));
  peer: Wire = this;
  waiting: Buffer[] = [];
  /** Gives what arrives in place of a datagram. */
  onWay: (datagram: Buffer) => Buffer[] = (d) => [d];

  push(): void {
    const { bytes, start, end } = this.plan;
    if (this.peer.waiting.length < 256)
      this.peer.waiting.push(...this.onWay(Buffer.from(bytes.subarray(start, end))));
  }

  takeIn(sink: DatagramSink): void {
    for (const d of this.waiting.splice(0))
      sink(d, new DataView(d.buffer, d.byteOffset, d.length), 0, d.length, null);
  }

  flush(): void {}
  close(): void {}

  nextWakeNs(): number {
    return Number.POSITIVE_INFINITY;
  }
}

/** Both hosts' links, turned by the test. */
class Pair {
  readonly wires = { a: new Wire(), b: new Wire() };
  readonly a = this.#host('a');
  readonly b = this.#host('b');
  readonly told: string[] = [];

  constructor() {
    this.wires.a.peer = this.wires.b;
    this.wires.b.peer = this.wires.a;
  }

  async until(done: () => boolean, what: string): Promise<void> {
    // Not so many turns: what is lost is sent again by timers, in real time.
    for (const startNs = nowNs(); nowNs() - startNs < LIMIT_NS; ) {
      if (done()) return;
      for (const links of [this.a, this.b]) {
        links.takeIn(nowNs());
        links.flush(nowNs());
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.unreachable(`never: ${what}; told: ${this.told}`);
  }

  async open(): Promise<{ near: Link; far: Link }> {
    const near = this.a.connect();
    let far: Link | null = null;
    const opened = (): boolean => {
      far ??= this.b.accept();
      return far !== null;
    };
    await this.until(opened, 'a link is accepted');
    return { near, far: far! };
  }

  #host(site: 'a' | 'b'): SecureLinks {
    return new SecureLinks(new UdpLinks(this.wires[site], { sealed: true }), {
      site,
      runKey: new Uint8Array(32).fill(3),
      onRefused: (code) => this.told.push(`${site} ${code}`),
    });
  }
}

/** Content whose hashes nobody asks for. */
const CONTENT = {
  hash: () => false,
  changed: () => false,
  lo: () => 0,
  hi: () => 0,
  putHash: () => {},
  hashStaged: () => true,
  hashZero: () => {},
};

function send(link: Link, text: string): void {
  const region = newRegion(text.length);
  region.bytes.set(Buffer.from(text));
  const chain = new Chain();
  chain.push(region, 0, text.length);
  link.send(chain);
  assert.is(chain.bytes, 0);
}

function read(link: Link): string {
  const region = newRegion(4096);
  const chain = new Chain();
  chain.push(region, 0, 4096);
  const n = link.receive(chain);
  return n > 0 ? Buffer.from(region.bytes.subarray(0, n)).toString() : '';
}

/** Memory that carries the mark in every page, and the sender and receiver that move it. */
async function pagesOf(
  p: Pair,
): Promise<{ near: Link; far: Link; target: Region; move: () => Promise<void> }> {
  const { near, far } = await p.open();
  const source = newRegion(PAGES * PAGE_SIZE);
  const target = newRegion(PAGES * PAGE_SIZE);
  for (let pfn = 0; pfn < PAGES; pfn++) {
    source.bytes.fill(pfn + 1, pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE);
    source.bytes.set(MARK, pfn * PAGE_SIZE + 100);
  }
  let applied = 0;
  const events = {
    onRoundApplied: (round: number) => {
      applied = round;
    },
    onViolation: (code: string, text: string) => assert.unreachable(`${code} ${text}`),
  };
  const receiver = new UdpPageReceiver(target, PAGES, CONTENT, events, udpLinkOf(far)!);
  receiver.begin();
  const sender = new UdpPageSender(source, CONTENT, udpLinkOf(near)!);
  const move = async (): Promise<void> => {
    sender.begin(1, PageSet.full(PAGES), false);
    const done = (): boolean => {
      if (sender.busy) sender.pump();
      receiver.receive();
      return applied === 1;
    };
    await p.until(done, 'the round is applied');
    assert.ok(Buffer.from(target.bytes).equals(Buffer.from(source.bytes)), 'every page is what it was');
  };
  return { near, far, target, move };
}

test('pages and messages arrive, and nothing of them can be read on the way', async () => {
  const p = new Pair();
  const seen: Buffer[] = [];
  for (const wire of Object.values(p.wires))
    wire.onWay = (d) => {
      seen.push(Buffer.from(d));
      return [d];
    };
  const { near, far, move } = await pagesOf(p);
  send(near, 'an offer');
  await p.until(() => read(far) === 'an offer', 'the message is read');
  await move();
  assert.not.ok(seen.some((d) => d.includes(MARK) || d.includes('an offer')));
  const clear = seen.filter((d) => (d[FLAGS_AT]! & FLAG_SEALED) === 0);
  const sealed = seen.length - clear.length;
  assert.ok(clear.length < 40 && sealed > PAGES * 2, `${clear.length} in clear, ${sealed} sealed`);
  assert.equal(p.told, []);
});

test('bits flipped in datagrams: each is dropped and counted as lost, none of it is believed', async () => {
  const p = new Pair();
  const { move } = await pagesOf(p);
  let n = 0;
  for (const wire of Object.values(p.wires))
    wire.onWay = (d) => {
      if (++n % 7 === 0) d[n % d.length] = d[n % d.length]! ^ (1 << (n % 8));
      return [d];
    };
  await move();
  const forged = p.a.refusals.VMOTION_RECORD_FORGED + p.b.refusals.VMOTION_RECORD_FORGED;
  assert.ok(forged >= 10, `${forged}`);
});

test('datagrams sent twice, late and in clear: pages are what they were, and only what is forged is called so', async () => {
  const p = new Pair();
  const { near, far, target, move } = await pagesOf(p);
  const recorded: Buffer[] = [];
  p.wires.a.onWay = (d) => {
    if ((d[FLAGS_AT]! & FLAG_SEALED) !== 0) recorded.push(Buffer.from(d));
    return [d, Buffer.from(d)];
  };
  await move();
  // Once more, all that was sent: the pages have changed at the destination meanwhile, and stay so.
  target.bytes.fill(0xee);
  p.wires.b.waiting.push(...recorded.map((d) => Buffer.from(d)));
  await p.until(() => p.wires.b.waiting.length === 0, 'the recorded ones are taken in');
  assert.ok(target.bytes.every((byte) => byte === 0xee));
  assert.is(p.b.refusals.VMOTION_RECORD_FORGED, 0, 'a repeated datagram is no forgery');
  // The same connection and a number of its own, in clear: a third party's page, and a CLOSE.
  const number = 1_000_000;
  for (const kind of [1, 9]) {
    const d = Buffer.alloc(DATAGRAM_BYTES);
    recorded[0]!.copy(d, 0, 0, 16);
    d[FLAGS_AT] = d[FLAGS_AT]! & ~FLAG_SEALED;
    d[3] = 0;
    d.writeUInt32LE(number + kind, 8);
    d[16] = kind;
    p.wires.b.waiting.push(d);
  }
  await p.until(() => p.b.refusals.VMOTION_RECORD_FORGED === 2, 'both are counted');
  send(near, 'still here');
  await p.until(() => read(far) === 'still here', 'the connection stands');
});

test('before both sides seal, no page is taken from anybody', async () => {
  const p = new Pair();
  let sealed = 0;
  // A third party follows every datagram in clear with a page of its own, under the next free number.
  p.wires.a.onWay = (d) => {
    if ((d[FLAGS_AT]! & FLAG_SEALED) !== 0) {
      sealed++;
      return [d];
    }
    const forged = Buffer.alloc(16 + 16 + 1024 + 16);
    d.copy(forged, 0, 0, 16);
    forged.writeUInt32LE(d.readUInt32LE(8) + 500, 8);
    forged.writeUInt16LE(1, 14); // round 1
    forged[16] = 1; // PAGE, raw
    forged.writeUInt16LE(1024, 16 + 4);
    forged.writeUInt16LE(PAGE_SIZE, 16 + 6);
    forged.writeUInt32LE(5, 16 + 8); // pfn
    forged.writeUInt32LE(0x7fffffff, 16 + 12); // a version above all others
    return [d, forged];
  };
  const { move } = await pagesOf(p);
  await move();
  assert.ok(sealed > 0);
});

test.run();
