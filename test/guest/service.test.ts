import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { isLonghaulError } from '../../src/core/index.js';
import {
  EchoLedger,
  layoutOf,
  RESPONSE_SIZE,
  Service,
  ServiceLedger,
  slotPagesOf,
} from '../../src/guest/index.js';
import { suite } from '../suite.js';

const test = suite('guest/service, ledgers');
const PAGES = 256;
const SLOT_PAGES = slotPagesOf(PAGES);
const LAYOUT = layoutOf(PAGES);

/** A client and a guest without a network in between: the test is the network. */
class Pair {
  readonly memory: Uint8Array;
  service: Service;
  readonly ledger: ServiceLedger;
  nowNs = 0;

  constructor(pages = PAGES) {
    this.memory = new Uint8Array(pages * 4096);
    this.service = new Service(this.memory, layoutOf(pages));
    this.ledger = new ServiceLedger(7, slotPagesOf(pages));
  }

  request(): Uint8Array {
    this.nowNs += 1000;
    return this.ledger.next(this.nowNs).slice();
  }

  serve(request: Uint8Array): Uint8Array | null {
    const out = new Uint8Array(64);
    const n = this.service.handle(request, 0, request.length, out);
    return n === 0 ? null : out.slice(0, n);
  }

  give(response: Uint8Array | null): string {
    this.nowNs += 1000;
    return response === null ? 'none' : this.ledger.answer(this.nowNs, response);
  }

  rounds(n: number): void {
    for (let i = 0; i < n; i++) assert.is(this.give(this.serve(this.request())), 'right');
  }

  rollBackPage(pfn: number, to: Uint8Array): void {
    this.memory.set(to.subarray(pfn * 4096, (pfn + 1) * 4096), pfn * 4096);
  }
}

test('the first request and its answer, byte by byte', () => {
  const p = new Pair();
  const request = p.request();
  assert.is(
    Buffer.from(request).toString('hex'),
    '4c485331' + // 'LHS1'
      '00000007' + // client
      '00000001' + // seq
      '408f400000000000', // sent at 1000.0 ns
  );
  const answer = Buffer.from(p.serve(request)!);
  assert.is(
    answer.toString('hex', 0, 28),
    '4c485231' + // 'LHR1'
      '00000007' +
      '00000001' +
      '408f400000000000' +
      '00000001' + // count
      '00000000', // previous seq: none
  );
  assert.is(answer.toString('hex', 32), '00000000', 'nothing in the slot');
  assert.is(answer.length, RESPONSE_SIZE);
  assert.is(p.give(answer), 'right');
});

test('a thousand rounds are right, and the counts close', () => {
  const p = new Pair();
  p.rounds(1000);
  const s = p.ledger.stats();
  assert.equal(
    [s.sent, s.answered, s.lost, s.duplicated, s.wrong, s.late, s.resets, s.firstWrong],
    [1000, 1000, 0, 0, 0, 0, 0, null],
  );
  assert.is(s.longestGapNs, 2000);
  assert.is(s.rttBeforeNs.length, 1000);
  assert.ok(s.rttBeforeNs.every((ns) => ns === 1000));
});

test('the state is in guest memory: another service over a copy goes on', () => {
  const p = new Pair();
  p.rounds(300);
  p.service = new Service(p.memory.slice(), LAYOUT);
  p.rounds(300);
});

/** What the network does with one exchange. */
type Fate =
  | 'pass'
  | 'loseRequest'
  | 'loseResponse'
  | 'repeatRequest'
  | 'repeatResponse'
  | 'delayRequest'
  | 'delayResponse';
const FATES: readonly Fate[] = [
  'pass',
  'pass',
  'loseRequest',
  'loseResponse',
  'repeatRequest',
  'repeatResponse',
  'delayRequest',
  'delayResponse',
];

test('loss, repetition, delay and reordering in the network are never wrong', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom(...FATES), fc.nat(40)), { maxLength: 600 }), (fates) => {
      const p = new Pair();
      const later: { due: number; request?: Uint8Array; response?: Uint8Array | null }[] = [];
      const release = (turn: number): void => {
        for (let i = later.length - 1; i >= 0; i--) {
          const item = later[i]!;
          if (item.due > turn) continue;
          later.splice(i, 1);
          assert.is.not(p.give(item.request ? p.serve(item.request) : item.response!), 'wrong');
        }
      };
      fates.forEach(([fate, delay], turn) => {
        release(turn);
        const request = p.request();
        if (fate === 'loseRequest') return;
        if (fate === 'delayRequest') {
          later.push({ due: turn + delay, request });
          return;
        }
        const response = p.serve(request);
        if (fate === 'repeatRequest') assert.is(p.serve(request), null, 'a request is handled once');
        if (fate === 'loseResponse') return;
        if (fate === 'delayResponse') {
          later.push({ due: turn + delay * 5, response });
          return;
        }
        assert.is(p.give(response), 'right');
        if (fate === 'repeatResponse') assert.is(p.give(response), 'duplicate');
      });
      release(Number.POSITIVE_INFINITY);
      const s = p.ledger.stats();
      assert.is(s.wrong, 0, s.firstWrong ?? '');
      assert.is(s.sent, fates.length);
      assert.is(s.sent, s.answered + s.lost);
    }),
    { numRuns: 300 },
  );
});

