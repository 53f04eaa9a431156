import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { isLonghaulError, NS_PER_S, PageSet } from '../../../src/core/index.js';
import {
  type DirtyOptions,
  dirtyRange,
  GuestHeader,
  layoutOf,
  SERVICE_PORT,
  ServiceLedger,
} from '../../../src/guest/index.js';
import {
  ControlBlock,
  createGuestMemory,
  MAX_FRAME,
  PARKED,
  RUNNING,
  type SharedGuestMemory,
  STOPPED,
  WorkloadGuest,
} from '../../../src/guest/memory/index.js';
import {
  closeFd,
  connectUdp,
  localEndpoint,
  NativeStruct,
  nowNs,
  openUdp,
  POLLIN,
  PollSet,
  receiveBytes,
  sendBytes,
} from '../../../src/sys/index.js';
import { suite } from '../../suite.js';

const test = suite('guest/memory workload guest');
const PAGES = 1024;
const LAYOUT = layoutOf(PAGES);
const LOOPBACK = 0x7f000001;

/** A running guest whose wire's other end is in the test's hands. */
class Bench {
  readonly guest: WorkloadGuest;
  readonly #wire: number;
  readonly #nic: number;
  readonly #poll = new PollSet(1);
  readonly #buffer = new NativeStruct(MAX_FRAME);

  private constructor(guest: WorkloadGuest, wire: number, nic: number) {
    this.guest = guest;
    this.#wire = wire;
    this.#nic = nic;
    this.#poll.add(wire, POLLIN);
  }

  /** @param memory a formatted guest's; omitted, a new one is made and formatted */
  static async start(dirty: Partial<DirtyOptions>, memory?: SharedGuestMemory): Promise<Bench> {
    const wire = openUdp({ ip: LOOPBACK, port: 0 });
    const nic = openUdp({ ip: LOOPBACK, port: 0 });
    connectUdp(nic, localEndpoint(wire));
    connectUdp(wire, localEndpoint(nic));
    const used = memory ?? createGuestMemory(PAGES);
    if (memory === undefined) new GuestHeader(used.bytes).format(LAYOUT, 5, new Uint8Array(16));
    const guest = await WorkloadGuest.start({
      memory: used,
      entry: new URL('./echo-guest-worker.js', import.meta.url),
      nicFd: nic,
      mac: Uint8Array.of(2, 0, 0, 0, 0, 1),
      ip: 0x0a500001,
      dirty: { model: 'sweep', pagesPerS: 100_000, ...dirtyRange(LAYOUT, PAGES), ...dirty },
      dirtyLog: 'auto',
    });
    return new Bench(guest, wire, nic);
  }

