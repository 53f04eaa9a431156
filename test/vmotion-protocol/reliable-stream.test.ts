import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { ConfigError, Rng, TimeHeap } from '../../src/core/index.js';
import { ReliableStream, type ReliableStreamOptions } from '../../src/vmotion-protocol/index.js';
import { expandOffset } from '../../src/vmotion-protocol/stream-datagram.js';
import { suite } from '../suite.js';

const test = suite('vmotion-protocol/reliable-stream');
const MS = 1_000_000;
const hex = (b: Uint8Array) => Buffer.from(b).toString('hex');
const ascii = (s: string) => new TextEncoder().encode(s);

/** All datagrams of one flush, as copies. */
function flush(s: ReliableStream, nowNs: number): Uint8Array[] {
  const out: Uint8Array[] = [];
  s.flush(nowNs, (d) => out.push(d.slice()));
  return out;
}

function readAll(s: ReliableStream): Uint8Array {
  const into = new Uint8Array(s.readable);
  assert.is(s.read(into), into.length);
  return into;
}

function opened(options: ReliableStreamOptions = { mss: 1000 }) {
  const a = ReliableStream.open({ connectionId: 0xaabbccdd, ...options });
  const b = ReliableStream.accept(options);
  for (const d of flush(a, 0)) b.receive(0, d);
  for (const d of flush(b, 0)) a.receive(0, d);
  return { a, b };
}

/** What the channel does to a datagram: probabilities per datagram. */
interface Channel {
  readonly oneWayNs: number;
  readonly loss?: number;
  readonly duplicate?: number;
  /** Delayed by up to 4 ms more, so that others overtake it. */
  readonly reorder?: number;
  /** Bytes per datagram pass at this rate, first come first served, behind a drop-tail queue. */
  readonly rateBps?: number;
  readonly queueBytes?: number;
}

/** Two streams on a virtual clock that jumps from wake-up to wake-up; pumps `bytes` each way. */
class World {
  readonly a: ReliableStream;
  readonly b: ReliableStream;
  nowNs = 0;
  datagrams = 0;
  trace: string[] = [];
  readonly #heap = new TimeHeap<{ to: ReliableStream; bytes: Uint8Array }>();
  readonly #rng: Rng;
  readonly #channel: Channel;
  #busyNs = [0, 0];

  constructor(channel: Channel, seed: string, options: ReliableStreamOptions) {
    this.#channel = channel;
    this.#rng = new Rng(seed);
    this.a = ReliableStream.open({ connectionId: 7, ...options });
    this.b = ReliableStream.accept(options);
  }

