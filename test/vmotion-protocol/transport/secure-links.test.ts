import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import {
  encodeGreeting,
  type KeyLimits,
  NonceMemory,
  type SecureErrorCode,
  type SiteName,
} from '../../../src/vmotion-protocol/index.js';
import {
  Chain,
  type Link,
  newRegion,
  openRecordSuite,
  type SecureLink,
  SecureLinks,
} from '../../../src/vmotion-protocol/transport/index.js';
import {
  ACCEPTS_A_TURN,
  HANDSHAKES_MAX,
  STRANGERS_MAX,
} from '../../../src/vmotion-protocol/transport/secure-links.js';
import { runSecrets } from '../../../src/vmotion-protocol/transport/secure-session.js';
import { suite } from '../../suite.js';
import { type MemoryLink, MemoryNetwork } from './memory-links.js';

const test = suite('vmotion-protocol/transport/secure-links');
const KEY = new Uint8Array(32).fill(0x42);
const crypto = openRecordSuite();
const MS = 1_000_000;

interface Pair {
  readonly network: MemoryNetwork;
  readonly a: SecureLinks;
  readonly b: SecureLinks;
  readonly refused: string[];
  readonly accepted: Link[];
  /** Lets both hosts work and the event loop turn. */
  turn(times?: number): Promise<void>;
  nowNs: number;
}