  send(frame: Uint8Array): void {
    this.#buffer.bytes.set(frame);
    sendBytes(this.#wire, this.#buffer.address, frame.length);
  }

  /** The next frame from the guest, or null when none comes in `timeoutMs`. */
  receive(timeoutMs: number): Uint8Array | null {
    this.#poll.wait(timeoutMs * 1e6);
    const n = receiveBytes(this.#wire, this.#buffer.address, MAX_FRAME);
    return n < 0 ? null : this.#buffer.bytes.slice(0, n);
  }

  async close(): Promise<void> {
    await this.guest.close();
    closeFd(this.#wire);
    closeFd(this.#nic);
  }
}

async function withBench(
  dirty: Partial<DirtyOptions>,
  body: (b: Bench) => void | Promise<void>,
): Promise<void> {
  const bench = await Bench.start(dirty);
  try {
    await body(bench);
  } finally {
    await bench.close();
  }
}

const WAIT_MS = 5000;

function serviceFrame(payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(2 + payload.length);
  frame[0] = SERVICE_PORT >> 8;
  frame[1] = SERVICE_PORT & 0xff;
  frame.set(payload, 2);
  return frame;
}

test('a paused guest touches neither memory nor NIC, and goes on from where it stood', async () => {
  await withBench({}, async (b) => {
    const { guest } = b;
    assert.is(guest.control.state, PARKED, 'it waits for its first resume');
    for (let i = 0; i < 20; i++) {
      guest.resume(WAIT_MS);
      await sleep(3);
      const pausedNs = nowNs();
      guest.pause(WAIT_MS);
      assert.ok(guest.control.parkedAtNs >= pausedNs && guest.control.parkedAtNs <= nowNs());
      const before = Buffer.from(guest.memory.bytes.slice());
      b.send(Uint8Array.of(0, 0, i));
      assert.is(b.receive(3), null, 'no answer while it stands');
      assert.is(before.compare(guest.memory.bytes), 0, 'no write while it stands');
      const resumedNs = nowNs();
      guest.resume(WAIT_MS);
      assert.equal(b.receive(WAIT_MS), Uint8Array.of(0, 0, i), 'the frame waited in the socket');
      assert.ok(guest.control.firstInstructionNs >= resumedNs && guest.control.firstInstructionNs <= nowNs());
      guest.pause(WAIT_MS);
    }
    assert.ok(guest.header.instructions > 40);
  });
});

test('page writes follow the time the guest ran, and the time it stood is not made up for', async () => {
  await withBench({ pagesPerS: 20_000 }, async ({ guest }) => {
    for (let i = 0; i < 10; i++) {
      guest.resume(WAIT_MS);
      await sleep(10);
      guest.pause(WAIT_MS);
      await sleep(10);
    }
    const owed = (guest.control.ranNs * 20_000) / NS_PER_S;
    const made = guest.header.pagesWritten + guest.header.writesDue;
    // A stall of this machine beyond 20 ms is forgiven by the model; it can only take away.
    assert.ok(made <= owed + 1, `${made} of ${owed}`);
    assert.ok(made > 0);
    // A sweep writes each page in turn, one word by one: the words' sum is the number of writes.
    const words = new Uint32Array(guest.memory.bytes.buffer, LAYOUT.freeFirstPage * 4096);
    assert.is(
      words.reduce((a, n) => a + n, 0),
      guest.header.pagesWritten,
    );
  });
});

test('what the guest writes, its dirty log finds', async () => {
  await withBench({ model: 'uniform' }, async ({ guest }) => {
    guest.dirtyLog.start();
    const copy = guest.memory.bytes.slice();
    const dirty = new PageSet(PAGES);
    guest.resume(WAIT_MS);
    for (let i = 0; i < 5; i++) {
      await sleep(4);
      if (i === 4) guest.pause(WAIT_MS);
      dirty.clear();
      guest.dirtyLog.harvest(dirty);
      for (let pfn = dirty.next(0); pfn >= 0; pfn = dirty.next(pfn + 1)) {
        copy.set(guest.memory.bytes.subarray(pfn * 4096, (pfn + 1) * 4096), pfn * 4096);
      }
    }
    assert.is(Buffer.compare(copy, guest.memory.bytes), 0);
  });
});

test('memory and state loaded at another guest: the session and the model go on', async () => {
  const source = await Bench.start({});
  const memory = createGuestMemory(PAGES);
  const destination = await Bench.start({}, memory);
  try {
    const ledger = new ServiceLedger(3, LAYOUT.slotPages);
    const rounds = (b: Bench, n: number): void => {
      for (let i = 0; i < n; i++) {
        b.send(serviceFrame(ledger.next(nowNs())));
        const answer = b.receive(WAIT_MS);
        assert.is(answer === null ? 'none' : ledger.answer(nowNs(), answer, 2), 'right');
      }
    };
    source.guest.resume(WAIT_MS);
    rounds(source, 300);
    source.guest.pause(WAIT_MS);
    memory.bytes.set(source.guest.memory.bytes);
    const state = destination.guest.loadState(source.guest.saveState());
    assert.equal(state.mac, Uint8Array.of(2, 0, 0, 0, 0, 1));
    assert.is(destination.guest.control.ranNs, source.guest.control.ranNs);
    destination.guest.control.spinAtStart(true);
    destination.guest.resume(WAIT_MS);
    rounds(destination, 300);
    assert.is(ledger.stats().wrong, 0);
    assert.ok(destination.guest.header.instructions > source.guest.header.instructions);
    assert.throws(
      () => destination.guest.loadState(new Uint8Array(3)),
      (e: unknown) => isLonghaulError(e, 'GUEST_STATE_INVALID'),
    );
  } finally {
    await source.close();
    await destination.close();
  }
});

test('injected frames come before those of the NIC, and may be turned away', async () => {
  await withBench({ model: 'idle', pagesPerS: 0 }, (b) => {
    const { guest } = b;
    b.send(Uint8Array.of(0, 0, 3));
    assert.is(guest.control.inject(Uint8Array.of(0, 0, 1)), true);
    assert.is(guest.control.inject(Uint8Array.of(0, 0, 0xff)), true);
    assert.is(guest.control.inject(Uint8Array.of(0, 0, 2)), true);
    guest.resume(WAIT_MS);
    const seen = [b.receive(WAIT_MS), b.receive(WAIT_MS), b.receive(WAIT_MS)].map((f) => f?.[2]);
    assert.equal(seen, [1, 2, 3]);
    assert.is(guest.control.inject(Uint8Array.of(0, 0, 4)), true, 'a sleeping guest is woken');
    assert.is(b.receive(WAIT_MS)?.[2], 4);
    guest.pause(WAIT_MS);
    assert.equal(guest.control.nicFigures(), { received: 1, sent: 4, injected: 4, refused: 1, sendDrops: 0 });
  });
});

test('the start line: armed, taken off, armed for too long; each time it runs when told', async () => {
  await withBench({}, async ({ guest }) => {
    guest.control.spinAtStart(true);
    guest.resume(WAIT_MS);
    guest.control.spinAtStart(true);
    assert.is(guest.control.state, RUNNING, 'a running guest is not stopped by it');
    guest.pause(WAIT_MS);
    guest.control.spinAtStart(true);
    guest.control.spinAtStart(false);
    guest.resume(WAIT_MS);
    guest.pause(WAIT_MS);
    guest.control.spinAtStart(true);
    await sleep(80);
    guest.resume(WAIT_MS);
    assert.is(guest.control.state, RUNNING);
  });
});

test('a slowed guest runs for its share of the time, stands at once when told, and is free again', async () => {
  await withBench({}, async ({ guest }) => {
    const { control } = guest;
    const shareOf = async (): Promise<number> => {
      guest.resume(WAIT_MS);
      const fromNs = nowNs();
      const ranNs = control.ranNs;
      await sleep(200);
      guest.pause(WAIT_MS);
      return (control.ranNs - ranNs) / (nowNs() - fromNs);
    };
    control.slow(0.9);
    const slowed = await shareOf();
    control.slow(0);
    const free = await shareOf();
    assert.ok(slowed > 0 && slowed < free / 2, `${slowed} of the time, freely ${free}`);
  });
});

test('a resume taken back at any instant leaves a guest that is seen to stand, and stands', async () => {
  await withBench({}, ({ guest }) => {
    const { control, header } = guest;
    let ran = 0;
    for (let i = 0; i < 400; i++) {
      control.spinAtStart(i % 2 === 0);
      const before = header.instructions;
      control.resume();
      for (const untilNs = nowNs() + (i % 40) * 1000; nowNs() < untilNs; );
      control.pause();
      assert.is(control.waitParked(WAIT_MS), true);
      const parked = header.instructions;
      for (const untilNs = nowNs() + 20_000; nowNs() < untilNs; );
      assert.is(header.instructions, parked, 'no step after it was seen to stand');
      if (parked > before) ran++;
    }
    assert.ok(ran > 0);
  });
});

test('a guest that has halted is parked where it sleeps, hears of it when it wakes, and runs again when told', async () => {
  await withBench({ model: 'idle', pagesPerS: 0 }, async (b) => {
    const { control, header } = b.guest;
    b.guest.resume(WAIT_MS);
    for (let i = 1; i <= 40; i++) {
      await sleep(2);
      const ranNs = control.ranNs;
      control.pause();
      assert.is(control.state, PARKED, 'it need not do anything for it');
      assert.ok(control.ranNs > ranNs, 'it ran until then');
      const before = header.instructions;
      // Something to wake it, or nothing: it is still asleep when it is told to run.
      if (i % 2 === 0) {
        b.send(Uint8Array.of(0, 0, i));
        assert.is(b.receive(2), null, 'no answer while it stands');
      }
      if (i % 3 === 0) control.spinAtStart(true);
      assert.is(header.instructions, before, 'no step while it stands');
      b.guest.resume(WAIT_MS);
      if (i % 2 === 1) b.send(Uint8Array.of(0, 0, i));
      assert.equal(b.receive(WAIT_MS), Uint8Array.of(0, 0, i));
    }
  });
});

test('a worker that throws at its start is an error with its cause', async () => {
  let caught: unknown;
  const memory = createGuestMemory(PAGES);
  try {
    await WorkloadGuest.start({
      memory,
      entry: new URL('data:text/javascript,throw new Error("no stack")'),
      nicFd: -1,
      mac: new Uint8Array(6),
      ip: 0,
      dirty: { model: 'idle', pagesPerS: 0, ...dirtyRange(LAYOUT, 1) },
      dirtyLog: 'scan',
    });
  } catch (e) {
    caught = e;
  }
  assert.ok(isLonghaulError(caught, 'GUEST_STOPPED'));
  assert.match(String((caught as Error).cause), 'no stack');
});

test('a guest that ended says so instead of keeping its host waiting', async () => {
  const b = await Bench.start({});
  b.guest.resume(WAIT_MS);
  b.guest.control.stop();
  assert.is(b.guest.control.waitStopped(WAIT_MS), true);
  assert.is(b.guest.control.state, STOPPED);
  for (const act of ['pause', 'resume'] as const) {
    assert.throws(
      () => b.guest[act](WAIT_MS),
      (e: unknown) => isLonghaulError(e, 'GUEST_STOPPED'),
    );
  }
  await b.close();
});

test('the inject ring gives back what went in, in order, across its end, and refuses what has no room', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.integer({ min: 0, max: MAX_FRAME }), fc.constant(null)), { maxLength: 150 }),
      (ops) => {
        const { ring } = new ControlBlock();
        const out = new Uint8Array(MAX_FRAME);
        const model: Uint8Array[] = [];
        let held = 0;
        for (const [i, op] of ops.entries()) {
          if (op === null) {
            const expected = model.shift();
            const n = ring.shift(out);
            assert.is(n, expected?.length ?? -1);
            if (expected === undefined) continue;
            assert.is(Buffer.compare(out.subarray(0, n), expected), 0);
            held -= n + 2;
          } else {
            const frame = new Uint8Array(op).fill(i);
            const fits = held + op + 2 <= 256 * 1024;
            assert.is(ring.push(frame), fits);
            if (!fits) continue;
            model.push(frame);
            held += op + 2;
          }
        }
      },
    ),
    { numRuns: 30 },
  );
  assert.is(new ControlBlock().ring.push(new Uint8Array(MAX_FRAME + 1)), false);
});

test.run();
