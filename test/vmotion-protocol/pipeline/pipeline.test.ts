/** The pipeline between two models of a guest's memory: whatever happens in between, both end the same. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { PAGE_SIZE, PageSet, Rng } from '../../../src/core/index.js';
import { type FillKind, fillMemory } from '../../../src/guest/index.js';
import {
  AS_DELTA,
  AS_RAW,
  AS_SAME,
  AS_ZERO,
  ENCODINGS,
  PageApplier,
  PagePipeline,
  PIPELINE_DEFAULTS,
  type PipelineOptions,
  SparseCodec,
  UNORDERED,
} from '../../../src/vmotion-protocol/index.js';
import { suite } from '../../suite.js';
import { Xxh64 } from './hash.js';

const test = suite('vmotion-protocol/pipeline');

interface Sent {
  readonly pfn: number;
  readonly encoding: number;
  readonly bytes: Uint8Array;
  /** UDP: which encoding of this page it is. */
  readonly version: number;
}

/** Everything on, and a clock that says a try costs 1 µs. */
function optionsOf(change: Partial<PipelineOptions> = {}): PipelineOptions {
  let ns = 0;
  return {
    ...PIPELINE_DEFAULTS,
    compress: 'on',
    delta: 'on',
    dedup: 'on',
    codec: new SparseCodec(),
    deltaCacheBytes: 1 << 20,
    dedupEntries: 256,
    clockNs: () => {
      ns += 1_000;
      return ns;
    },
    ...change,
  };
}

/** Both ends, and what lies between them. */
class Move {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly pipeline: PagePipeline;
  readonly applier: PageApplier;
  readonly hash = new Xxh64();
  readonly pages: number;
  /** Written since the harvest. */
  dirty: PageSet;
  round = 0;
  misses = 0;
  encodings: number[] = [];
  #versions = 0;
  readonly #newest: Uint32Array;
  readonly #out = new Uint8Array(PAGE_SIZE + 64).fill(0xcc);

  constructor(pages: number, options: Partial<PipelineOptions> = {}) {
    const given = optionsOf(options);
    this.pages = pages;
    this.source = new Uint8Array(pages * PAGE_SIZE);
    this.destination = new Uint8Array(pages * PAGE_SIZE);
    this.pipeline = new PagePipeline(this.source, given);
    this.applier = new PageApplier(this.destination, new Xxh64(), given.codec);
    this.dirty = PageSet.full(pages);
    this.#newest = new Uint32Array(pages);
  }

  write(pfn: number, at: number, bytes: ArrayLike<number>): void {
    this.source.set(bytes, pfn * PAGE_SIZE + at);
    this.dirty.add(pfn);
  }

  harvest(): PageSet {
    const pages = this.dirty;
    this.dirty = new PageSet(this.pages);
    this.pipeline.beginRound(++this.round, pages);
    return pages;
  }

