/** Two connections over a simulated path, in virtual time: docs/design.md, "Tests"; issue "The vMotion protocol", WAN grid. */
import * as assert from 'uvu/assert';
import { PAGE_SIZE, PageSet, Rng } from '../../../src/core/index.js';
import {
  Bbr,
  type CongestionControl,
  Cubic,
  DatagramPlan,
  FixedRate,
  PageOutbox,
} from '../../../src/vmotion-protocol/index.js';
import { MIN_WINDOW_BYTES } from '../../../src/vmotion-protocol/udp/congestion/congestion-control.js';
import { FRAME_PAGE } from '../../../src/vmotion-protocol/udp/packet-codec.js';
import { SentPackets } from '../../../src/vmotion-protocol/udp/sent-packets.js';
import { suite } from '../../suite.js';
import { Memory, MS, type Path, SimulatedPath } from './simulated-path.js';

const test = suite('vmotion-protocol/udp/simulation');
const S = 1000 * MS;

function filled(path: Path, seed: string, pages: number, options = {}): SimulatedPath {
  const w = new SimulatedPath(path, seed, pages, options);
  for (let pfn = 0; pfn < pages; pfn++) w.memory.write(pfn);
  return w;
}

/** Sends rounds while the guest writes, as pre-copy does, then the last one with the guest standing. */
function migrate(w: SimulatedPath, seed: string, rounds: number, writesPerMs: number): void {
  const pages = w.memory.pages;
  const rng = new Rng(seed);
  let dirty = new PageSet(pages);
  let set = PageSet.full(pages);
  let writtenNs = 0;
  w.onInstant = (nowNs) => {
    for (; writtenNs < nowNs; writtenNs += MS / writesPerMs) {
      const pfn = rng.below(pages);
      w.memory.write(pfn, rng.chance(0.1) ? 0 : undefined);
      dirty.add(pfn);
    }
  };
  for (let round = 1; round <= rounds; round++) {
    if (round === rounds) {
      w.onInstant = () => {};
      w.source.protect(true);
    }
    const n = set.count();
    w.begin(round, set);
    assert.ok(
      w.run(w.nowNs + 100 * S, () => w.copy.rounds.length === round),
      `round ${round} of seed ${seed} ends`,
    );
    assert.is(w.copy.rounds[round - 1]!.pages, n, 'each page is counted once');
    set = dirty;
    dirty = new PageSet(pages);
    writtenNs = Math.max(writtenNs, w.nowNs);
  }
  for (let pfn = 0; pfn < pages; pfn++) {
    const from = pfn * PAGE_SIZE;
    const same = Buffer.compare(
      w.memory.bytes.subarray(from, from + PAGE_SIZE),
      w.copy.bytes.subarray(from, from + PAGE_SIZE),
    );
    assert.is(same, 0, `page ${pfn} of seed ${seed} is at its latest version`);
  }
}

test('every page arrives at its latest version, whatever the path does to datagrams', () => {
  for (let i = 0; i < 8; i++) {
    const rng = new Rng(`path ${i}`);
    const path = {
      oneWayNs: MS * (0.1 + rng.float() * 20),
      rateBps: 5e7 + rng.float() * 5e8,
      queueBytes: 60_000 + rng.below(500_000),
      loss: rng.chance(0.3) ? 0 : rng.float() * 0.2,
      duplicate: rng.float() * 0.05,
      reorder: rng.chance(0.5) ? rng.float() * 0.2 : 0,
      reorderNs: 3 * MS,
    };
    const w = filled(path, `seed ${i}`, 600, { maxDatagramBytes: rng.chance(0.5) ? 1472 : 8972 });
    for (let pfn = 0; pfn < 600; pfn += 7) w.memory.write(pfn, 0);
    migrate(w, `guest ${i}`, 5, 3);
  }
});

test('a page is torn only by a write between its own fragments, and never in the last flight', () => {
  const w = filled({ oneWayNs: 5 * MS, rateBps: 1e8, queueBytes: 200_000, loss: 0.1 }, 'torn', 400);
  migrate(w, 'torn guest', 4, 5);
  const before = w.copy.torn;
  w.begin(5, PageSet.full(400));
  assert.ok(w.run(w.nowNs + 50 * S, () => w.copy.rounds.length === 5));
  assert.is(w.copy.torn, before);
  assert.ok(w.outbox.superseded > 0, 'some lost pages had changed and went anew as a whole');
});

