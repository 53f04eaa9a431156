/** The small parts of a connection, each alone: ranges, pacing, path MTU, parity, congestion control. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { Rng } from '../../../src/core/index.js';
import { AckRanges } from '../../../src/vmotion-protocol/udp/ack-ranges.js';
import { Bbr } from '../../../src/vmotion-protocol/udp/congestion/bbr.js';
import type { AckSample } from '../../../src/vmotion-protocol/udp/congestion/congestion-control.js';
import { Cubic } from '../../../src/vmotion-protocol/udp/congestion/cubic.js';
import { FixedRate } from '../../../src/vmotion-protocol/udp/congestion/fixed.js';
import { RoundMax } from '../../../src/vmotion-protocol/udp/congestion/round-max.js';
import { FragmentQueue } from '../../../src/vmotion-protocol/udp/fragment-queue.js';
import { Pacer } from '../../../src/vmotion-protocol/udp/pacer.js';
import {
  FRAME_PARITY,
  PARITY_FRAME_BYTES,
  PacketReader,
  writeParityFrame,
} from '../../../src/vmotion-protocol/udp/packet-codec.js';
import { ParityGroups, ParityStore } from '../../../src/vmotion-protocol/udp/parity.js';
import { BASE_DATAGRAM_BYTES, PathMtu } from '../../../src/vmotion-protocol/udp/path-mtu.js';
import { suite } from '../../suite.js';

const test = suite('vmotion-protocol/udp/parts');
const MS = 1_000_000;

test('ranges hold what a set holds, in any order of arrival', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(120), { maxLength: 150 }), (numbers) => {
      const ranges = new AckRanges();
      const set = new Set<number>();
      for (const n of numbers) {
        assert.is(ranges.add(n), !set.has(n));
        set.add(n);
      }
      for (let n = 0; n <= 121; n++) assert.is(ranges.has(n), set.has(n));
      for (let i = 1; i < ranges.count; i++) assert.ok(ranges.end(i - 1) < ranges.start(i), 'disjoint');
      assert.is(ranges.largest, numbers.length === 0 ? -1 : Math.max(...numbers));
    }),
    { numRuns: 300 },
  );
});

test('too many holes: the oldest are forgotten and count as having come', () => {
  const ranges = new AckRanges();
  for (let n = 0; n < 2000; n += 2) ranges.add(n);
  assert.is(ranges.count, 256);
  assert.is(ranges.has(1), true, 'a duplicate from long ago is not taken again');
  assert.is(ranges.has(1999), false);
  assert.is(ranges.has(1997), false);
});

test('the fragment queue is a queue, also while it grows', () => {
  const queue = new FragmentQueue();
  let next = 0;
  let expected = 0;
  const rng = new Rng('queue');
  for (let i = 0; i < 5000; i++) {
    for (let k = rng.below(4); k > 0; k--) queue.push(1, next, next + 1, 16, next++ % 1000);
    for (let k = rng.below(3); k > 0 && queue.size > 0; k--) {
      assert.equal([queue.subject, queue.version, queue.length], [expected, expected + 1, expected % 1000]);
      expected++;
      queue.shift();
    }
  }
  assert.is(queue.size, next - expected);
});

test('pacing keeps the rate exactly over any bursts, and gives late threads at most 2 ms of credit', () => {
  const pacer = new Pacer();
  pacer.setRate(1e9);
  let nowNs = 0;
  let sent = 0;
  const rng = new Rng('pace');
  while (nowNs < 100 * MS) {
    if (pacer.open(nowNs)) {
      while (pacer.burstGoesOn) {
        pacer.spend(nowNs, 1538);
        sent += 1538;
      }
    }
    assert.ok(pacer.dueNs > nowNs);
    nowNs = pacer.dueNs + rng.below(30_000);
  }
  assert.ok(Math.abs(sent - 12_500_000) < 65_000, `${sent} bytes in 100 ms at 1 Gbit/s`);
  assert.ok(pacer.open(nowNs + 500 * MS));
  let late = 0;
  while (pacer.burstGoesOn) {
    pacer.spend(nowNs, 1538);
    late += 1538;
  }
  assert.ok(late <= 0.00225 * 125e6 + 1538, `${late} bytes after half a second of sleep`);
});

test('path MTU: the largest first, then halves; three losses are a no', () => {
  const search = (pathBytes: number, maxBytes: number): { bytes: number; probes: number } => {
    const mtu = new PathMtu(maxBytes);
    let probes = 0;
    for (let size = mtu.probeDue(0); size > 0; size = mtu.probeDue(0)) {
      probes++;
      mtu.probeSent();
      assert.is(mtu.probeDue(0), 0, 'one probe at a time');
      if (size <= pathBytes) mtu.probeAcked(0, size);
      else mtu.probeLost(0, size);
    }
    return { bytes: mtu.datagramBytes, probes };
  };
  assert.equal(search(1472, 1472), { bytes: 1472, probes: 1 });
  assert.equal(search(8972, 8972), { bytes: 8972, probes: 1 });
  const narrow = search(1472, 8972);
  assert.ok(narrow.bytes > 1472 - 17 && narrow.bytes <= 1472, `${narrow.bytes}`);
  assert.ok(narrow.probes < 35);
  assert.is(search(800, 1472).bytes, BASE_DATAGRAM_BYTES, 'the base is not put in question by probes');
});

test('path MTU: a black hole goes back to the base, and what passed is tried again', () => {
  const mtu = new PathMtu(1472);
  mtu.probeSent();
  mtu.probeAcked(0, 1472);
  assert.is(mtu.probeDue(500_000 * MS), 0);
  mtu.blackHole();
  assert.is(mtu.datagramBytes, BASE_DATAGRAM_BYTES);
  assert.is(mtu.probeDue(0), 1472);
});

test('path MTU: a smaller path is searched anew after 600 s', () => {
  const mtu = new PathMtu(8972);
  for (let size = mtu.probeDue(0); size > 0; size = mtu.probeDue(0)) {
    mtu.probeSent();
    if (size <= 1472) mtu.probeAcked(0, size);
    else mtu.probeLost(0, size);
  }
  assert.is(mtu.probeDue(599_000 * MS), 0);
  assert.is(mtu.probeDue(600_000 * MS), 8972);
});

/** Protects packets of random lengths; gives those not in `lost` to the store, then the parity. */
function recover(numbers: number[], lost: Set<number>, seed: string): number[] {
  const rng = new Rng(seed);
  const groups = new ParityGroups();
  const reader = new PacketReader();
  const store = new ParityStore(1472);
  const frames = new Map<number, Uint8Array>();
  const back: number[] = [];
  const parityOf = (g: number): void => {
    const datagram = new Uint8Array(PARITY_FRAME_BYTES + groups.length(g));
    const view = new DataView(datagram.buffer);
    writeParityFrame(view, 0, groups.members(g), groups.first(g), groups.lengthXor(g), groups.length(g));
    datagram.set(groups.bytes(g).subarray(0, groups.length(g)), PARITY_FRAME_BYTES);
    reader.openFrames(view, 0, datagram.length);
    assert.is(reader.next(), FRAME_PARITY);
    store.add(3, reader, datagram);
    groups.close(g);
    while (store.recover()) {
      const whole = frames.get(store.number)!;
      assert.equal(store.frames.subarray(0, store.length), whole, `packet ${store.number}`);
      assert.is(store.round, 3);
      back.push(store.number);
    }
  };
  for (const n of numbers) {
    for (let g = groups.fullBefore(n); g >= 0; g = groups.fullBefore(n)) parityOf(g);
    const bytes = new Uint8Array(1 + rng.below(1440));
    rng.fill(bytes);
    frames.set(n, bytes);
    groups.protect(n, bytes, 0, bytes.length);
    if (!lost.has(n)) store.keep(n, bytes, 0, bytes.length);
  }
  for (let g = groups.anyOpen(); g >= 0; g = groups.anyOpen()) parityOf(g);
  assert.is(groups.open, 0);
  return back.sort((a, b) => a - b);
}

