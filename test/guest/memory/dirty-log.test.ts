/** One suite over both dirty logs. */
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { isLonghaulError, messageOf, PageSet } from '../../../src/core/index.js';
import type { DirtyLog, GuestMemory } from '../../../src/guest/index.js';
import {
  createGuestMemory,
  KernelDirtyLog,
  openDirtyLog,
  PageHasher,
  ScanDirtyLog,
} from '../../../src/guest/memory/index.js';
import { suite } from '../../suite.js';

const test = suite('guest/memory dirty logs, page hash');
const PAGES = 1024;
const memory = createGuestMemory(PAGES);

let lackOfKernel: string | null = null;
try {
  new KernelDirtyLog(memory).close();
} catch (e) {
  lackOfKernel = messageOf(e);
}

interface Kind {
  readonly name: string;
  readonly lack: string | null;
  readonly open: (memory: GuestMemory) => DirtyLog;
}
const KINDS: readonly Kind[] = [
  { name: 'kernel', lack: lackOfKernel, open: (m) => new KernelDirtyLog(m) },
  // Three regions a call: every harvest has to go on where the last one stopped.
  { name: 'kernel, full vec', lack: lackOfKernel, open: (m) => new KernelDirtyLog(m, 3) },
  { name: 'scan', lack: null, open: (m) => new ScanDirtyLog(m) },
];

function members(set: PageSet): number[] {
  const out: number[] = [];
  for (let pfn = set.next(0); pfn >= 0; pfn = set.next(pfn + 1)) out.push(pfn);
  return out;
}

const sorted = (pfns: Iterable<number>): number[] => [...pfns].sort((a, b) => a - b);

for (const { name, lack, open } of KINDS) {
  test.when(lack, `${name}: a harvest holds exactly the pages written since the last`, () => {
    const log = open(memory);
    try {
      log.start();
      assert.is(log.harvest(new PageSet(PAGES)), 0, 'nothing is dirty at the start');
      const harvests = fc.array(fc.array(fc.tuple(fc.nat(PAGES - 1), fc.nat(4095))), { maxLength: 6 });
      fc.assert(
        fc.property(harvests, (rounds) => {
          for (const writes of rounds) {
            for (const [pfn, at] of writes) {
              const i = pfn * 4096 + at;
              // One up, and never back within the 256 writes that a round may make to a byte.
              memory.bytes[i] = memory.bytes[i]! + 1;
            }
            const set = new PageSet(PAGES);
            const found = log.harvest(set);
            const written = sorted(new Set(writes.map(([pfn]) => pfn)));
            assert.equal(members(set), written);
            assert.is(found, written.length);
          }
        }),
        { numRuns: 60 },
      );
    } finally {
      log.close();
    }
  });

  test.when(lack, `${name}: all pages, a harvest into a set that holds some, and a second start`, () => {
    const log = open(memory);
    try {
      log.start();
      for (let pfn = 0; pfn < PAGES; pfn++) memory.bytes[pfn * 4096]! ^= 0xff;
      assert.is(log.harvest(new PageSet(PAGES)), PAGES);
      const set = new PageSet(PAGES);
      set.add(5);
      memory.bytes[6 * 4096]! ^= 1;
      assert.is(log.harvest(set), 1);
      assert.equal(members(set), [5, 6]);
      memory.bytes[7 * 4096]! ^= 1;
      log.stop();
      memory.bytes[8 * 4096]! ^= 1;
      log.start();
      assert.is(log.harvest(new PageSet(PAGES)), 0, 'a start forgets');
      memory.bytes[9 * 4096]! ^= 1;
      assert.is(log.harvest(set), 1);
      assert.is(set.has(9), true);
    } finally {
      log.close();
    }
  });

  test.when(lack, `${name}: nothing is lost between harvests while another thread writes`, async () => {
    const log = open(memory);
    const flags = new Int32Array(new SharedArrayBuffer(8));
    const writer = new Worker(WRITER, {
      eval: true,
      workerData: { buffer: memory.buffer, flags, pages: PAGES },
    });
    try {
      log.start();
      // A copy taken as a migration takes it: all pages, then those of each harvest, always after the harvest.
      const copy = memory.bytes.slice();
      Atomics.store(flags, 0, 1);
      Atomics.notify(flags, 0);
      let harvests = 0;
      const dirty = new PageSet(PAGES);
      const take = (): void => {
        dirty.clear();
        log.harvest(dirty);
        harvests++;
        for (let pfn = dirty.next(0); pfn >= 0; pfn = dirty.next(pfn + 1)) {
          copy.set(memory.bytes.subarray(pfn * 4096, (pfn + 1) * 4096), pfn * 4096);
        }
      };
      while (Atomics.load(flags, 1) < 40_000) take();
      Atomics.store(flags, 0, 2);
      await new Promise((resolve) => writer.once('exit', resolve));
      take();
      assert.is(Buffer.compare(copy, memory.bytes), 0);
      assert.ok(harvests >= 2);
    } finally {
      await writer.terminate();
      log.close();
    }
  });
}