function pair(keyA: Uint8Array = KEY, keyB: Uint8Array = KEY, limits?: KeyLimits): Pair {
  const network = new MemoryNetwork();
  const refused: string[] = [];
  const host = (site: SiteName, inner: typeof network.a, runKey: Uint8Array): SecureLinks =>
    new SecureLinks(inner, {
      site,
      runKey,
      onRefused: (code: SecureErrorCode) => refused.push(`${site} ${code}`),
      ...(limits === undefined ? {} : { limits }),
    });
  const p: Pair = {
    network,
    a: host('a', network.a, keyA),
    b: host('b', network.b, keyB),
    refused,
    accepted: [],
    nowNs: 0,
    turn: async (times = 1) => {
      for (let i = 0; i < times; i++) {
        p.nowNs += MS;
        p.a.takeIn(p.nowNs);
        p.b.takeIn(p.nowNs);
        for (let link = p.b.accept(); link !== null; link = p.b.accept()) p.accepted.push(link);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
  return p;
}

function chainOf(...pieces: Uint8Array[]): Chain {
  const chain = new Chain();
  for (const piece of pieces) {
    const region = newRegion(piece.length);
    region.bytes.set(piece);
    chain.push(region, 0, piece.length);
  }
  return chain;
}

/** What can be read now, at most `max` bytes; null when the link is over. */
function read(link: Link, max = 1 << 20): Uint8Array | null {
  const region = newRegion(max);
  const chain = new Chain();
  chain.push(region, 0, max);
  const n = link.receive(chain);
  return n < 0 ? null : region.bytes.slice(0, n);
}

async function open(p: Pair): Promise<{ near: Link; far: Link }> {
  const before = p.accepted.length;
  const near = p.a.connect();
  for (let i = 0; i < 60 && p.accepted.length === before; i++) await p.turn();
  assert.is(p.accepted.length, before + 1, `a link is accepted; refused: ${p.refused}`);
  await p.turn(3);
  return { near, far: p.accepted[before]! };
}

test('bytes given before the handshake wait in the chain, and arrive whole, both ways', async () => {
  const p = pair();
  const near = p.a.connect();
  const chain = chainOf(new Uint8Array([1, 2, 3]));
  assert.ok(near.send(chain));
  assert.is(chain.bytes, 3, 'nothing leaves in clear');
  assert.ok(p.a.wantsTurn);
  for (let i = 0; i < 60 && p.accepted.length === 0; i++) await p.turn();
  const far = p.accepted[0]!;
  assert.not.ok(p.a.wantsTurn);
  assert.ok(near.send(chain));
  assert.is(chain.bytes, 0);
  assert.equal(read(far), new Uint8Array([1, 2, 3]));
  far.send(chainOf(new Uint8Array([4]), new Uint8Array([5, 6])));
  assert.equal(read(near), new Uint8Array([4, 5, 6]));
  assert.equal(p.refused, []);
});

test('a link made before the driver’s first look at its clock does not time out at once', async () => {
  const p = pair();
  p.nowNs = 3_600_000 * MS;
  await open(p);
  assert.equal(p.refused, []);
});

test('a second link joins without a handshake; when all are closed the next one begins a new session', async () => {
  const p = pair();
  const first = await open(p);
  const near = p.a.connect();
  assert.not.ok(p.a.wantsTurn, 'no TLS');
  await p.turn();
  const second = { near, far: p.accepted[1]! };
  second.near.send(chainOf(new Uint8Array([7])));
  assert.equal(read(second.far), new Uint8Array([7]));
  for (const { near: n, far: f } of [first, second]) {
    n.close();
    f.close();
  }
  p.a.connect();
  assert.ok(p.a.wantsTurn);
  assert.equal(p.refused, []);
});

test('links that join before the acceptor has ended its handshake wait for it', async () => {
  const p = pair();
  const near = [0, 1, 2, 3].map(() => p.a.connect());
  for (let i = 0; i < 60 && p.accepted.length < 4; i++) await p.turn();
  assert.equal(p.refused, []);
  assert.is(p.accepted.length, 4);
  for (const [i, link] of near.entries()) assert.ok(link.send(chainOf(new Uint8Array([i]))));
  const heard = p.accepted.map((link) => read(link)![0]!);
  assert.equal(heard.sort(), [0, 1, 2, 3]);
});

test('a joining link under a name that nobody knows is sent away, at once or when no handshake can explain it', async () => {
  const p = pair();
  const greeting = {
    kind: 2,
    from: 'a',
    session: new Uint8Array(16).fill(3),
    nonce: randomBytes(16),
  } as const;
  const knock = (): unknown =>
    p.network.connect(p.network.a).send(chainOf(encodeGreeting(crypto, greeting, new Uint8Array(32))));
  knock();
  await p.turn();
  assert.is(p.b.refusals.VMOTION_GREETING_KEY, 1);
  await open(p);
  knock();
  await p.turn();
  assert.is(p.b.refusals.VMOTION_GREETING_KEY, 2);
});

test('a link that waited for a new session joined the old one, which the peer had forgotten', async () => {
  const p = pair();
  const first = await open(p);
  const second = await open(p);
  first.far.close();
  second.far.close();
  first.near.close(); // `second.near` has not noticed yet, and keeps the old session alive here
  const links = [p.a.connect(), p.a.connect()];
  for (let i = 0; i < 60 && p.accepted.length < 4; i++) await p.turn();
  assert.equal(p.refused, []);
  assert.is(p.accepted.length, 4);
  for (const [i, link] of links.entries()) link.send(chainOf(new Uint8Array([i])));
  const heard = p.accepted.slice(2).map((link) => read(link)![0]!);
  assert.equal(heard.sort(), [0, 1]);
});

test('after thousands of links of one session a recorded greeting opened a link again, under the same nonces', () => {
  const joined = new NonceMemory('refuse', 100);
  const begun = new NonceMemory('forget', 100);
  const nonce = (i: number): Uint8Array => new Uint8Array(16).fill(i);
  for (let i = 0; i < 100; i++) assert.ok(joined.take(nonce(i)) && begun.take(nonce(i)));
  assert.not.ok(joined.take(nonce(100)), 'no more links: another session is to be begun');
  assert.not.ok(joined.take(nonce(0)), 'and the first is not forgotten');
  assert.ok(begun.take(nonce(100)), 'a session can always be begun');
});

test('more links in one turn than a host looks at: the rest waits for the next turn', async () => {
  const p = pair();
  for (let i = 0; i < 3 * ACCEPTS_A_TURN; i++)
    p.network.connect(p.network.a).send(chainOf(new Uint8Array(56)));
  await p.turn();
  assert.is(p.b.refusals.VMOTION_GREETING, ACCEPTS_A_TURN);
  await p.turn(2);
  assert.is(p.b.refusals.VMOTION_GREETING, 3 * ACCEPTS_A_TURN);
});

test('both hosts may begin at once, and each direction has a session of its own', async () => {
  const p = pair();
  const fromA = p.a.connect();
  const fromB = p.b.connect();
  const acceptedAtA: Link[] = [];
  for (let i = 0; i < 60; i++) {
    await p.turn();
    for (let link = p.a.accept(); link !== null; link = p.a.accept()) acceptedAtA.push(link);
  }
  fromA.send(chainOf(new Uint8Array([1])));
  fromB.send(chainOf(new Uint8Array([2])));
  assert.equal(read(p.accepted[0]!), new Uint8Array([1]));
  assert.equal(read(acceptedAtA[0]!), new Uint8Array([2]));
});

test('any bytes in any pieces through any buffers come out as they went in', async () => {
  const p = pair(KEY, KEY, { records: 3, bytes: 150_000 });
  const { near, far } = await open(p);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 90_000 }), { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 100, max: 300_000 }),
      fc.integer({ min: 1, max: 70_000 }),
      async (lengths, capacity, cut) => {
        p.network.capacity = capacity;
        p.network.cut = () => cut;
        const pieces = lengths.map((n) => randomBytes(n));
        const chain = chainOf(...pieces);
        const got: Uint8Array[] = [];
        const total = chain.bytes;
        for (let have = 0; have < total; ) {
          assert.ok(near.send(chain));
          const bytes = read(far, 50_000)!;
          have += bytes.length;
          got.push(bytes);
        }
        assert.is(chain.bytes, 0, 'the chain forgets what went');
        assert.ok(Buffer.concat(got).equals(Buffer.concat(pieces)));
      },
    ),
    { numRuns: 12 },
  );
});

