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

test.run();