  /** @param between called between the hash and the encoding: a guest that writes meanwhile */
  encode(pfn: number, stream: number, between = (): void => {}): Sent {
    const at = pfn * PAGE_SIZE;
    this.hash.take(this.source, at);
    between();
    const encoding = this.pipeline.encode(pfn, this.hash.lo, this.hash.hi, stream, this.#out, 32);
    const { live, length } = this.pipeline;
    for (let i = 0; i < 32; i++) assert.ok(this.#out[i] === 0xcc && this.#out[PAGE_SIZE + 32 + i] === 0xcc);
    this.encodings.push(encoding);
    const bytes = live ? this.source.slice(at, at + PAGE_SIZE) : this.#out.slice(32, 32 + length);
    assert.is(bytes.length, length);
    return { pfn, encoding, bytes, version: ++this.#versions };
  }

  deliver(sent: Sent): void {
    if (sent.version < this.#newest[sent.pfn]!) return; // UDP: an older version than what is there
    this.#newest[sent.pfn] = sent.version;
    const applied = this.applier.apply(sent.pfn, sent.encoding, sent.bytes, 0, sent.bytes.length);
    assert.is.not(applied, 'bad');
    if (applied === 'miss') this.misses++;
  }

  /** ROUND_DONE comes back, with what was missed. */
  acknowledge(): void {
    const misses = this.applier.takeMisses() ?? new PageSet(this.pages);
    this.pipeline.acknowledged(this.round);
    this.pipeline.forget(misses);
    this.dirty.union(misses);
  }

  /** One whole round on one stream. */
  sendAll(): Sent[] {
    const all: Sent[] = [];
    const pages = this.harvest();
    for (let pfn = pages.next(0); pfn >= 0; pfn = pages.next(pfn + 1)) {
      all.push(this.encode(pfn, 0));
      this.deliver(all.at(-1)!);
    }
    this.acknowledge();
    return all;
  }

  identical(): boolean {
    return Buffer.compare(this.source, this.destination) === 0;
  }
}

/** Writes a random page in a way that gives every encoding its turn. */
function scribble(move: Move, rng: Rng, pfn = rng.below(move.pages)): void {
  switch (rng.below(6)) {
    case 0: // one of four contents: pages alike
      move.write(pfn, 0, new Uint8Array(PAGE_SIZE).fill(1 + rng.below(4)));
      break;
    case 1:
      move.write(pfn, 0, new Uint8Array(PAGE_SIZE));
      break;
    case 2: {
      const other = rng.below(move.pages) * PAGE_SIZE;
      move.write(pfn, 0, move.source.slice(other, other + PAGE_SIZE));
      break;
    }
    case 3: {
      const bytes = new Uint8Array(PAGE_SIZE);
      rng.fill(bytes);
      move.write(pfn, 0, bytes);
      break;
    }
    default:
      move.write(pfn, rng.below(PAGE_SIZE - 8), [rng.below(256), rng.below(256), 3]);
  }
}

function pfnsOf(set: PageSet): number[] {
  const pfns: number[] = [];
  for (let pfn = set.next(0); pfn >= 0; pfn = set.next(pfn + 1)) pfns.push(pfn);
  return pfns;
}

function shuffle<T>(items: T[], rng: Rng): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = rng.below(i + 1);
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
  return items;
}

/** Rounds over ordered streams that overtake each other, until nothing is dirty. */
function streamRounds(move: Move, rng: Rng, streams: number, races: boolean, breaks: boolean): void {
  for (let round = 0; round < 12 || move.dirty.next(0) >= 0; round++) {
    assert.ok(round < 60, 'it ends');
    const quiet = round >= 8;
    if (!quiet) for (let i = 0; i < 12; i++) scribble(move, rng);
    const set = move.harvest();
    const queues: Sent[][] = Array.from({ length: streams }, () => []);
    const deliverOne = (): void => {
      const queue = queues[rng.below(streams)]!;
      if (queue.length > 0) move.deliver(queue.shift()!);
    };
    let broken = false;
    for (const pfn of shuffle(pfnsOf(set), rng)) {
      if (breaks && !quiet && rng.chance(0.02)) {
        broken = true;
        break;
      }
      const stream = rng.below(streams);
      const between = races && !quiet && rng.chance(0.2) ? () => scribble(move, rng, pfn) : undefined;
      queues[stream]!.push(move.encode(pfn, stream, between));
      if (races && !quiet && rng.chance(0.3)) scribble(move, rng);
      while (rng.chance(0.45)) deliverOne();
    }
    if (broken) {
      // What was under way is lost, and which of it arrived is unknown: all of the round is sent again.
      move.pipeline.linksLost();
      move.dirty.union(set);
      move.dirty.union(move.applier.takeMisses() ?? new PageSet(move.pages));
      continue;
    }
    while (queues.some((q) => q.length > 0)) deliverOne();
    move.acknowledge();
  }
}

const seeds = fc.integer({ min: 0, max: 0xffffffff });
const smallCaches = [
  { deltaCacheBytes: 0, dedupEntries: 4 },
  { deltaCacheBytes: 5 * PAGE_SIZE, dedupEntries: 8 },
  { deltaCacheBytes: 1 << 20, dedupEntries: 256 },
];

test('streams in any interleaving, also broken: memory ends the same, and without races nothing is ever missed', () => {
  const seen = new Set<number>();
  fc.assert(
    fc.property(
      seeds,
      fc.integer({ min: 1, max: 4 }),
      fc.nat(2),
      fc.boolean(),
      (seed, streams, size, breaks) => {
        const move = new Move(24, smallCaches[size]);
        streamRounds(move, new Rng(seed), streams, false, breaks);
        assert.ok(move.identical());
        assert.is(move.misses, 0);
        for (const e of move.encodings) seen.add(e);
      },
    ),
    { numRuns: 60 },
  );
  assert.is(seen.size, ENCODINGS.length, 'every encoding had its turn');
});

test('a guest that writes between hash and encoding, and links that break: memory ends the same', () => {
  let misses = 0;
  fc.assert(
    fc.property(seeds, fc.integer({ min: 1, max: 4 }), fc.boolean(), (seed, streams, breaks) => {
      const move = new Move(24);
      streamRounds(move, new Rng(seed), streams, true, breaks);
      assert.ok(move.identical());
      misses += move.misses;
    }),
    { numRuns: 60 },
  );
  assert.ok(misses > 0, 'races did happen');
});

test('datagrams lost, late and out of order, retransmitted with the present content: memory ends the same', () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const rng = new Rng(seed);
      const move = new Move(24);
      for (let round = 0; round < 12 || move.dirty.next(0) >= 0; round++) {
        assert.ok(round < 60, 'it ends');
        if (round < 8) for (let i = 0; i < 12; i++) scribble(move, rng);
        const late: Sent[] = [];
        let missing = pfnsOf(move.harvest());
        while (missing.length > 0) {
          const lost: number[] = [];
          for (const sent of shuffle(
            missing.map((pfn) => move.encode(pfn, UNORDERED)),
            rng,
          )) {
            if (rng.chance(0.7)) move.deliver(sent);
            else {
              lost.push(sent.pfn);
              if (rng.chance(0.5)) late.push(sent); // it was only late
            }
            if (round < 8 && rng.chance(0.2)) scribble(move, rng);
          }
          for (const sent of late.splice(0, rng.below(late.length + 1))) move.deliver(sent);
          missing = lost;
        }
        for (const sent of late) move.deliver(sent);
        move.acknowledge();
      }
      assert.ok(move.identical());
    }),
    { numRuns: 60 },
  );
});