test('the chain keeps its bytes until their record has gone whole', async () => {
  const p = pair();
  const { near, far } = await open(p);
  p.network.capacity = 1000;
  const chain = chainOf(new Uint8Array(5000).fill(3));
  near.send(chain);
  assert.is(chain.bytes, 5000, 'a part of the record is no progress');
  let got = 0;
  for (let i = 0; i < 10; i++) {
    near.send(chain);
    got += read(far)!.length;
  }
  assert.is(got, 5000);
  assert.is(chain.bytes, 0);
});

test('a byte changed on the way ends the link, before any of its record is handed on', async () => {
  const p = pair();
  const { near, far } = await open(p);
  near.send(chainOf(new Uint8Array([1])));
  assert.equal(read(far), new Uint8Array([1]));
  const from = p.network.carried;
  p.network.alter = (nth, byte) => (nth === from + 2000 ? byte ^ 0x80 : byte);
  near.send(chainOf(new Uint8Array(4000).fill(9)));
  assert.is(read(far), null);
  assert.is(read(far), null);
  assert.equal(p.refused, ['b VMOTION_RECORD_FORGED']);
  near.close();
  far.close();
  p.a.connect();
  assert.ok(p.a.wantsTurn, 'no link joins a session that was tampered with');
});

test('wrong run key: the acceptor hears no TLS at all, the opener is told why in its log, nothing is accepted', async () => {
  const p = pair(KEY, new Uint8Array(32).fill(1));
  const near = p.a.connect();
  await p.turn(20);
  assert.is(p.accepted.length, 0);
  assert.not.ok(p.b.wantsTurn);
  assert.equal(p.refused, ['b VMOTION_GREETING_KEY', 'a VMOTION_HANDSHAKE']);
  assert.is(read(near), null);
});

