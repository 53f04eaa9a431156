/**
 * Pages that the pipeline makes shorter, from sender to receiver over links in memory: rounds with writes in between,
 * several streams, misses, faults on the way, and the round in which the guest runs there already.
 */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { PAGE_SIZE, PageSet, Rng } from '../../src/core/index.js';
import { fillMemory } from '../../src/guest/index.js';
import { createGuestMemory, PageDigester } from '../../src/guest/memory/index.js';
import { MemoryLinks } from '../../src/host/memory-link.js';
import { PageTable } from '../../src/host/page-table.js';
import {
  HEADER_BYTES,
  PageApplier,
  type PageCodec,
  PagePipeline,
  PIPELINE_DEFAULTS,
  RUN_BYTES,
  SparseCodec,
  type Switch,
} from '../../src/vmotion-protocol/index.js';
import {
  Chain,
  DEMAND_AGAIN,
  DEMAND_BYTES,
  encodePreamble,
  type HashedContent,
  type Link,
  newRegion,
  openCodec,
  PageEncoder,
  PageReceiver,
  PageSender,
  PageServer,
  PREAMBLE_BYTES,
  regionOf,
} from '../../src/vmotion-protocol/transport/index.js';
import { suite } from '../suite.js';

const test = suite('host/page encoding');
const PAGES = 300;
const ID = new Uint8Array(16);
/** Text gets shorter by it wherever liblz4 is; zeros by the plain one everywhere. */
const codecs = () => openCodec('lz4') ?? new SparseCodec();

interface SceneOptions {
  readonly streams?: number;
  readonly switches?: Switch;
  readonly delta?: Switch;
  readonly fill?: 'mix' | 'random' | 'text';
  readonly applier?: boolean;
  /** Of each link to the receiver, by the scene's clock. */
  readonly rateBps?: number;
  /** Changes what travels on the page links. */
  readonly alter?: (bytes: Uint8Array, nth: number) => void;
}

/** A link that changes what passes. */
function altered(link: Link, alter: (bytes: Uint8Array, nth: number) => void): Link {
  let nth = 0;
  return {
    send: (chain) => link.send(chain),
    writable: () => link.writable(),
    close: () => link.close(),
    receive: (chain) => {
      const region = chain.region(0);
      const at = chain.offset(0);
      const one = new Chain();
      one.push(region, at, chain.length(0));
      const n = link.receive(one);
      if (n > 0) {
        alter(region.bytes.subarray(at, at + n), nth);
        nth += n;
        chain.drop(n);
      }
      return n;
    },
  };
}

/** A link that takes bytes at a rate, and has room for some. */
function paced(link: Link, rateBps: number, clockNs: () => number): Link {
  const roomMax = 65_536;
  let room = roomMax;
  let lastNs = clockNs();
  const refill = (): void => {
    room = Math.min(roomMax, room + ((clockNs() - lastNs) * rateBps) / 8e9);
    lastNs = clockNs();
  };
  return {
    receive: (chain) => link.receive(chain),
    writable: () => link.writable(),
    close: () => link.close(),
    drained: () => {
      refill();
      return room === roomMax;
    },
    send: (chain) => {
      refill();
      while (chain.bytes > 0 && room >= 1) {
        const asked = Math.min(chain.length(0), Math.floor(room));
        const one = new Chain();
        one.push(chain.region(0), chain.offset(0), asked);
        link.send(one);
        const taken = asked - one.bytes;
        chain.drop(taken);
        room -= taken;
        if (taken < asked) break;
      }
      return true;
    },
  };
}

/** A codec that takes 10 µs of the scene's clock a page. */
function timed(codec: PageCodec, spend: (ns: number) => void): PageCodec {
  return {
    name: codec.name,
    compress: (...args) => {
      spend(10_000);
      return codec.compress(...args);
    },
    decompress: (...args) => codec.decompress(...args),
    close: () => codec.close(),
  };
}