test('a page is only referred to on another stream once its round is acknowledged', () => {
  const move = new Move(3);
  const content = new Uint8Array(PAGE_SIZE);
  new Rng(1).fill(content);
  for (const pfn of [0, 1, 2]) move.write(pfn, 0, content);
  move.harvest();
  const first = move.encode(0, 0);
  assert.is(first.encoding, AS_RAW);
  const second = move.encode(1, 1);
  assert.is(second.encoding, AS_RAW, 'stream 1 may overtake stream 0');
  const third = move.encode(2, 1);
  assert.is(third.encoding, AS_SAME, 'on the stream of page 1 it comes after it');
  for (const sent of [first, second, third]) move.deliver(sent);
  move.acknowledge();
  assert.ok(move.identical());
});

test('a page that this round will send anew is not referred to by another, though the receiver still has it', () => {
  const content = new Uint8Array(PAGE_SIZE).fill(7);
  const begin = (): Move => {
    const move = new Move(2, { compress: 'off' });
    move.write(0, 0, content);
    move.sendAll();
    move.write(1, 0, content);
    move.write(0, 0, content); // page 0 is dirty again, with what it had
    move.harvest();
    return move;
  };
  assert.is(begin().encode(1, 0).encoding, AS_RAW);
  const itself = begin().encode(0, 1);
  assert.is(itself.encoding, AS_SAME, 'on any stream: it has not changed at all');
  assert.is(itself.bytes[0], 0);
});

test('contents that collide in their hash do not become one page', () => {
  const move = new Move(2);
  move.write(0, 0, new Uint8Array(PAGE_SIZE).fill(1));
  move.write(1, 0, new Uint8Array(PAGE_SIZE).fill(2));
  move.harvest();
  const out = new Uint8Array(PAGE_SIZE);
  move.pipeline.encode(0, 123, 456, 0, out, 0);
  assert.is.not(move.pipeline.encode(1, 123, 456, 0, out, 0), AS_SAME);
});