test('a listener without the key learns nothing: the opener refuses its handshake', async () => {
  const p = pair();
  const near = p.a.connect();
  near.send(chainOf(Buffer.from('guest memory')));
  // It answers the greeting with a TLS record of its own making.
  await p.turn(3);
  const network = new MemoryNetwork();
  const impostor = new SecureLinks(network.a, {
    site: 'a',
    runKey: KEY,
    onRefused: (code) => p.refused.push(code),
  });
  const link = impostor.connect();
  const heard: number[] = [];
  for (let i = 0; i < 10; i++) {
    impostor.takeIn(i * MS);
    const far = network.b.waiting[0] as MemoryLink;
    heard.push(...(read(far) ?? []));
    if (i === 5) far.send(chainOf(new Uint8Array([1, 0, 0, 0, 0, 0, 0, 7, 0x15, 3, 3, 0, 2, 2, 40])));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.is(read(link), null);
  assert.ok(p.refused.includes('VMOTION_HANDSHAKE'));
  assert.not.ok(Buffer.from(heard).includes('guest memory'));
});

test('a handshake reflected to its sender fails: the roles are part of the key', async () => {
  const network = new MemoryNetwork();
  const refused: string[] = [];
  const a = new SecureLinks(network.a, { site: 'a', runKey: KEY, onRefused: (code) => refused.push(code) });
  a.connect();
  a.takeIn(MS);
  const far = network.b.waiting[0] as MemoryLink;
  const greeting = read(far)!;
  const back = network.connect(network.b);
  back.send(chainOf(greeting));
  a.takeIn(2 * MS);
  a.takeIn(3 * MS);
  assert.equal(refused, ['VMOTION_GREETING_KEY']);
});

test('a greeting opens one link: repeated, it is refused, for beginning and for joining', async () => {
  const p = pair();
  const recorded: number[] = [];
  const keep = (_: number, byte: number): number => {
    recorded.push(byte);
    return byte;
  };
  p.network.alter = keep;
  await open(p);
  const begin = new Uint8Array(recorded.slice(0, 56));
  recorded.length = 0;
  await open(p);
  const join = new Uint8Array(recorded.slice(0, 56));
  assert.equal([begin[4], join[4]], [1, 2]);
  for (const greeting of [begin, join]) p.network.connect(p.network.a).send(chainOf(greeting));
  await p.turn(3);
  assert.is(p.b.refusals.VMOTION_GREETING_REPLAYED, 2);
  assert.is(p.accepted.length, 2);
});

test('garbage in place of greetings, handshakes and records: counted, closed, nothing started, nothing thrown', async () => {
  const { knockKey } = runSecrets(crypto, KEY, 'a');
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom('bare', 'greeted', 'record'),
      async (bytes, how) => {
        const p = pair();
        const link = p.network.connect(p.network.a);
        const nonce = randomBytes(16);
        const session = new Uint8Array(16);
        if (how !== 'bare')
          link.send(chainOf(encodeGreeting(crypto, { kind: 1, from: 'a', session, nonce }, knockKey)));
        if (how === 'record')
          link.send(chainOf(new Uint8Array([1, 0, 0, 0, 0, 0, bytes.length >> 8, bytes.length & 0xff])));
        if (bytes.length > 0) link.send(chainOf(bytes));
        link.close();
        await p.turn(6);
        assert.is(p.accepted.length, 0);
        assert.not.ok(p.b.wantsTurn);
        const counted = Object.values(p.b.refusals).reduce((n, c) => n + c, 0);
        assert.is(counted, 1, `${how}: ${JSON.stringify(p.b.refusals)}`);
      },
    ),
    { numRuns: 60 },
  );
});

test('who says nothing goes: after two seconds, or when too many wait; a host among them is served', async () => {
  const p = pair();
  const silent = Array.from({ length: STRANGERS_MAX }, () => p.network.connect(p.network.a));
  await p.turn(2);
  const { far } = await open(p);
  assert.ok(far);
  assert.is(p.b.refusals.VMOTION_HALF_OPEN, 1, 'the oldest made room');
  p.nowNs += 2000 * MS;
  await p.turn();
  assert.is(p.b.refusals.VMOTION_GREETING_TIMEOUT, STRANGERS_MAX - 1);
  assert.is(read(silent[5]!), null);
});