test('requests that were forwarded after a pause came a hundred milliseconds behind newer ones: each is answered, once', () => {
  const p = new Pair(1024);
  p.rounds(300);
  const forwarded = Array.from({ length: 20 }, () => p.request());
  p.rounds(200);
  for (const request of forwarded) {
    assert.is(p.give(p.serve(request)), 'right');
    assert.is(p.serve(request), null, 'it was handled');
  }
  p.rounds(100);
  const { sent, answered, wrong, duplicated } = p.ledger.stats();
  assert.equal([sent, answered, wrong, duplicated], [620, 620, 0, 0]);
});

test('every request is handled once, whatever the order within the window', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(255), { minLength: 1, maxLength: 120 }), fc.nat(600), (picks, ahead) => {
      const p = new Pair(1024);
      p.rounds(1 + ahead);
      const waiting = Array.from({ length: 256 }, () => p.request());
      for (const pick of picks) {
        const request = waiting[pick]!;
        const first = p.serve(request);
        if (first !== null) assert.is(p.give(first), 'right');
        assert.is(p.serve(request), null);
      }
      const { answered, wrong } = p.ledger.stats();
      assert.equal([answered, wrong], [1 + ahead + new Set(picks).size, 0]);
    }),
    { numRuns: 30 },
  );
});

test('a client table that was rolled back is wrong, at once, and once', () => {
  const p = new Pair();
  p.rounds(10);
  const old = p.memory.slice();
  p.rounds(5);
  p.rollBackPage(LAYOUT.clientPage, old);
  assert.is(p.give(p.serve(p.request())), 'wrong');
  assert.match(p.ledger.stats().firstWrong!, /request 16 is number 11 .* number 15 was answered/);
  p.rounds(200);
  assert.is(p.ledger.stats().wrong, 1);
  assert.is(p.ledger.stats().resets, 0);
});

test('a slot page that was rolled back is wrong when its turn comes', () => {
  const p = new Pair();
  p.rounds(SLOT_PAGES * 2 + 4);
  const old = p.memory.slice();
  p.rounds(SLOT_PAGES);
  p.rollBackPage(LAYOUT.slotFirstPage + 10, old);
  p.rounds(5);
  assert.is(p.give(p.serve(p.request())), 'wrong');
  assert.match(p.ledger.stats().firstWrong!, /the slot of request 202 held 74, and must hold 138/);
  p.rounds(300);
  assert.is(p.ledger.stats().wrong, 1);
});

test('any page of the service that is rolled back over answered requests shows', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 63 }),
      fc.nat(),
      (before, between, pick) => {
        const p = new Pair();
        p.rounds(before);
        const old = p.memory.slice();
        p.rounds(between);
        // The client table, or a slot page that was written since.
        const written = [LAYOUT.clientPage];
        for (let i = 1; i <= between; i++) written.push(LAYOUT.slotFirstPage + ((before + i) % SLOT_PAGES));
        p.rollBackPage(written[pick % written.length]!, old);
        for (let i = 0; i < SLOT_PAGES; i++) p.give(p.serve(p.request()));
        assert.is(p.ledger.stats().wrong, 1);
      },
    ),
  );
});

test('a guest that forgot the session is wrong, and counted as a reset', () => {
  const p = new Pair();
  p.rounds(10);
  p.memory.fill(0);
  assert.is(p.give(p.serve(p.request())), 'wrong');
  p.rounds(100);
  const s = p.ledger.stats();
  assert.equal([s.wrong, s.resets], [1, 1]);
});

test('a request handled twice is wrong', () => {
  const p = new Pair();
  p.rounds(10);
  const request = p.request();
  const window = LAYOUT.clientPage * 4096 + 7 * 64 + 16;
  const unmarked = p.memory.slice(window, window + 48);
  p.serve(request);
  p.memory.set(unmarked, window); // the guest forgets that it handled it
  assert.is(p.give(p.serve(request)), 'wrong');
});

test('a request answered without being handled is wrong with the next', () => {
  const p = new Pair();
  p.rounds(10);
  const before = p.memory.slice();
  assert.is(p.give(p.serve(p.request())), 'right');
  p.memory.set(before);
  assert.is(p.give(p.serve(p.request())), 'wrong');
});

test('a guest that skips numbers is wrong', () => {
  const p = new Pair();
  p.rounds(10);
  const count = LAYOUT.clientPage * 4096 + 7 * 64 + 4;
  p.memory[count] = 12;
  assert.is(p.give(p.serve(p.request())), 'wrong');
  assert.match(p.ledger.stats().firstWrong!, /is number 13, and no more than 11/);
});