test('a lost page that has changed is sent as it is now, never as it was', () => {
  const w = filled(
    { oneWayNs: 5 * MS, rateBps: 1e9, queueBytes: 1e6, dropNth: new Set([1, 2, 3]) },
    'now',
    20,
  );
  w.onInstant = (nowNs) => {
    if (nowNs > 2 * MS && w.memory.generation[1] === 1)
      for (let pfn = 0; pfn < 20; pfn++) w.memory.write(pfn);
  };
  w.begin(1, PageSet.full(20));
  assert.ok(w.run(S, () => w.copy.rounds.length === 1));
  const generations = Array.from({ length: 20 }, (_, pfn) => w.copy.words[pfn * 1024 + 1]);
  assert.ok(generations.includes(2), 'lost pages came with what was written meanwhile');
  assert.ok(generations.includes(1), 'and those that had arrived were not sent again');
  assert.ok(w.outbox.superseded > 0);
  assert.ok(w.copy.torn <= 1, 'at most the page that was in hand when the guest wrote; the dirty log has it');
});

test('a loss noticed after the next round had begun made that round never end', () => {
  // The acknowledgement of a page's last copy is late, the round is over, the page changes: sent anew in a round that
  // it does not belong to, it was counted there.
  const records = new Memory(10);
  const outbox = new PageOutbox(10, records);
  const packets = new SentPackets(64);
  const plan = new DatagramPlan(new Uint8Array(2000));
  const send = (): void => {
    packets.begin();
    plan.begin(0, 1472);
    outbox.fill(plan, packets, false);
    packets.commit(0, 1472);
  };
  records.write(3);
  const first = new PageSet(10);
  first.add(3);
  outbox.begin(1, first);
  while (outbox.pending) send();
  const second = new PageSet(10);
  second.add(5);
  records.write(3);
  records.write(5);
  outbox.begin(2, second);
  for (let n = 0; n < packets.next; n++) {
    for (let i = 0; i < packets.fragments(n); i++) {
      const f = packets.fragment(n, i);
      const { kind, subject, version, offset, length } = packets;
      outbox.lost(kind[f]!, subject[f]!, version[f]!, offset[f]!, length[f]!);
    }
  }
  const before = packets.next;
  while (outbox.pending) send();
  for (let n = before; n < packets.next; n++) {
    for (let i = 0; i < packets.fragments(n); i++) {
      const f = packets.fragment(n, i);
      if (packets.kind[f] === FRAME_PAGE)
        assert.is(packets.subject[f], 5, 'only the new round’s page is sent');
    }
  }
  assert.equal([outbox.dataPages, outbox.pages], [1, 1]);
});

test('the same seed gives the same trace, byte for byte', () => {
  const run = (): string[] => {
    const path = {
      oneWayNs: 7 * MS,
      rateBps: 2e8,
      queueBytes: 1e5,
      loss: 0.03,
      reorder: 0.05,
      reorderNs: MS,
    };
    const w = filled(path, 'trace', 300);
    w.tracing = true;
    migrate(w, 'g', 3, 2);
    return w.trace;
  };
  const first = run();
  assert.ok(first.length > 500);
  assert.equal(run(), first);
});

/** Goodput after ten round trips over payload capacity × (1 − loss). */
function share(
  rttMs: number,
  loss: number,
  rateBps: number,
  congestion = (): Bbr | Cubic | FixedRate => new Bbr(),
) {
  const bdpBytes = (rateBps * rttMs * MS) / 8e9;
  const seconds = Math.max(0.2, (25 * rttMs) / 1000);
  const pages = Math.ceil((rateBps * seconds * 1.2) / 8 / PAGE_SIZE);
  const path = { oneWayNs: (rttMs * MS) / 2, rateBps, queueBytes: Math.max(200_000, bdpBytes), loss };
  const w = filled(path, `grid ${rttMs} ${loss}`, pages, { congestion: congestion() });
  const fromNs = 10 * rttMs * MS;
  let placedBefore = -1;
  w.onInstant = (nowNs) => {
    if (placedBefore < 0 && nowNs >= fromNs) placedBefore = w.copy.placed;
  };
  w.begin(1, PageSet.full(pages));
  w.run(fromNs + seconds * 0.6 * S, () => w.copy.rounds.length > 0);
  const goodputBps = ((w.copy.placed - placedBefore) * 8e9) / (w.nowNs - fromNs);
  return goodputBps / (rateBps * ((1472 - 32) / 1538) * (1 - loss));
}

test('goodput is at least 0.85 of the capacity that loss leaves, RTT 1 to 150 ms, loss 0 to 5 %', () => {
  const table: string[] = [];
  let worst = 1;
  for (const rttMs of [1, 10, 50, 100, 150]) {
    const row = [0, 1e-4, 1e-3, 0.01, 0.02, 0.05].map((loss) => share(rttMs, loss, 3e7));
    worst = Math.min(worst, ...row);
    table.push(`${rttMs} ms: ${row.map((s) => s.toFixed(3)).join(' ')}`);
  }
  assert.ok(worst >= 0.85, table.join('\n'));
  assert.ok(share(1, 0.01, 1e9) >= 0.85, 'and so at 1 Gbit/s');
});