test('parity gives back any one packet, and any burst of four', () => {
  const numbers = Array.from({ length: 100 }, (_, i) => 1000 + i);
  for (let i = 0; i < 100; i++) assert.equal(recover(numbers, new Set([1000 + i]), `p${i}`), [1000 + i]);
  for (let i = 0; i < 97; i++) {
    const burst = [1000 + i, 1001 + i, 1002 + i, 1003 + i];
    assert.equal(recover(numbers, new Set(burst), `b${i}`), burst);
  }
});

test('parity: a lone packet is its own copy; gaps in the numbering are no harm; two of a group are too many', () => {
  assert.equal(recover([7], new Set([7]), 'lone'), [7]);
  const sparse = [5, 9, 10, 30, 36, 37, 80, 81, 82, 200];
  for (const n of sparse) assert.equal(recover(sparse, new Set([n]), `s${n}`), [n]);
  assert.equal(recover([0, 1, 2, 3, 4, 5, 6, 7], new Set([0, 4]), 'two'), []);
});

test('the maximum of the last rounds forgets the oldest round', () => {
  const max = new RoundMax(3);
  max.add(10);
  max.nextRound();
  max.add(4);
  max.nextRound();
  max.add(6);
  assert.is(max.value, 10);
  max.nextRound();
  assert.is(max.value, 6);
});