class Scene {
  readonly source = createGuestMemory(PAGES);
  readonly target = createGuestMemory(PAGES);
  readonly sourceTable = new PageTable(this.source);
  readonly targetTable = new PageTable(this.target);
  readonly pipeline: PagePipeline;
  readonly applier: PageApplier;
  readonly content: HashedContent;
  readonly encoder: PageEncoder;
  readonly sender: PageSender;
  readonly receiver: PageReceiver;
  readonly links = new MemoryLinks();
  readonly violations: string[] = [];
  /** Called after a page was hashed, before it is encoded: a guest that writes meanwhile. */
  meanwhile: (pfn: number) => void = () => {};
  nowNs = 0;
  dirty = PageSet.full(PAGES);
  round = 0;
  misses = 0;
  #applied: { readonly round: number; readonly pages: number }[] = [];

  constructor({
    streams = 2,
    switches = 'on',
    delta,
    fill = 'mix',
    applier = true,
    alter,
    rateBps,
  }: SceneOptions = {}) {
    fillMemory(fill, 7, this.source.bytes, 0, PAGES);
    const codec = timed(codecs(), (ns) => {
      this.nowNs += ns;
    });
    this.pipeline = new PagePipeline(this.source.bytes, {
      ...PIPELINE_DEFAULTS,
      compress: switches,
      delta: delta ?? switches,
      dedup: switches,
      codec,
      clockNs: () => this.nowNs,
    });
    const table = this.sourceTable;
    this.content = {
      hash: (pfn) => {
        const zero = table.hash(pfn);
        this.meanwhile(pfn);
        return zero;
      },
      lo: (pfn) => table.lo(pfn),
      hi: (pfn) => table.hi(pfn),
      putHash: (pfn, view, at) => table.putHash(pfn, view, at),
    };
    const memory = regionOf(this.source.bytes);
    this.encoder = new PageEncoder(memory, this.content, this.pipeline, () => this.nowNs);
    const clock = (): number => this.nowNs;
    const mine = Array.from({ length: streams }, () => {
      const link = this.links.connect();
      return rateBps === undefined ? link : paced(link, rateBps, clock);
    });
    const preambles = mine.map((_, stream) =>
      encodePreamble({ kind: 'pages', stream, attempt: 0, migrationId: ID }),
    );
    this.sender = new PageSender(memory, this.content, this.links, mine, preambles, this.encoder);
    this.receiver = new PageReceiver(regionOf(this.target.bytes), PAGES, this.targetTable, {
      onRoundApplied: (round, pages) => this.#applied.push({ round, pages }),
      onViolation: (code) => this.violations.push(code),
    });
    this.applier = new PageApplier(this.target.bytes, new PageDigester(), codec);
    this.receiver.begin(streams, applier ? this.applier : null);
    for (let stream = 0; stream < streams; stream++) {
      const link = this.links.accept()!;
      // The preamble leaves with the first record: the receiver's stream begins behind it.
      this.receiver.addStream(behindPreamble(alter ? altered(link, alter) : link), stream);
    }
  }

  write(pfn: number, at: number, bytes: ArrayLike<number>): void {
    this.source.bytes.set(bytes, pfn * PAGE_SIZE + at);
    this.dirty.add(pfn);
  }

  /** Sends what is dirty as one round, and takes what was missed into the next. */
  send(): void {
    const pages = this.dirty;
    this.dirty = new PageSet(PAGES);
    this.sender.begin(++this.round, pages);
    for (let turn = 0; turn < 20_000 && this.#applied.length === 0 && this.violations.length === 0; turn++) {
      this.nowNs += 20_000;
      assert.is.not(this.sender.pump(), 'broken');
      this.receiver.receive();
    }
    const applied = this.#applied.shift();
    if (applied === undefined) return;
    assert.equal(applied, { round: this.round, pages: pages.count() }, 'pages of every kind count');
    assert.is(this.sender.pagesSent + this.sender.zeroPages, pages.count());
    this.pipeline.acknowledged(this.round);
    const missed = this.applier.takeMisses();
    if (missed === null) return;
    this.misses += missed.count();
    this.pipeline.forget(missed);
    this.dirty.union(missed);
  }

  identical(): boolean {
    return Buffer.compare(this.source.bytes, this.target.bytes) === 0;
  }

  /** Both sides have the same digest of all pages, taken as they were sent and read back. */
  agreed(): boolean {
    return this.sourceTable.setHash.equals(this.targetTable.setHash.value());
  }
}