  flush(from: ReliableStream): void {
    const c = this.#channel;
    const to = from === this.a ? this.b : this.a;
    from.flush(this.nowNs, (d) => {
      this.datagrams++;
      this.trace.push(`${this.nowNs} ${from === this.a ? 'a' : 'b'} ${hex(d.subarray(0, 20))}`);
      let leaveNs = this.nowNs;
      if (c.rateBps !== undefined) {
        const lane = from === this.a ? 0 : 1;
        const waitNs = Math.max(0, this.#busyNs[lane]! - this.nowNs);
        if ((waitNs * c.rateBps) / 8e9 > c.queueBytes!) return;
        this.#busyNs[lane] = this.nowNs + waitNs + (d.length * 8e9) / c.rateBps;
        leaveNs = Math.ceil(this.#busyNs[lane]!);
      }
      const copies = this.#rng.chance(c.loss ?? 0) ? 0 : this.#rng.chance(c.duplicate ?? 0) ? 2 : 1;
      for (let i = 0; i < copies; i++) {
        const extraNs = this.#rng.chance(c.reorder ?? 0) ? this.#rng.below(4 * MS) : 0;
        this.#heap.push(leaveNs + c.oneWayNs + extraNs, { to, bytes: d.slice() });
      }
    });
    assert.ok(from.nextWakeNs() > this.nowNs, 'a flush leaves nothing that is due at once: no spin');
  }

  /** Goes to the next instant at which anything happens. @returns false when nothing ever will */
  advance(limitNs: number): boolean {
    const wakeNs = Math.min(this.#heap.peekTimeNs(), this.a.nextWakeNs(), this.b.nextWakeNs());
    if (wakeNs > limitNs) return false;
    this.nowNs = Math.max(this.nowNs, wakeNs);
    while (this.#heap.peekTimeNs() <= this.nowNs) {
      const { to, bytes } = this.#heap.pop()!;
      to.receive(this.nowNs, bytes);
    }
    return true;
  }
}

/** Sends `total` bytes each way and checks them on arrival. */
function exchange(channel: Channel, seed: string, total: number, options: ReliableStreamOptions): World {
  const w = new World(channel, seed, options);
  const rng = new Rng(`${seed}/content`);
  const content = [new Uint8Array(total), new Uint8Array(total)];
  for (const c of content) rng.fill(c);
  const streams = [w.a, w.b];
  const written = [0, 0];
  const read = [0, 0];
  const scratch = new Uint8Array(5000);
  while (read[0]! < total || read[1]! < total || w.a.nextWakeNs() === 0 || w.b.nextWakeNs() === 0) {
    for (const i of [0, 1]) {
      const s = streams[i]!;
      // b knows of the connection only once it has heard of it
      if (i === 0 || s.counters.srttNs > 0 || s.readable > 0 || read[1]! > 0) {
        written[i]! += s.write(content[i]!.subarray(written[i], written[i]! + 1 + rng.below(20_000)));
      }
      for (let n = s.read(scratch); n > 0; n = s.read(scratch)) {
        const at = read[i]!;
        const expected = content[1 - i]!.subarray(at, at + n);
        assert.ok(
          Buffer.compare(scratch.subarray(0, n), expected) === 0,
          `bytes ${at}… of stream ${i} differ`,
        );
        read[i] = at + n;
      }
      w.flush(s);
    }
    assert.is(w.a.state === 'broken' || w.b.state === 'broken', false, 'a stream broke');
    if (!w.advance(600_000 * MS)) break;
    assert.ok(w.datagrams < 200_000, 'no storm');
  }
  assert.equal(read, [total, total]);
  return w;
}

test('golden datagrams: an opening with data, its acknowledgement, a hole, a FIN', () => {
  const a = ReliableStream.open({ connectionId: 0xaabbccdd, mss: 64 });
  const b = ReliableStream.accept({ mss: 64 });
  assert.is(a.write(ascii('hello')), 5);
  const [first] = flush(a, 0);
  assert.is(
    hex(first!),
    [
      '4c53', // 'LS'
      '01', // SYN
      '00', // no blocks
      'aabbccdd', // connection
      '00000000', // seq 0
      '00000000', // ack 0
      '00010000', // window 65,536
      '68656c6c6f', // hello
    ].join(''),
  );
  assert.ok(ReliableStream.isOpening(first!));
  b.receive(0, first!);
  assert.is(hex(flush(b, 0)[0]!), '4c530000aabbccdd00000000000000050000fffb');
  // A second segment is lost, the third comes: it is named in a block, and acknowledges nothing.
  a.receive(0, Buffer.from('4c530000aabbccdd00000000000000050000fffb', 'hex'));
  a.write(new Uint8Array(64));
  a.write(ascii('!'));
  const third = flush(a, 1)[1]!;
  b.receive(1, third);
  assert.is(
    hex(flush(b, 1)[0]!),
    '4c530001aabbccdd00000000000000050000fffb' + '0000004500000046', // bytes 69..69 beyond ack 5
  );
  const c = opened({ mss: 64 }).a;
  c.close();
  assert.is(hex(flush(c, 1)[0]!), '4c530200aabbccdd000000000000000000010000');
});

test('opening costs no round trip, and both sides say open once they have heard the other', () => {
  const a = ReliableStream.open({ connectionId: 1, mss: 1000 });
  const b = ReliableStream.accept({ mss: 1000 });
  a.write(ascii('offer'));
  assert.is(a.state, 'opening');
  for (const d of flush(a, 0)) b.receive(MS, d);
  assert.is(Buffer.from(readAll(b)).toString(), 'offer');
  b.write(ascii('accept'));
  for (const d of flush(b, MS)) a.receive(2 * MS, d);
  assert.is(a.state, 'open');
  assert.is(Buffer.from(readAll(a)).toString(), 'accept');
});

test('an opening that is lost is sent again, and given up in the end', () => {
  const a = ReliableStream.open({ connectionId: 1, mss: 1000 });
  assert.is(flush(a, 0).length, 1);
  assert.equal(flush(a, 1), [], 'nothing more until the timer');
  let nowNs = 0;
  let sent = 0;
  while (a.state !== 'broken') {
    nowNs = a.nextWakeNs();
    for (const d of flush(a, nowNs)) assert.ok(ReliableStream.isOpening(d), `datagram ${sent++}`);
    assert.ok(nowNs < 60_000 * MS);
  }
  assert.ok(sent >= 5 && sent < 40, `${sent} tries`);
  assert.is(a.nextWakeNs(), Infinity);
});

test('what comes in goes out, under loss, duplication and reordering', () => {
  for (const channel of [
    { oneWayNs: 400_000 },
    { oneWayNs: 400_000, loss: 0.01 },
    { oneWayNs: 400_000, loss: 0.2, duplicate: 0.1, reorder: 0.1 },
    { oneWayNs: 50 * MS, loss: 0.05, reorder: 0.3 },
    { oneWayNs: 0, duplicate: 0.5 },
    { oneWayNs: 400_000, rateBps: 100e6, queueBytes: 20_000 },
  ]) {
    for (const seed of ['one', 'two']) exchange(channel, seed, 400_000, { mss: 1400, maxWindowSegments: 64 });
  }
});

test('streams longer than 2^32 bytes keep their count', () => {
  // The wire's 32 bits wrap; offsets are rebuilt near the reference, forwards and backwards.
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (reference, delta) => {
      fc.pre(reference + delta >= 0 && reference + delta <= Number.MAX_SAFE_INTEGER);
      assert.is(expandOffset((reference + delta) >>> 0, reference), reference + delta);
    }),
  );
});

test('the same seed gives the same trace', () => {
  const channel = { oneWayNs: 400_000, loss: 0.05, reorder: 0.1 };
  const run = () => exchange(channel, 'seed', 100_000, { mss: 1400 }).trace;
  assert.equal(run(), run());
});

test('a lost segment is sent again after three later ones arrived, without waiting for the timer', () => {
  const { a, b } = opened();
  a.write(new Uint8Array(6000));
  const [lost, ...later] = flush(a, MS);
  assert.is(lost!.length, 1020);
  for (const d of later.slice(0, 2)) b.receive(MS, d);
  for (const d of flush(b, MS)) a.receive(MS, d);
  assert.equal(flush(a, MS), [], 'two later arrivals prove nothing');
  b.receive(MS, later[2]!);
  for (const d of flush(b, MS)) a.receive(MS, d);
  const again = flush(a, MS);
  assert.is(again.length, 1);
  assert.is(hex(again[0]!.subarray(20)), hex(lost!.subarray(20)));
  // And when the retransmission is lost as well, three arrivals behind *it* send it a third time.
  a.write(new Uint8Array(4000));
  const behind = flush(a, MS);
  assert.is(behind.length, 2, 'the window was halved: five are in flight');
  for (const d of [...later.slice(3), ...behind]) b.receive(2 * MS, d);
  for (const d of flush(b, 2 * MS)) a.receive(2 * MS, d);
  const rest = flush(a, 2 * MS);
  assert.equal(
    rest.map((d) => new DataView(d.buffer).getUint32(8)),
    [8000, 9000],
    'two arrivals behind it: still only new segments',
  );
  for (const d of rest) b.receive(2 * MS, d);
  for (const d of flush(b, 2 * MS)) a.receive(2 * MS, d);
  assert.equal(
    flush(a, 2 * MS).map((d) => hex(d.subarray(20))),
    [hex(lost!.subarray(20))],
  );
  assert.is(a.counters.retransmissions, 2);
  assert.is(a.counters.timeouts, 0);
});

test('a lost tail is sent again when the timer expires, at least 5 ms later', () => {
  const { a, b } = opened();
  a.write(ascii('x'));
  for (const d of flush(a, MS)) b.receive(MS, d);
  for (const d of flush(b, MS)) a.receive(1.4 * MS, d);
  a.write(ascii('tail'));
  assert.is(flush(a, 2 * MS).length, 1);
  assert.is(a.nextWakeNs(), 7 * MS);
  assert.equal(flush(a, 7 * MS - 1), []);
  assert.is(flush(a, 7 * MS).length, 1);
  assert.is(a.nextWakeNs(), 17 * MS, 'the second wait is twice as long');
});

test('an idle stream is quiet: one question a keepalive period, one answer, nothing else', () => {
  const w = new World({ oneWayNs: MS }, 'idle', { mss: 1000, keepaliveNs: 1000 * MS });
  w.a.write(ascii('x'));
  for (let i = 0; i < 20 && w.nowNs < 100 * MS; i++) {
    w.flush(w.a);
    w.flush(w.b);
    readAll(w.b);
    w.advance(100 * MS);
  }
  const before = w.datagrams;
  while (w.advance(10_000 * MS)) {
    w.flush(w.a);
    w.flush(w.b);
  }
  assert.ok(w.datagrams - before <= 4 * 10, `${w.datagrams - before} datagrams in 10 s`);
  const still = opened({ mss: 1000, keepaliveNs: Infinity });
  assert.is(still.a.nextWakeNs(), Infinity);
  assert.is(still.b.nextWakeNs(), Infinity);
});

test('a peer that has gone is noticed: idle or not, the stream breaks after the silence limit', () => {
  for (const text of ['', 'unheard']) {
    const { a } = opened({ mss: 1000, keepaliveNs: 1000 * MS, silenceNs: 5000 * MS });
    a.write(ascii(text));
    let nowNs = 0;
    for (let i = 0; a.state === 'open' && i < 200; i++) {
      nowNs = Math.max(nowNs, a.nextWakeNs());
      flush(a, nowNs);
    }
    assert.is(a.state, 'broken');
    assert.ok(nowNs >= 5000 * MS && nowNs <= 7100 * MS, `${nowNs / MS} ms`);
    assert.is(a.write(ascii('x')), 0);
  }
});

test('a reader that does not read stops the writer, and its reading starts it again', () => {
  const w = new World({ oneWayNs: MS }, 'window', { mss: 1000, maxWindowSegments: 32 });
  const all = new Uint8Array(300_000).map((_, i) => i % 251);
  let written = 0;
  const spin = (untilNs: number) => {
    do {
      written += w.a.write(all.subarray(written));
      w.flush(w.a);
      w.flush(w.b);
    } while (w.advance(untilNs));
  };
  spin(2000 * MS);
  const held = w.b.readable;
  assert.ok(held <= 65_536 && held > 63_000, `${held} bytes are held`);
  const got: Uint8Array[] = [];
  while (w.nowNs < 8000 * MS && got.reduce((n, g) => n + g.length, 0) < all.length) {
    got.push(readAll(w.b));
    spin(w.nowNs + 10 * MS);
    w.nowNs += MS;
  }
  assert.ok(Buffer.concat(got).equals(all));
});

test('a close delivers what was written, then both sides are closed', () => {
  const w = new World({ oneWayNs: MS, loss: 0.1 }, 'close', { mss: 500 });
  w.a.write(new Uint8Array(20_000).fill(5));
  w.a.close();
  assert.is(w.a.write(ascii('late')), 0);
  let got = 0;
  do {
    w.flush(w.a);
    w.flush(w.b);
    got += readAll(w.b).length;
  } while ((w.a.state !== 'closed' || w.b.state !== 'closed') && w.advance(100_000 * MS));
  assert.is(got, 20_000);
  assert.equal([w.a.state, w.b.state], ['closed', 'closed']);
});

test('who closes towards a peer that has gone is closed soon, not broken for ever', () => {
  const { a } = opened();
  a.close();
  let nowNs = 0;
  for (let i = 0; a.state !== 'closed' && i < 20; i++) {
    flush(a, nowNs);
    nowNs = Math.max(nowNs, Math.min(a.nextWakeNs(), 1e12));
  }
  assert.is(a.state, 'closed');
  assert.is(a.nextWakeNs(), Infinity);
});

test('random and damaged datagrams never throw, and do not end or corrupt a stream', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 80 })), fc.boolean(), (datagrams, valid) => {
      const { a, b } = opened();
      for (const d of datagrams) {
        // With the header right, only the fields behind it are random: offsets, windows, blocks.
        if (valid && d.length >= 20) d.set([0x4c, 0x53, d[2]! & 4, d[3]! % 3, 0xaa, 0xbb, 0xcc, 0xdd]);
        a.receive(0, d);
      }
      a.write(ascii('still here'));
      for (const d of flush(a, MS)) b.receive(MS, d);
      assert.is(a.state, 'open');
      if (!valid) assert.is(Buffer.from(readAll(b)).toString(), 'still here');
    }),
  );
});