const sample = (nowNs: number, ackedBytes: number, rttNs: number): AckSample => ({
  nowNs,
  ackedBytes,
  inflightBytes: 0,
  deliveredBytes: 0,
  deliveredBeforeBytes: 0,
  deliveryRateBps: 0,
  appLimited: false,
  rttNs,
  smoothedRttNs: rttNs,
});

test('CUBIC: a loss costs 30 %, once a round trip; the way back is the cubic of RFC 9438', () => {
  const cubic = new Cubic();
  const packet = 1538;
  while (cubic.cwndBytes < 1000 * packet) cubic.onAck(sample(0, 100 * packet, 100 * MS));
  const before = cubic.cwndBytes / packet;
  cubic.onLoss(1000 * MS, 5 * packet, 950 * MS);
  assert.ok(Math.abs(cubic.cwndBytes / packet - 0.7 * before) < 1e-6);
  cubic.onLoss(1001 * MS, 5 * packet, 990 * MS);
  assert.ok(
    Math.abs(cubic.cwndBytes / packet - 0.7 * before) < 1e-6,
    'sent before the decrease: the same event',
  );
  // K = cbrt(W_max · 0.3 / 0.4): the window is back at its maximum K seconds later.
  const kNs = Math.cbrt((before * 0.3) / 0.4) * 1e9;
  const rttNs = 100 * MS; // long enough for Reno's line to stay below the cubic
  let nowNs = 1001 * MS;
  const startNs = nowNs + rttNs;
  while (nowNs < startNs + kNs) {
    nowNs += rttNs;
    cubic.onAck(sample(nowNs, cubic.cwndBytes, rttNs));
  }
  const back = cubic.cwndBytes / packet / before;
  assert.ok(back > 0.97 && back < 1.05, `${back} of the old maximum after K`);
});

test('BBR: a few bytes in a slow first round trip do not make what follows crawl', () => {
  const bbr = new Bbr();
  const first = {
    ...sample(126 * MS, 130, 126 * MS),
    deliveryRateBps: 8000,
    appLimited: true,
    deliveredBytes: 130,
  };
  bbr.onAck(first);
  assert.ok(bbr.pacingBps > 5e6, `${bbr.pacingBps} bit/s`);
});

test('BBR: a known rate does not grow old while there is little to send', () => {
  const bbr = new Bbr();
  let delivered = 0;
  const round = (rateBps: number, appLimited: boolean): void => {
    const before = delivered;
    delivered += 1e5;
    const facts = {
      deliveredBytes: delivered,
      deliveredBeforeBytes: before,
      deliveryRateBps: rateBps,
      appLimited,
    };
    bbr.onAck({ ...sample(delivered, 1e5, MS), ...facts });
  };
  for (let i = 0; i < 10; i++) round(1e9, false);
  for (let i = 0; i < 50; i++) round(1e6, true);
  assert.is(bbr.bottleneckBps, 1e9);
});

test('BBR: in startup a loss counts only when the round trip shows the queue that it fell out of', () => {
  for (const [rttNs, state] of [
    [10 * MS, 'startup'],
    [19 * MS, 'startup'],
    [20 * MS, 'drain'],
  ] as const) {
    const bbr = new Bbr();
    let delivered = 0;
    for (let round = 1; round <= 5; round++) {
      const before = delivered;
      delivered += 1e5 * 2 ** round;
      const facts = {
        deliveredBytes: delivered,
        deliveredBeforeBytes: before,
        deliveryRateBps: 1e8 * 2 ** round,
      };
      bbr.onAck({ ...sample(round * 20 * MS, delivered - before, round < 5 ? 10 * MS : rttNs), ...facts });
    }
    bbr.onLoss();
    assert.is(bbr.state, state, `after a round trip of ${rttNs / MS} ms`);
  }
});

test('a fixed rate is what it says whatever is lost', () => {
  const fixed = new FixedRate(5e8);
  fixed.onLoss();
  fixed.onTimeout();
  assert.is(fixed.pacingBps, 5e8);
  assert.ok(fixed.cwndBytes > (5e8 / 8) * 0.25);
});

test.run();