function behindPreamble(link: Link): Link {
  const skipped = newRegion(PREAMBLE_BYTES);
  const chain = new Chain();
  chain.push(skipped, 0, PREAMBLE_BYTES);
  return {
    send: (c) => link.send(c),
    writable: () => link.writable(),
    close: () => link.close(),
    receive: (c) => {
      if (chain.bytes > 0) link.receive(chain);
      return chain.bytes > 0 ? 0 : link.receive(c);
    },
  };
}

/** One write of any kind: a few bytes, a page of another's content, zeros, noise. */
function scribble(scene: Scene, rng: Rng): void {
  const pfn = rng.below(PAGES);
  const page = new Uint8Array(PAGE_SIZE);
  switch (rng.below(4)) {
    case 0:
      return scene.write(pfn, rng.below(4000), [rng.below(256), 1, 2]);
    case 1: {
      const other = rng.below(PAGES) * PAGE_SIZE;
      return scene.write(pfn, 0, scene.source.bytes.slice(other, other + PAGE_SIZE));
    }
    case 2:
      return scene.write(pfn, 0, page);
    default:
      rng.fill(page);
      return scene.write(pfn, 0, page);
  }
}

test('rounds of any writes over any number of streams: memory and digests are the same, the account closes', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(fc.nat(0xffff), fc.integer({ min: 1, max: 4 }), (seed, streams) => {
      const scene = new Scene({ streams });
      const rng = new Rng(`encoding ${seed}`);
      for (let round = 0; round < 5; round++) {
        scene.send();
        if (round < 4) for (let i = 0; i < 60; i++) scribble(scene, rng);
      }
      assert.equal(scene.violations, []);
      assert.ok(scene.identical() && scene.agreed());
      const s = scene.pipeline.savings();
      const saved = s.zero.savedBytes + s.dedup.savedBytes + s.delta.savedBytes + s.compress.savedBytes;
      assert.is(s.pages * PAGE_SIZE, s.bytes + saved);
      for (const [name, pages] of Object.entries(s.pagesByEncoding)) if (pages > 0) seen.add(name);
    }),
    { numRuns: 8 },
  );
  assert.equal(
    [...seen].sort(),
    ['compressed', 'delta', 'raw', 'same', 'zero'],
    'every encoding had its turn',
  );
});

test('a page written between its hash and its encoding: a miss at most, mended by the next round', () => {
  const scene = new Scene({ streams: 1 });
  scene.send();
  const rng = new Rng('meanwhile');
  for (let round = 0; round < 6; round++) {
    for (let i = 0; i < 80; i++) scribble(scene, rng);
    scene.meanwhile = (pfn) => {
      if (rng.chance(0.3)) scene.write(pfn, rng.below(4000), [rng.below(256), 9]);
    };
    scene.send();
  }
  assert.ok(scene.misses > 0, 'some of what was written then was referred to');
  scene.meanwhile = () => {};
  scene.send();
  scene.send();
  assert.equal(scene.violations, []);
  assert.ok(scene.identical() && scene.agreed());
});

test('a byte of a page changed on its way, beside encoded ones: the digests differ', () => {
  for (const pfn of [0, 150, PAGES - 1]) {
    const scene = new Scene({ fill: 'text' });
    scene.sender.corruptPfn = pfn;
    scene.send();
    assert.equal(scene.violations, []);
    assert.not.ok(scene.identical());
    assert.not.ok(scene.agreed(), 'FINAL would not fit');
  }
});

test('any byte of the stream changed: refused with a code, or seen by the digests; nothing throws', () => {
  const codes = new Set<string>();
  fc.assert(
    fc.property(fc.nat(120_000), fc.integer({ min: 1, max: 255 }), (hit, flip) => {
      const alter = (bytes: Uint8Array, nth: number): void => {
        if (hit >= nth && hit < nth + bytes.length) bytes[hit - nth] = bytes[hit - nth]! ^ flip;
      };
      const scene = new Scene({ streams: 1, alter: (bytes, nth) => alter(bytes, nth) });
      scene.send();
      for (const code of scene.violations) codes.add(code);
      const whole = scene.round === 1 && scene.violations.length === 0;
      if (whole && !scene.identical()) assert.not.ok(scene.agreed() && scene.misses === 0);
    }),
    { numRuns: 60 },
  );
  assert.ok(
    [...codes].every((code) => code.startsWith('VMOTION_PAGE_')),
    [...codes].join(),
  );
});