test('golden: the bytes of SAME and of DELTA', () => {
  const move = new Move(0x0102);
  const random = new Uint8Array(PAGE_SIZE);
  new Rng(2).fill(random);
  move.write(0x0101, 0, random);
  move.write(0x0001, 0, random.subarray(0, 2048));
  move.sendAll();
  move.write(0x0001, 0, [1]);
  move.sendAll(); // sent again: from now on its version is kept
  move.write(0x0001, 0, [2, 0, 0, 0]);
  move.write(0x0000, 0, random);
  move.harvest();
  const hex = (sent: Sent): string => Buffer.from(sent.bytes).toString('hex');
  const hashHex = (pfn: number): string => {
    const halves = Buffer.alloc(8);
    move.hash.take(move.source, pfn * PAGE_SIZE);
    halves.writeUInt32LE(move.hash.lo, 0);
    halves.writeUInt32LE(move.hash.hi, 4);
    return halves.toString('hex');
  };
  const same = move.encode(0, 0);
  assert.is(same.encoding, AS_SAME);
  assert.is(hex(same), `01010000${hashHex(0)}`); //       pfn 0x0101, hash lo, hash hi
  const delta = move.encode(1, 0);
  assert.is(delta.encoding, AS_DELTA);
  assert.is(hex(delta), `${hashHex(1)}000102000000`); //  hash; kept 0, changed 1, the word
});

test('hostile records: no throw, nothing written but the page named, misses and bad bytes leave memory as it is', () => {
  const hash = new Xxh64();
  fc.assert(
    fc.property(
      fc.nat(5),
      fc.nat(7),
      fc.uint8Array({ maxLength: 64 }),
      fc.constantFrom(-1, 0, 8, 12, 20, PAGE_SIZE, 70_000),
      fc.nat(3),
      fc.boolean(),
      (pfn, encoding, head, lengthOr, at, received) => {
        const memory = new Uint8Array(4 * PAGE_SIZE).fill(0x5a);
        const applier = new PageApplier(memory, hash, new SparseCodec());
        if (received) applier.received(0, 4);
        const bytes = new Uint8Array(PAGE_SIZE + 2);
        bytes.set(head);
        const length = lengthOr < 0 ? head.length : lengthOr;
        const result = applier.apply(pfn, encoding, bytes, at, length);
        if (result !== 'applied') assert.is(applier.make(pfn, encoding, bytes, at, length), result);
        for (let p = 0; p < 4; p++) {
          if (p === pfn && result === 'applied') continue;
          const page = memory.subarray(p * PAGE_SIZE, (p + 1) * PAGE_SIZE);
          assert.ok(page.every((b) => b === 0x5a));
        }
        if (pfn > 3) assert.is(result, 'bad');
        if (encoding === AS_SAME && !received) assert.is.not(result, 'applied');
      },
    ),
    { numRuns: 500 },
  );
});

test('the guest that runs at the receiver writes its pages: nothing refers to them any more', () => {
  const move = new Move(4);
  for (let pfn = 0; pfn < 4; pfn++) move.write(pfn, 0, [pfn + 1]);
  move.sendAll();
  move.pipeline.peerRuns();
  move.applier.lost(PageSet.full(4));
  for (let pfn = 0; pfn < 4; pfn++) move.write(pfn, 0, [9, 9]);
  const pages = move.harvest();
  for (const pfn of pfnsOf(pages)) {
    const sent = move.encode(pfn, 0);
    assert.ok(sent.encoding !== AS_SAME && sent.encoding !== AS_DELTA);
    assert.is(move.applier.make(sent.pfn, sent.encoding, sent.bytes, 0, sent.bytes.length), 'applied');
    const at = sent.pfn * PAGE_SIZE;
    assert.ok(Buffer.compare(move.applier.page, move.source.subarray(at, at + PAGE_SIZE)) === 0);
  }
});

test('more hot pages than the cache has room for: those in it stay, and pay, round by round', () => {
  const slots = 16;
  const move = new Move(64, { dedup: 'off', compress: 'off', deltaCacheBytes: slots * PAGE_SIZE });
  const rng = new Rng(5);
  for (let pfn = 0; pfn < 64; pfn++) {
    const page = new Uint8Array(PAGE_SIZE);
    rng.fill(page);
    move.write(pfn, 0, page);
  }
  for (let round = 0; round < 8; round++) {
    move.encodings = [];
    move.sendAll();
    const deltas = move.encodings.filter((e) => e === AS_DELTA).length;
    assert.is(deltas, round < 2 ? 0 : slots, `round ${round + 1}`);
    for (let pfn = 0; pfn < 64; pfn++) move.write(pfn, 8, [round + 1]);
  }
  // Others become hot: those that were are let go after two rounds.
  move.sendAll();
  for (let round = 0; round < 4; round++) {
    move.encodings = [];
    for (let pfn = 48; pfn < 60; pfn++) move.write(pfn, 16, [round + 1]);
    move.sendAll();
  }
  assert.is(move.encodings.filter((e) => e === AS_DELTA).length, 12);
  assert.ok(move.identical());
});

