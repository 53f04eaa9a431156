import { randomBytes } from 'node:crypto';
import * as assert from 'uvu/assert';
import { closeFd, connectTcp, nowNs, PollSet, sendBytes } from '../../../src/sys/index.js';
import {
  Chain,
  type Link,
  newRegion,
  SecureLinks,
  TcpLinks,
} from '../../../src/vmotion-protocol/transport/index.js';
import { suite } from '../../suite.js';

const test = suite('vmotion-protocol/transport/secure-tcp');

/** Addresses of this process’s own in 127.0.0.0/8, so that two runs of this test do not meet. */
const IP = 0x7f000000 + ((process.pid & 0x3fff) << 8) + 0x400000;
const PORT = 18_000;

test('kernel TCP: a session, 16 links that join it, and megabytes through each, whole', async () => {
  const polls = new PollSet(64);
  const runKey = new Uint8Array(32).fill(5);
  const refused: string[] = [];
  const host = (site: 'a' | 'b', local: number, peer: number): SecureLinks =>
    new SecureLinks(new TcpLinks(polls, { ip: local, port: PORT }, { ip: peer, port: PORT }), {
      site,
      runKey,
      onRefused: (code, text) => refused.push(`${site} ${code} ${text}`),
    });
  const a = host('a', IP + 1, IP + 2);
  const b = host('b', IP + 2, IP + 1);
  const far: Link[] = [];
  /** What an endpoint's loop does, for both hosts in one thread. */
  const turn = async (): Promise<void> => {
    const wakeNs = Math.min(a.nextWakeNs(), b.nextWakeNs(), nowNs() + 50_000_000);
    polls.wait(Math.max(0, wakeNs - nowNs()));
    a.takeIn(nowNs());
    b.takeIn(nowNs());
    for (let link = b.accept(); link !== null; link = b.accept()) far.push(link);
    if (a.wantsTurn || b.wantsTurn) await new Promise((resolve) => setImmediate(resolve));
  };
  const near = Array.from({ length: 17 }, () => a.connect());
  for (let i = 0; i < 2000 && far.length < 17; i++) await turn();
  assert.equal(refused, []);
  assert.is(far.length, 17);

  const bytes = newRegion(3 << 20);
  randomBytes(3 << 20).copy(bytes.bytes);
  // Which far end is whose: each near end names itself first.
  const chains = near.map((_, i) => {
    const name = newRegion(1);
    name.bytes[0] = i;
    const chain = new Chain();
    chain.push(name, 0, 1);
    chain.push(bytes, 0, 3 << 20);
    return chain;
  });
  const got = far.map(() => ({ region: newRegion((3 << 20) + 1), chain: new Chain() }));
  for (const g of got) g.chain.push(g.region, 0, (3 << 20) + 1);
  for (let left = far.length; left > 0; ) {
    near.forEach((link, i) => {
      assert.ok(link.send(chains[i]!));
      a.wantWrite(link, chains[i]!.bytes > 0);
    });
    left = 0;
    far.forEach((link, i) => {
      assert.ok(got[i]!.chain.bytes === 0 || link.receive(got[i]!.chain) >= 0);
      if (got[i]!.chain.bytes > 0) left++;
    });
    if (left > 0) await turn();
  }
  const names = got.map(({ region }) => region.bytes[0]!).sort((x, y) => x - y);
  assert.equal(
    names,
    Array.from({ length: 17 }, (_, i) => i),
  );
  for (const { region } of got)
    assert.ok(
      Buffer.from(region.bytes.buffer, 1, 3 << 20).equals(Buffer.from(bytes.bytes.buffer, 0, 3 << 20)),
    );
  for (const link of [...near, ...far]) link.close();
  for (let i = 0; i < 5; i++) await turn();
  a.close();
  b.close();
  assert.equal(refused, []);
});

test('connections of a third party filled the poll set, and the host that listened ended', async () => {
  const polls = new PollSet(64);
  const [local, peer] = [IP + 3, IP + 4];
  const told: string[] = [];
  const host = new SecureLinks(new TcpLinks(polls, { ip: local, port: PORT }, { ip: peer, port: PORT }), {
    site: 'b',
    runKey: new Uint8Array(32).fill(5),
    onRefused: (code) => told.push(code),
  });
  const turn = (): void => {
    polls.wait(1_000_000);
    host.takeIn(nowNs());
  };
  // Some say nothing, some say nonsense, some go at once; few are closed by the one who opened them.
  const theirs: number[] = [];
  const nonsense = newRegion(64);
  for (let i = 0; i < 300; i++) {
    const fd = connectTcp({ ip: local, port: PORT });
    for (let tries = 0; i % 3 === 1 && sendBytes(fd, nonsense.address, 64) < 0 && tries < 100; tries++)
      turn();
    if (i % 3 === 2) closeFd(fd);
    else theirs.push(fd);
    if (i % 7 === 0) turn();
  }
  for (let i = 0; i < 50; i++) turn();
  const { VMOTION_GREETING, VMOTION_HALF_OPEN } = host.refusals;
  assert.ok(VMOTION_GREETING >= 100 && VMOTION_HALF_OPEN >= 30, JSON.stringify(host.refusals));
  assert.ok(told.length < 40, 'a flood fills no log');
  assert.is(host.accept(), null);
  for (const fd of theirs) closeFd(fd);
  host.close();
});

test.run();