test('datagrams of another connection are counted and ignored', () => {
  const { b } = opened();
  const other = ReliableStream.open({ connectionId: 1, mss: 1000 });
  other.write(ascii('intruder'));
  for (const d of flush(other, 0)) b.receive(0, d);
  assert.is(b.readable, 0);
  assert.is(b.counters.foreign, 1);
  b.receive(0, new Uint8Array(3));
  assert.is(b.counters.malformed, 1);
});

test('the window is halved once per window with loss, and never beyond its cap', () => {
  const w = exchange({ oneWayNs: 400_000, rateBps: 200e6, queueBytes: 30_000 }, 'aimd', 1_500_000, {
    mss: 1400,
    maxWindowSegments: 128,
  });
  const { segments, retransmissions, timeouts, windowSegments } = w.a.counters;
  assert.ok(windowSegments <= 128);
  assert.ok(retransmissions > 0 && retransmissions < 0.15 * segments, `${retransmissions} of ${segments}`);
  assert.ok(timeouts <= 3, `${timeouts} timeouts`);
});

test('options out of range are refused', () => {
  for (const options of [{ mss: 10 }, { mss: 1000, maxWindowSegments: 1 }, { mss: 1000, bufferBytes: 10 }]) {
    assert.throws(
      () => ReliableStream.accept(options),
      (e: unknown) => e instanceof ConfigError,
    );
  }
});

test.run();