test('the account closes: pages by encoding, bytes, savings', () => {
  const move = new Move(32);
  const rng = new Rng(3);
  let bytes = 0;
  for (let round = 0; round < 6; round++) {
    for (let i = 0; i < 30; i++) scribble(move, rng);
    for (const sent of move.sendAll()) bytes += sent.bytes.length;
  }
  const s = move.pipeline.savings();
  const as = s.pagesByEncoding;
  assert.is(s.pages, move.encodings.length);
  assert.is(s.bytes, bytes);
  assert.is(as.raw + as.zero + as.same + as.delta + as.compressed, s.pages);
  assert.equal(
    [s.zero.hits, s.dedup.hits, s.delta.hits, s.compress.hits],
    [as.zero, as.same, as.delta, as.compressed],
  );
  const parts = [s.zero, s.dedup, s.delta, s.compress];
  for (const p of parts) {
    assert.ok(p.tried >= p.hits);
    assert.is(p.savedBytes, p.bytesIn - p.bytesOut);
  }
  assert.is(
    s.pages * PAGE_SIZE - s.bytes,
    parts.reduce((sum, p) => sum + p.savedBytes, 0),
  );
  const c = move.applier.counts();
  assert.equal(c, { pagesByEncoding: as, misses: 0, bad: 0 });
});

test('by content: zeros travel as nothing, random pages as they are, and what is alike once', () => {
  const saved = (kind: FillKind, change: Partial<PipelineOptions> = {}): number => {
    const move = new Move(512, change);
    fillMemory(kind, 7, move.source, 0, 512);
    move.sendAll();
    assert.ok(move.identical());
    const s = move.pipeline.savings();
    return 1 - s.bytes / (s.pages * PAGE_SIZE);
  };
  assert.is(saved('zero'), 1);
  assert.is(saved('random'), 0);
  assert.ok(Math.abs(saved('mix') - 0.25) < 0.06, 'a quarter of the mix is zeros');
  const move = new Move(512, { compress: 'off' });
  fillMemory('random', 7, move.source, 0, 64);
  for (let at = 64; at < 512; at += 64) move.source.copyWithin(at * PAGE_SIZE, 0, 64 * PAGE_SIZE);
  move.sendAll();
  assert.ok(move.identical());
  assert.is(move.pipeline.savings().pagesByEncoding.same, 448);
});

test('auto on a fast path: everything switches itself off, and what is sampled still works', () => {
  const move = new Move(4096, { compress: 'auto', delta: 'auto', dedup: 'auto' });
  fillMemory('text', 7, move.source, 0, 4096);
  const rng = new Rng(4);
  move.pipeline.pathRate(16e9); // a page takes 2 µs on the wire, 1.5 here, and a try 1 more
  for (let round = 0; round < 4; round++) {
    move.encodings = [];
    move.sendAll();
    for (let pfn = 0; pfn < 4096; pfn++) move.write(pfn, rng.below(4000), [rng.below(256)]);
  }
  const deltas = move.encodings.filter((e) => e === AS_DELTA).length;
  assert.ok(deltas > 20 && deltas < 200, `${deltas} of 4096 pages sampled`);
  // The path becomes slow: deltas pay, and from the second round on every page has a version to compare with.
  move.pipeline.pathRate(100e6);
  for (let round = 0; round < 3; round++) {
    move.encodings = [];
    for (let pfn = 0; pfn < 4096; pfn++) move.write(pfn, rng.below(4000), [rng.below(256)]);
    move.sendAll();
  }
  assert.ok(move.encodings.filter((e) => e === AS_DELTA).length > 200);
  for (let i = 0; i < 3; i++) move.sendAll();
  assert.ok(move.identical());
});

test('auto without a rate: this side is the slower one, and nothing is tried', () => {
  const move = new Move(512, { compress: 'auto', delta: 'auto', dedup: 'auto' });
  fillMemory('text', 7, move.source, 0, 512);
  for (let round = 0; round < 3; round++) {
    move.dirty = PageSet.full(512);
    move.sendAll();
  }
  const { dedup, delta, compress, pagesByEncoding } = move.pipeline.savings();
  assert.is(dedup.tried + delta.tried + compress.tried, 0);
  assert.is(pagesByEncoding.raw, 3 * 512);
});

