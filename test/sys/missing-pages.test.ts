/** A real worker touches pages that are not there: it sleeps until they are placed, and reads what was placed. */
import { Worker } from 'node:worker_threads';
import * as assert from 'uvu/assert';
import { messageOf } from '../../src/core/index.js';
import {
  addressOf,
  catchFaults,
  closeFd,
  FaultReader,
  MADV_DONTNEED,
  NativeStruct,
  nowNs,
  openFaultCatcher,
  openPagemap,
  openWriteTracker,
  PageDropper,
  PagePlacer,
  PageRegions,
  POLLIN,
  PollSet,
  trackWrites,
  unregister,
} from '../../src/sys/index.js';
import { suite } from '../suite.js';

const test = suite('sys/missing pages');
const PAGE = 4096;
const PAGES = 64;

let lack: string | null = null;
try {
  closeFd(openFaultCatcher());
  closeFd(openWriteTracker());
} catch (e) {
  lack = messageOf(e);
}

declare const WebAssembly: {
  readonly Memory: new (size: {
    initial: number;
    maximum: number;
    shared: true;
  }) => { buffer: SharedArrayBuffer };
};

/** Shared memory, page-aligned, nothing of it populated. */
function memoryOf(): { bytes: Uint8Array; address: number; buffer: SharedArrayBuffer } {
  const { buffer } = new WebAssembly.Memory({ initial: (PAGES * PAGE) / 65536, maximum: 4, shared: true });
  const bytes = new Uint8Array(buffer);
  return { bytes, address: addressOf(bytes), buffer };
}

/** A thread that reads the first word of each page in the order given, and adds them up. */
function toucher(
  buffer: SharedArrayBuffer,
  pfns: readonly number[],
): { sum: Promise<number>; worker: Worker } {
  const code = `
    const { parentPort, workerData } = require('node:worker_threads');
    const words = new Uint32Array(workerData.buffer);
    let sum = 0;
    for (const pfn of workerData.pfns) sum += words[pfn * 1024];
    parentPort.postMessage(sum);`;
  const worker = new Worker(code, { eval: true, workerData: { buffer, pfns } });
  const sum = new Promise<number>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  return { sum, worker };
}