test('CUBIC fills a clean path and gives way to loss; a fixed rate holds', () => {
  assert.ok(share(10, 0, 5e7, () => new Cubic()) > 0.9);
  assert.ok(share(50, 0.02, 5e7, () => new Cubic()) < 0.5, 'that is what loss does to a window');
  assert.ok(share(50, 0.05, 5e7, () => new FixedRate(4.9e7)) > 0.85);
});

test('a rate limit holds for any congestion control', () => {
  const w = filled({ oneWayNs: MS, rateBps: 1e9, queueBytes: 1e6 }, 'limit', 3000, { rateLimitBps: 1e8 });
  w.begin(1, PageSet.full(3000));
  assert.ok(w.run(10 * S, () => w.copy.rounds.length === 1));
  const wireBytes = w.source.counters.packets * 1538;
  assert.ok((wireBytes * 8e9) / w.nowNs <= 1.01e8, `${wireBytes} bytes in ${w.nowNs} ns`);
  assert.is(w.queueDropped, 0);
});

test('one loss in the flight that ends the pause costs no round trip', () => {
  const flight = (dropNth: ReadonlySet<number>): number => {
    const path: Path = { oneWayNs: 50 * MS, rateBps: 1e8, queueBytes: 2e6 };
    const w = filled(path, 'fec', 2500);
    w.begin(1, PageSet.full(2500));
    assert.ok(w.run(10 * S, () => w.copy.rounds.length === 1));
    w.run(w.nowNs + 300 * MS, () => false);
    const sentBefore = w.sentAToB;
    w.path = { ...path, dropNth: new Set([...dropNth].map((n) => sentBefore + n)) };
    const startNs = w.nowNs;
    w.source.protect(true);
    const last = new PageSet(2500);
    last.addRange(10, 30);
    w.begin(2, last);
    const message = new Uint8Array(3000).fill(9);
    w.source.write(message);
    const heard = new Uint8Array(3000);
    let got = 0;
    const done = (): boolean => {
      got += w.destination.read(heard.subarray(got));
      return w.copy.rounds.length === 2 && got === 3000;
    };
    assert.ok(w.run(startNs + 5 * S, done));
    assert.is(w.destination.counters.recovered > 0, dropNth.size > 0);
    return w.nowNs - startNs;
  };
  const clean = flight(new Set());
  // One way, and what 80 KiB of pages take at the rate.
  assert.ok(clean < 62 * MS, `${clean} ns`);
  for (let n = 0; n < 60; n += 12) {
    const lossy = flight(new Set([n]));
    assert.ok(lossy < clean + 3 * MS, `packet ${n} lost: ${lossy} ns, none lost: ${clean} ns`);
  }
});

test('a path that is smaller than its interfaces is found, without ICMP', () => {
  const w = filled({ oneWayNs: MS, rateBps: 1e9, queueBytes: 1e6, mtuBytes: 1472 }, 'mtu', 2000, {
    maxDatagramBytes: 8972,
  });
  w.begin(1, PageSet.full(2000));
  assert.ok(w.run(10 * S, () => w.copy.rounds.length === 1));
  w.run(w.nowNs + 10 * S, () => false);
  assert.ok(w.source.datagramBytes > 1440 && w.source.datagramBytes <= 1472, `${w.source.datagramBytes}`);
});

test('the path shrinks in the middle: a black hole is noticed and left', () => {
  const path = { oneWayNs: MS, rateBps: 1e9, queueBytes: 1e6 };
  const w = filled(path, 'shrink', 20_000, { maxDatagramBytes: 8972 });
  w.onInstant = (nowNs) => {
    if (nowNs > 100 * MS) w.path = { ...path, mtuBytes: 1472 };
  };
  w.begin(1, PageSet.full(20_000));
  assert.ok(w.run(20 * S, () => w.copy.rounds.length === 1));
  assert.ok(w.source.datagramBytes <= 1472);
});