test('a page that is kept leaves as it was kept, though the guest writes it before it is sent', () => {
  const move = new Move(1, { compress: 'off', dedup: 'off' });
  move.write(0, 0, [1]);
  move.harvest();
  move.encode(0, 0);
  assert.ok(move.pipeline.live, 'sent for the first time: straight from guest memory');
  for (const value of [2, 3]) {
    move.acknowledge();
    move.write(0, 0, new Uint8Array(PAGE_SIZE).fill(value));
    move.harvest();
    const sent = move.encode(0, 0);
    assert.not.ok(move.pipeline.live);
    assert.is(sent.encoding, AS_RAW);
    assert.ok(sent.bytes.every((b) => b === value));
  }
});

test('a page that was dropped at the receiver is not read there: the reference is a miss', () => {
  const move = new Move(2);
  const content = new Uint8Array(PAGE_SIZE).fill(9);
  move.write(0, 0, content);
  move.sendAll();
  const dropped = new PageSet(2);
  dropped.add(0);
  move.applier.lost(dropped);
  move.write(1, 0, content);
  const [sent] = move.sendAll();
  assert.is(sent!.encoding, AS_SAME);
  assert.is(move.misses, 1);
  assert.ok(move.dirty.has(1), 'it comes again');
  move.pipeline.forget(dropped);
  assert.is.not(move.sendAll()[0]!.encoding, AS_SAME);
  assert.is(move.misses, 1);
});

test("a page that was sent past the pipeline is nobody's base and nobody's content", () => {
  const move = new Move(2, { compress: 'off' });
  const content = new Uint8Array(PAGE_SIZE).fill(9);
  for (let round = 0; round < 3; round++) {
    move.write(0, 0, content);
    move.write(0, 0, [round]);
    move.sendAll();
  }
  move.write(0, 0, [7]);
  move.harvest();
  move.pipeline.sentPast(0);
  move.destination.set(move.source);
  move.acknowledge();
  content[0] = 2;
  move.write(1, 0, content); // what page 0 held before
  move.write(0, 0, [8]);
  move.encodings = [];
  move.sendAll();
  assert.equal(move.encodings, [AS_RAW, AS_RAW]);
  assert.ok(move.identical() && move.misses === 0);
});

test('a zero page costs no bytes and drops what was known of it', () => {
  const move = new Move(1);
  for (const value of [1, 2, 0, 3]) {
    move.write(0, 0, new Uint8Array(PAGE_SIZE).fill(value));
    move.encodings = [];
    move.sendAll();
    assert.is(move.encodings[0] === AS_ZERO, value === 0);
  }
  assert.ok(move.identical());
});

test('once the guest runs at the receiver, none of its pages is read, however it came', () => {
  const move = new Move(3, { compress: 'off' });
  const content = new Uint8Array(PAGE_SIZE).fill(9);
  move.write(0, 0, content);
  move.sendAll();
  move.applier.guestRuns();
  move.applier.received(0, 3);
  move.write(1, 0, content);
  const [sent] = move.sendAll();
  assert.is(sent!.encoding, AS_SAME, 'a sender that does not care');
  assert.is(move.misses, 1);
  const made = move.applier.make(2, AS_RAW, content, 0, PAGE_SIZE);
  assert.is(made, 'applied');
  move.write(0, 0, content);
  assert.is(
    move.sendAll().filter((s) => s.encoding === AS_SAME).length,
    move.misses - 1,
    'a page made there neither',
  );
});

test('a page that was made, and not put into its place, is not referred to', () => {
  const move = new Move(2, { compress: 'off' });
  const content = new Uint8Array(PAGE_SIZE).fill(9);
  assert.is(move.applier.make(0, AS_RAW, content, 0, PAGE_SIZE), 'applied');
  move.applier.dropped(0);
  move.hash.take(content, 0);
  const same = new Uint8Array(12);
  new DataView(same.buffer).setUint32(4, move.hash.lo, true);
  new DataView(same.buffer).setUint32(8, move.hash.hi, true);
  assert.is(move.applier.make(1, AS_SAME, same, 0, 12), 'miss');
});

test.run();