test('two copies that both run show: the same request answered twice, and differently', () => {
  const p = new Pair();
  p.rounds(10);
  const copy = new Service(p.memory.slice(), LAYOUT);
  const requests = [p.request(), p.request()];
  const out = new Uint8Array(64);
  assert.is(p.give(p.serve(requests[0]!)), 'right');
  assert.is(p.give(p.serve(requests[1]!)), 'right');
  copy.handle(requests[1]!, 0, requests[1]!.length, out); // it never saw the first
  assert.is(p.give(out.slice(0, RESPONSE_SIZE)), 'wrong');
});

test('bytes that are no answer of ours are foreign, and hostile ones neither throw nor allocate', () => {
  const p = new Pair();
  p.rounds(3);
  assert.is(p.give(Uint8Array.of(1, 2, 3)), 'foreign');
  const request = p.request();
  const response = p.serve(request)!;
  const other = response.slice();
  other[7] = 8;
  assert.is(p.give(other), 'foreign');
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 20, max: 35 }), fc.nat(255)), { minLength: 1 }),
      (flips) => {
        const q = new Pair();
        q.rounds(5);
        const r = q.serve(q.request())!;
        const bent = r.slice();
        for (const [at, value] of flips) bent[at] = value;
        assert.is(q.give(bent), Buffer.compare(bent, r) === 0 ? 'right' : 'wrong');
        q.give(q.serve(q.request()));
      },
    ),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      assert.is(p.service.handle(bytes, 0, bytes.length, new Uint8Array(64)), 0);
    }),
  );
});

test('64 clients have their entries, the next gets no answer', () => {
  const p = new Pair();
  const out = new Uint8Array(64);
  const ledgers = Array.from({ length: 65 }, (_, i) => new ServiceLedger(1 + i * 64, SLOT_PAGES));
  for (let round = 0; round < 3; round++) {
    ledgers.forEach((ledger, i) => {
      const request = ledger.next(round);
      const n = p.service.handle(request, 0, request.length, out);
      assert.is(n, i < 64 ? RESPONSE_SIZE : 0);
      if (n > 0) assert.is(ledger.answer(round, out, 0, n), 'right');
    });
  }
});

test('a new phase counts anew, keeps the chain, and does not count answers of the old one', () => {
  const p = new Pair();
  p.rounds(5);
  const inFlight = p.serve(p.request());
  p.ledger.reset();
  p.ledger.mark('after');
  assert.is(p.give(inFlight), 'right');
  p.rounds(2);
  const s = p.ledger.stats();
  assert.equal([s.sent, s.answered, s.late, s.wrong, s.lost], [2, 2, 1, 0, 0]);
  assert.equal([s.rttBeforeNs.length, s.rttAfterNs.length], [0, 2]);
});

test('a client number outside the range is refused by code', () => {
  for (const client of [0, -1, 2 ** 32, 1.5]) {
    assert.throws(
      () => new ServiceLedger(client, SLOT_PAGES),
      (e: unknown) => isLonghaulError(e, 'GUEST_CLIENT_RANGE'),
    );
  }
});

test('echoes: right, duplicate, lost, wrong, and the longest gap with its beginning', () => {
  const ledger = new EchoLedger();
  const echo = (nowNs: number): { seq: number; bytes: Uint8Array } => {
    const seq = ledger.next(nowNs);
    return { seq, bytes: ledger.payload.slice() };
  };
  const a = echo(0);
  const b = echo(1000);
  echo(2000);
  assert.is(ledger.answer(5000, a.seq, a.bytes, 0, a.bytes.length), 'right');
  assert.is(ledger.answer(9000, b.seq, b.bytes, 0, b.bytes.length), 'right');
  assert.is(ledger.answer(9500, b.seq, b.bytes, 0, b.bytes.length), 'duplicate');
  assert.is(ledger.answer(9500, a.seq, b.bytes, 0, b.bytes.length), 'wrong');
  const bent = b.bytes.slice();
  bent[40] = bent[40]! ^ 1;
  assert.is(ledger.answer(9500, b.seq, bent, 0, bent.length), 'wrong');
  assert.is(ledger.answer(9500, b.seq, b.bytes, 0, 20), 'wrong');
  const s = ledger.stats();
  assert.equal(
    [s.sent, s.answered, s.lost, s.duplicated, s.wrong, s.longestGapNs, s.longestGapStartNs],
    [3, 2, 1, 1, 3, 4000, 5000],
  );
  assert.equal([...s.rttBeforeNs], [5000, 8000]);
});

test('the 16-bit sequence of echoes wraps, their number does not', () => {
  const ledger = new EchoLedger(12);
  for (let i = 1; i <= 70_000; i++) {
    const seq = ledger.next(i);
    assert.is(seq, i & 0xffff);
    if (i % 2 === 0) assert.is(ledger.answer(i, seq, ledger.payload, 0, 12), 'right');
  }
  assert.is(ledger.stats().lost, 35_000);
});

test.run();