/** Counts up words of pseudo-random pages until flag 0 says 2; flag 1 tells how many writes were made. */
const WRITER = `
const { workerData: { buffer, flags, pages } } = require('node:worker_threads');
const words = new Uint32Array(buffer);
Atomics.wait(flags, 0, 0);
let x = 1;
while (Atomics.load(flags, 0) === 1) {
  x ^= x << 13; x ^= x >>> 17; x ^= x << 5;
  words[((x >>> 0) % pages) * 1024 + ((x >>> 20) & 1023)]++;
  Atomics.add(flags, 1, 1);
}
`;

test('auto takes the kernel log where it is there and says why', () => {
  const { log, why } = openDirtyLog(memory, 'auto');
  assert.is(log.kind, lackOfKernel === null ? 'kernel' : 'scan');
  assert.ok(why.startsWith(`${log.kind}: `));
  log.close();
  assert.is(openDirtyLog(memory, 'scan').log.kind, 'scan');
});

test('where the kernel has no log, asking for it is an error with a code and auto scans', () => {
  // An address that is no page's: registering must fail, and say so.
  if (lackOfKernel === null) {
    const log = new KernelDirtyLog({ ...memory, address: memory.address + 1 });
    assert.throws(
      () => log.start(),
      (e: unknown) => isLonghaulError(e) && e.code.startsWith('SYS_'),
    );
    log.close();
  } else {
    assert.throws(
      () => openDirtyLog(memory, 'kernel'),
      (e: unknown) => isLonghaulError(e, 'GUEST_DIRTY_KERNEL'),
    );
  }
});

test('page hashes are xxHash64, and zero pages are told by their bytes', () => {
  const m = createGuestMemory(256);
  const hasher = new PageHasher(m);
  m.bytes[4096 + 5] = 1;
  hasher.hash(0);
  hasher.hash(1);
  assert.is(hasher.isZero(0), true);
  assert.is(hasher.isZero(1), false);
  // XXH64 of 4096 zero bytes with seed 0, from an independent implementation below.
  assert.is(hasher.table[0], xxh64(m.bytes.slice(0, 4096)));
  assert.is(hasher.table[1], xxh64(m.bytes.slice(4096, 8192)));
  assert.is((BigInt(hasher.words[3]!) << 32n) | BigInt(hasher.words[2]!), hasher.table[1]);
});

/** XXH64 as its specification has it, for lengths that are multiples of 32. */
function xxh64(data: Uint8Array): bigint {
  const M = (1n << 64n) - 1n;
  const [p1, p2, p3, p4, p5] = [
    0x9e3779b185ebca87n,
    0xc2b2ae3d27d4eb4fn,
    0x165667b19e3779f9n,
    0x85ebca77c2b2ae63n,
    0x27d4eb2f165667c5n,
  ];
  const rot = (x: bigint, n: bigint): bigint => ((x << n) | (x >> (64n - n))) & M;
  const round = (acc: bigint, lane: bigint): bigint => (rot((acc + lane * p2!) & M, 31n) * p1!) & M;
  const view = new DataView(data.buffer);
  const acc = [(p1! + p2!) & M, p2!, 0n, (M + 1n - p1!) & M];
  for (let at = 0; at < data.length; at += 32) {
    for (let i = 0; i < 4; i++) acc[i] = round(acc[i]!, view.getBigUint64(at + i * 8, true));
  }
  let h = (rot(acc[0]!, 1n) + rot(acc[1]!, 7n) + rot(acc[2]!, 12n) + rot(acc[3]!, 18n)) & M;
  for (const a of acc) h = ((h ^ round(0n, a)) * p1! + p4!) & M;
  h = (h + BigInt(data.length)) & M;
  h = ((h ^ (h >> 33n)) * p2!) & M;
  h = ((h ^ (h >> 29n)) * p3!) & M;
  return p5! > 0n ? h ^ (h >> 32n) : h;
}

test.run();