test('encoded pages that were not agreed on are refused, and so is a kind that is none', () => {
  const scene = new Scene({ applier: false });
  scene.send();
  assert.equal(scene.violations.slice(0, 1), ['VMOTION_PAGE_KIND']);
});

test('auto: a path that holds the sender up is worth it, one that does not is left alone', () => {
  const compressed = (rateBps: number, fill: 'text' | 'random') => {
    const scene = new Scene({ streams: 2, switches: 'auto', delta: 'off', fill, rateBps });
    for (let round = 0; round < 6; round++) {
      scene.dirty = PageSet.full(PAGES);
      for (let pfn = 0; pfn < PAGES; pfn++) scene.write(pfn, 4000, [round, pfn]);
      scene.send();
    }
    assert.ok(scene.identical() && scene.agreed());
    const { compress, pages } = scene.pipeline.savings();
    return { tried: compress.tried / pages, hits: compress.hits / pages };
  };
  assert.ok(compressed(2e8, 'text').hits > 0.5);
  assert.ok(compressed(4e10, 'text').tried < 0.1);
  assert.ok(compressed(2e8, 'random').tried < 0.2, 'nothing gets shorter: it is not tried for ever');
});

test('the guest runs there: what is served comes in blocks, each with its hash; a damaged one comes again', () => {
  let hit = -1;
  const scene = new Scene({ streams: 1, fill: 'text' });
  scene.send();
  const source = scene.links.connect();
  const server = new PageServer(
    regionOf(scene.source.bytes),
    scene.content,
    scene.links,
    scene.sender.lanes,
    source,
    encodePreamble({ kind: 'demand', stream: 0, attempt: 0, migrationId: ID }),
    scene.encoder,
  );
  const demand = altered(behindPreamble(scene.links.accept()!), (bytes, nth) => {
    if (hit >= nth && hit < nth + bytes.length) bytes[hit - nth] = bytes[hit - nth]! ^ 1;
  });
  const placed: number[] = [];
  const damaged: number[] = [];
  scene.receiver.stageFrom(2, {
    place: (pfn, pages, from, offset) => {
      for (let i = 0; i < pages; i++) placed.push(pfn + i);
      scene.target.bytes.set(from.bytes.subarray(offset, offset + pages * PAGE_SIZE), pfn * PAGE_SIZE);
    },
    placeZeros: (pfn, pages) => {
      for (let i = 0; i < pages; i++) placed.push(pfn + i);
      scene.target.bytes.fill(0, pfn * PAGE_SIZE, (pfn + pages) * PAGE_SIZE);
    },
    damaged: (pfn) => damaged.push(pfn),
  });
  scene.receiver.addDemandLink(demand, 3);
  scene.send();
  const rng = new Rng('post-copy');
  for (let i = 0; i < 150; i++) scribble(scene, rng);
  const missing = scene.dirty.clone();
  scene.targetTable.forget(missing);
  scene.applier.guestRuns();
  scene.receiver.release();
  const wanted = missing.next(100);
  const before = scene.pipeline.savings();
  server.begin(3, missing.clone(), null);
  // The hash stands behind header and run.
  hit = HEADER_BYTES + RUN_BYTES;
  const ask = (request: number): void => {
    const region = newRegion(DEMAND_BYTES);
    new DataView(region.bytes.buffer).setUint32(0, request, true);
    const chain = new Chain();
    chain.push(region, 0, DEMAND_BYTES);
    demand.send(chain);
    assert.ok(server.pump(false));
    scene.receiver.receive();
  };
  ask(wanted);
  assert.equal([placed, damaged], [[], [wanted]]);
  ask(wanted + DEMAND_AGAIN);
  assert.equal(placed, [wanted]);
  for (let turn = 0; turn < 200; turn++) {
    assert.ok(server.pump(true));
    scene.receiver.receive();
  }
  assert.is(placed.length, missing.count(), 'each page once');
  assert.ok(scene.identical() && scene.agreed());
  const { same, delta, compressed } = scene.pipeline.savings().pagesByEncoding;
  assert.equal(
    [same, delta],
    [before.pagesByEncoding.same, before.pagesByEncoding.delta],
    'no page relies on another',
  );
  assert.ok(compressed > before.pagesByEncoding.compressed);
  assert.is(server.pagesDemanded + server.pagesPushed, missing.count());
});

test.run();