/** Waits in turns, so that the event loop brings the worker up meanwhile. */
async function untilFault(uffd: number, reader: FaultReader): Promise<number> {
  const polls = new PollSet(1);
  polls.add(uffd, POLLIN);
  const limitNs = nowNs() + 5e9;
  while (nowNs() < limitNs) {
    polls.wait(0);
    if (reader.read() > 0) return reader.count;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  throw new Error('no fault came');
}

test.when(
  lack,
  'a thread sleeps on a missing page until it is placed from staging, and reads it',
  async () => {
    const memory = memoryOf();
    const uffd = openFaultCatcher();
    catchFaults(uffd, memory.address, PAGES * PAGE);
    const placer = new PagePlacer(uffd);
    const reader = new FaultReader(uffd);
    const staging = new NativeStruct(2 * PAGE);
    const { sum } = toucher(memory.buffer, [7, 3, 9]);
    let expected = 0;
    for (const pfn of [7, 3]) {
      assert.is(await untilFault(uffd, reader), 1);
      assert.is(reader.address(0), memory.address + pfn * PAGE, 'the address of its page');
      staging.view.setUint32(0, pfn * 1000, true);
      expected += pfn * 1000;
      assert.is(placer.copy(memory.address + pfn * PAGE, staging.address, PAGE), PAGE);
    }
    await untilFault(uffd, reader);
    assert.is(placer.zero(memory.address + 9 * PAGE, PAGE), PAGE);
    assert.is(await sum, expected);
    unregister(uffd, memory.address, PAGES * PAGE);
    closeFd(uffd);
  },
);

test.when(lack, 'placing stops before a page that is there, and says how far it came', () => {
  const memory = memoryOf();
  const uffd = openFaultCatcher();
  memory.bytes[5 * PAGE] = 1;
  catchFaults(uffd, memory.address, PAGES * PAGE);
  const placer = new PagePlacer(uffd);
  const staging = new NativeStruct(8 * PAGE);
  assert.is(placer.copy(memory.address + 3 * PAGE, staging.address, 4 * PAGE), 2 * PAGE);
  assert.is(placer.copy(memory.address + 5 * PAGE, staging.address, PAGE), 0);
  assert.is(placer.zero(memory.address + 4 * PAGE, 2 * PAGE), 0, 'what copy placed is there too');
  assert.is(memory.bytes[5 * PAGE], 1, 'a page that is there keeps its content');
  unregister(uffd, memory.address, PAGES * PAGE);
  closeFd(uffd);
});

for (const oneByOne of [false, true]) {
  const how = oneByOne ? 'one call a range' : 'one call for all';
  test.when(lack, `dropped pages are missing again, the others stay (${how})`, async () => {
    const memory = memoryOf();
    memory.bytes.fill(1);
    const uffd = openFaultCatcher();
    catchFaults(uffd, memory.address, PAGES * PAGE);
    const dropper = new PageDropper(MADV_DONTNEED, oneByOne);
    dropper.drop(memory.address + 4 * PAGE, PAGE);
    dropper.drop(memory.address + 8 * PAGE, 2 * PAGE);
    dropper.flush();
    dropper.close();
    const reader = new FaultReader(uffd);
    const placer = new PagePlacer(uffd);
    const { sum } = toucher(memory.buffer, [3, 4, 7, 8, 9, 10]);
    for (const pfn of [4, 8, 9]) {
      await untilFault(uffd, reader);
      assert.is(reader.address(0), memory.address + pfn * PAGE);
      placer.zero(memory.address + pfn * PAGE, PAGE);
    }
    assert.is(await sum, 3 * 0x01010101);
    unregister(uffd, memory.address, PAGES * PAGE);
    closeFd(uffd);
  });
}

test.when(lack, 'ending the registration wakes the sleeper: the page reads as zeros', async () => {
  const memory = memoryOf();
  const uffd = openFaultCatcher();
  catchFaults(uffd, memory.address, PAGES * PAGE);
  const { sum } = toucher(memory.buffer, [1]);
  await untilFault(uffd, new FaultReader(uffd));
  unregister(uffd, memory.address, PAGES * PAGE);
  assert.is(await sum, 0);
  closeFd(uffd);
});

test.when(lack, 'placed and dropped pages scan as written once the range is tracked', () => {
  const memory = memoryOf();
  const faults = openFaultCatcher();
  catchFaults(faults, memory.address, PAGES * PAGE);
  const staging = new NativeStruct(PAGE);
  new PagePlacer(faults).copy(memory.address + 2 * PAGE, staging.address, PAGE);
  assert.throws(() => {
    const second = openWriteTracker();
    try {
      trackWrites(second, memory.address, PAGES * PAGE);
    } finally {
      closeFd(second);
    }
  }, /EBUSY/);
  unregister(faults, memory.address, PAGES * PAGE);
  closeFd(faults);
  const uffd = openWriteTracker();
  trackWrites(uffd, memory.address, PAGES * PAGE);
  const pagemap = openPagemap();
  const regions = new PageRegions(PAGES);
  const end = memory.address + PAGES * PAGE;
  regions.scan(pagemap, memory.address, end, true);
  regions.scan(pagemap, memory.address, end, true);
  assert.is(regions.count, 0, 'all are protected');
  const dropper = new PageDropper();
  dropper.drop(memory.address + 2 * PAGE, PAGE);
  dropper.flush();
  dropper.close();
  memory.bytes[2 * PAGE] = 1;
  regions.scan(pagemap, memory.address, end, true);
  assert.is(regions.count, 1);
  assert.is(regions.start(0), memory.address + 2 * PAGE);
  unregister(uffd, memory.address, PAGES * PAGE);
  closeFd(uffd);
  closeFd(pagemap);
});

test.run();