test('handshakes are few at once, and each ends in time', async () => {
  const { knockKey } = runSecrets(crypto, KEY, 'a');
  const p = pair();
  for (let i = 0; i < HANDSHAKES_MAX + 3; i++) {
    const greeting = { kind: 1, from: 'a', session: new Uint8Array(16), nonce: randomBytes(16) } as const;
    p.network.connect(p.network.a).send(chainOf(encodeGreeting(crypto, greeting, knockKey)));
  }
  await p.turn(2);
  assert.is(p.b.refusals.VMOTION_HALF_OPEN, 3);
  p.nowNs += 5001 * MS;
  await p.turn(2);
  assert.is(p.b.refusals.VMOTION_HANDSHAKE_TIMEOUT, HANDSHAKES_MAX);
  assert.not.ok(p.b.wantsTurn);
});

test('a handshake that never stops is stopped by its bytes', async () => {
  const { knockKey } = runSecrets(crypto, KEY, 'a');
  const p = pair();
  const link = p.network.connect(p.network.a);
  const greeting = { kind: 1, from: 'a', session: new Uint8Array(16), nonce: randomBytes(16) } as const;
  link.send(chainOf(encodeGreeting(crypto, greeting, knockKey)));
  link.send(chainOf(new Uint8Array([1, 0, 0, 0, 0, 0, 0x40, 1]), new Uint8Array(0x4001)));
  await p.turn(3);
  assert.is(p.b.refusals.VMOTION_HANDSHAKE_BYTES, 1);
});

test('a flood of refusals is counted, and told at the 1st, 2nd, 4th, 8th', async () => {
  const p = pair();
  for (let i = 0; i < 20; i++) {
    p.network.connect(p.network.a).send(chainOf(new Uint8Array(56)));
    await p.turn();
  }
  assert.is(p.b.refusals.VMOTION_GREETING, 20);
  assert.is(p.refused.length, 5);
});

test('what came before the peer went is still read; a reset must not eat a NACK', async () => {
  const p = pair();
  const { near, far } = await open(p);
  far.send(chainOf(Buffer.from('nack')));
  far.close();
  near.send(chainOf(new Uint8Array(10)));
  assert.equal(Buffer.from(read(near)!).toString(), 'nack');
  assert.is(read(near), null);
});

test('datagrams of a link have keys of their own, each connection once', async () => {
  const p = pair();
  const { near, far } = (await open(p)) as { near: SecureLink; far: SecureLink };
  const mine = near.datagramRecords(1);
  const theirs = far.datagramRecords(1);
  const other = far.datagramRecords(2);
  const buffer = newRegion(256);
  const n = mine.sealer.seal(buffer, 0, 16, 20, 0);
  const copy = newRegion(256);
  copy.bytes.set(buffer.bytes.subarray(0, 256));
  assert.is(other.opener.open(copy, 0, 16, n, 0, 0), -1);
  assert.is(theirs.opener.open(buffer, 0, 16, n, 0, 0), 20);
  assert.throws(() => near.datagramRecords(1), /connection 1 of this link has keys/);
});

test('without libcrypto the same records by node:crypto', async () => {
  const network = new MemoryNetwork();
  const onRefused = (): void => {};
  const a = new SecureLinks(network.a, { site: 'a', runKey: KEY, onRefused });
  const b = new SecureLinks(network.b, {
    site: 'b',
    runKey: KEY,
    onRefused,
    suite: openRecordSuite('node:crypto'),
  });
  const near = a.connect();
  let far: Link | null = null;
  for (let i = 1; i < 60 && far === null; i++) {
    a.takeIn(i * MS);
    b.takeIn(i * MS);
    far = b.accept();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const chain = chainOf(new Uint8Array(100_000).fill(8));
  let got = 0;
  while (got < 100_000) {
    near.send(chain);
    got += read(far!)!.length;
  }
  assert.is(chain.bytes, 0);
});

test.run();