test('five seconds without a link: the round goes on afterwards, and nothing that arrived is sent again', () => {
  const down = { oneWayNs: 5 * MS, rateBps: 1e8, queueBytes: 2e5, downNs: [300 * MS, 5300 * MS] as const };
  const w = filled(down, 'down', 4000);
  w.begin(1, PageSet.full(4000));
  assert.ok(w.run(30 * S, () => w.copy.rounds.length === 1));
  assert.is(w.source.state, 'open');
  // Only what was in flight when the link broke, and the probes since, had to go twice.
  assert.ok(w.outbox.resentBytes < 2 * (w.dropped + w.queueDropped) * 1472, `${w.outbox.resentBytes}`);
  assert.ok(w.nowNs < 10 * S, `${w.nowNs}`);
});

test('a window below one jumbo datagram, as after timeouts, stopped a connection for ever', () => {
  const least: CongestionControl = {
    name: 'least',
    cwndBytes: MIN_WINDOW_BYTES,
    pacingBps: Number.POSITIVE_INFINITY,
    onSent: () => {},
    onAck: () => {},
    onLoss: () => {},
    onTimeout: () => {},
  };
  const options = { maxDatagramBytes: 8972, congestion: least };
  const w = filled({ oneWayNs: MS }, 'jumbo', 200, options);
  w.begin(1, PageSet.full(200));
  assert.ok(w.run(5 * S, () => w.copy.rounds.length === 1));
  assert.ok(w.source.datagramBytes > MIN_WINDOW_BYTES);
});

test('silence beyond the limit breaks both ends; a broken connection asks for nothing', () => {
  const w = filled({ oneWayNs: MS, downNs: [50 * MS, 1e15] }, 'silence', 100, { silenceNs: 3 * S });
  w.begin(1, PageSet.full(100));
  w.run(60 * S, () => w.source.state === 'broken' && w.destination.state === 'broken');
  assert.equal([w.source.state, w.destination.state], ['broken', 'broken']);
  assert.equal([w.source.nextWakeNs(), w.destination.nextWakeNs()], [Infinity, Infinity]);
});

test('control bytes arrive in order both ways under loss; a close is heard by both', () => {
  const w = new SimulatedPath({ oneWayNs: 3 * MS, rateBps: 1e8, queueBytes: 1e5, loss: 0.1 }, 'control', 1);
  const text = new Uint8Array(200_000);
  new Rng('text').fill(text);
  const ends = [w.source, w.destination] as const;
  const written = [0, 0];
  const got = [new Uint8Array(200_000), new Uint8Array(200_000)];
  const read = [0, 0];
  assert.ok(
    w.run(60 * S, () => {
      for (const i of [0, 1] as const) {
        written[i]! += ends[i].write(text.subarray(written[i], written[i]! + 5000));
        read[i]! += ends[i].read(got[i]!.subarray(read[i]));
      }
      return read[0] === 200_000 && read[1] === 200_000;
    }),
  );
  assert.is(Buffer.compare(got[0]!, text) + Buffer.compare(got[1]!, text), 0);
  w.source.close();
  assert.ok(
    w.run(w.nowNs + 60 * S, () => w.destination.read(got[0]!) === 0 && w.destination.state === 'closed'),
  );
  assert.ok(w.run(w.nowNs + 60 * S, () => w.source.state === 'closed'));
});

test('a demanded page leaves before all that is still to be sent', () => {
  const w = filled({ oneWayNs: MS, rateBps: 1e8, queueBytes: 1e5 }, 'demand', 2000);
  w.begin(1, PageSet.full(2000));
  w.run(20 * MS, () => false);
  w.outbox.demand(1999);
  const atNs = w.nowNs;
  assert.ok(w.run(S, () => w.copy.words[1999 * 1024] === 2000));
  assert.ok(w.nowNs - atNs < 20 * MS, `${w.nowNs - atNs} ns behind a queue of 160 ms of pages`);
  assert.ok(w.run(10 * S, () => w.copy.rounds.length === 1));
  assert.is(w.copy.rounds[0]!.pages, 2000);
});

test('random datagrams with the right connection id break nothing', () => {
  const w = filled({ oneWayNs: MS }, 'fuzz', 50);
  w.begin(1, PageSet.full(50));
  const rng = new Rng('noise');
  for (let i = 0; i < 20_000; i++) {
    const junk = new Uint8Array(16 + rng.below(200));
    rng.fill(junk);
    junk.set([0x4c, 0x55, i & 13, 0, 0xcd, 0xab, 0x34, 0x12]);
    junk.set([rng.below(256), rng.below(16), 0, 0, 0, 0, 1, 0], 8);
    junk[16] = 1 + rng.below(8);
    w.destination.receive(0, junk, new DataView(junk.buffer), 0, junk.length);
    junk[2] = (i & 13) | 2;
    w.source.receive(0, junk, new DataView(junk.buffer), 0, junk.length);
  }
  assert.ok(w.source.state !== 'broken' && w.destination.state !== 'broken');
});

test.run();
