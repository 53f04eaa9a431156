import * as assert from 'uvu/assert';
import { bytesOf, frameOf } from '../../src/core/index.js';
import { accountingCloses } from '../../src/fiber/index.js';
import {
  ARP_REPLY,
  ARP_REQUEST,
  arpFrame,
  BROADCAST_MAC,
  decodeArp,
  decodeIpv4,
  decodeUdp,
  retagged,
  tagsOf,
  tciOf,
  udpFrame,
} from '../../src/l2/index.js';
import { suite } from '../suite.js';
import { SitePair } from './site-pair.js';

const test = suite('fabric/engine');

const [A, B] = [0x020000000001, 0x020000000002];
const [IP_A, IP_B] = [0x0a000001, 0x0a000002];
const UNLIMITED = { oneWayNs: 200_000, rateBps: Number.POSITIVE_INFINITY } as const;

const fromA = (text = 'hello', ipId = 1): Uint8Array =>
  udpFrame({ srcMac: A, dstMac: B, srcIp: IP_A, dstIp: IP_B, ipId }, 1000, 2000, Buffer.from(text));
const helloFromB = (): Uint8Array =>
  arpFrame(BROADCAST_MAC, B, {
    operation: ARP_REQUEST,
    senderMac: B,
    senderIp: IP_B,
    targetMac: 0,
    targetIp: IP_B,
  });

/** Runs a body on two sites and closes them. */
function withSites(sites: SitePair, body: (sites: SitePair) => void): void {
  try {
    body(sites);
    const { fiber } = sites.snapshot();
    assert.ok(accountingCloses(fiber.aToB), 'a-b closes');
    assert.ok(accountingCloses(fiber.bToA), 'b-a closes');
  } finally {
    sites.close();
  }
}

test('a frame crosses the fiber unchanged and is never early', () => {
  withSites(new SitePair(UNLIMITED), (sites) => {
    const [a, b] = [sites.station('a', 'a'), sites.station('b', 'b')];
    a.send(fromA());
    const { lateness, writes } = sites.settle(1);
    assert.equal(b.received(), [new Uint8Array(fromA())]);
    assert.is(lateness.count, 1);
    assert.ok(lateness.maxNs >= 0);
    assert.is(writes.count, 1);
  });
});

test('a duplicated packet arrives twice, and its memory comes back', () => {
  withSites(new SitePair({ ...UNLIMITED, duplicateProb: 1 }), (sites) => {
    const [a, b] = [sites.station('a', 'a'), sites.station('b', 'b')];
    for (let i = 0; i < 60; i++) {
      a.send(fromA(`frame ${i}`));
      sites.settle(i + 1);
    }
    assert.is(b.received().length, 120);
    // One slab of small slots serves all of them, one after another.
    assert.ok(sites.snapshot().poolBytes < 40e6);
  });
});

test('a corrupted UDP packet arrives with a checksum that gives it away', () => {
  withSites(new SitePair({ ...UNLIMITED, corruptProb: 1 }), (sites) => {
    const [a, b] = [sites.station('a', 'a'), sites.station('b', 'b')];
    for (let i = 0; i < 100; i++) a.send(fromA(`frame ${i}`, i));
    const { damaged, refusedByFcs, fiber } = sites.settle(100);
    assert.is(damaged, 100);
    assert.is(refusedByFcs, 0);
    assert.is(fiber.aToB.corrupted.packets, 100);
    const frames = b.received();
    assert.is(frames.length, 100);
    for (const f of frames) {
      const ip = decodeIpv4(f, 14, f.length);
      const ok =
        ip.ok && decodeUdp(f, ip.value.payloadAt, ip.value.payloadEnd, ip.value.src, ip.value.dst).ok;
      assert.not.ok(ok, Buffer.from(f).toString('hex'));
    }
  });
});

test('a corrupted ARP packet is dropped as its FCS would have it', () => {
  withSites(new SitePair({ ...UNLIMITED, corruptProb: 1 }), (sites) => {
    const [a, b] = [sites.station('a', 'a'), sites.station('b', 'b')];
    b.send(helloFromB());
    const { damaged, refusedByFcs } = sites.settle(1);
    assert.is(damaged, 0);
    assert.is(refusedByFcs, 1);
    assert.equal(a.received(), []);
  });
});

test('a VLAN crosses the stretch tagged and reaches its access ports untagged', () => {
  const trunk = { vlan: { mode: 'trunk' } } as const;
  const access = (vid: number) => ({ options: { vlan: { mode: 'access', vid } } }) as const;
  withSites(new SitePair(UNLIMITED, { bridge: { vlanAware: true } }), (sites) => {
    const a10 = sites.station('a10', 'a', access(10));
    const b10 = sites.station('b10', 'b', access(10));
    const b20 = sites.station('b20', 'b', access(20));
    const bTrunk = sites.station('b-trunk', 'b', { options: trunk });
    a10.send(fromA());
    sites.settle(1);
    assert.equal(b10.received(), [new Uint8Array(fromA())]);
    assert.equal(b20.received(), []);
    const [tagged] = bTrunk.received();
    assert.equal(
      tagsOf(tagged!, 0, tagged!.length).map((t) => t.vid),
      [10],
    );
    // And back: what the trunk sends into VLAN 20 reaches only that.
    bTrunk.send(bytesOf(retagged(frameOf(helloFromB()), tciOf(20))));
    sites.settle(2);
    assert.is(b20.received().length, 1);
    assert.equal(b10.received(), []);
    assert.equal(a10.received(), []);
  });
});

test('a request for an address across the stretch is answered where it was asked', () => {
  const bridge = { stretch: { suppressNeighbours: true } };
  withSites(new SitePair(UNLIMITED, { bridge }), (sites) => {
    const [a, b] = [sites.station('a', 'a'), sites.station('b', 'b')];
    b.send(helloFromB()); // both bridges hear who has 10.0.0.2
    sites.settle(1);
    a.received();
    const offered = sites.snapshot().fiber.aToB.offered.frames;
    a.send(
      arpFrame(BROADCAST_MAC, A, {
        operation: ARP_REQUEST,
        senderMac: A,
        senderIp: IP_A,
        targetMac: 0,
        targetIp: IP_B,
      }),
    );
    const after = sites.settle(2);
    const [answer] = a.received();
    const arp = decodeArp(answer!, 14, answer!.length);
    assert.ok(arp.ok);
    assert.is(arp.value.operation, ARP_REPLY);
    assert.is(arp.value.senderMac, B);
    assert.is(after.fiber.aToB.offered.frames, offered, 'nothing crossed');
    assert.equal(b.received(), []);
  });
});

test('a storm is cut at the port, and counted', () => {
  withSites(new SitePair(UNLIMITED), (sites) => {
    const storm = { broadcast: { ratePps: 1, burstPackets: 5 } };
    const [a, b] = [sites.station('a', 'a', { options: { storm } }), sites.station('b', 'b')];
    for (let i = 0; i < 50; i++) a.send(arpFrame(BROADCAST_MAC, A, request(i)));
    const { bridges } = sites.settle(50);
    const arrived = b.received().length;
    assert.ok(arrived >= 5 && arrived < 10, `${arrived} arrived`);
    assert.is(bridges.a.drops['storm-broadcast'], 50 - arrived);
  });
});

test('an oversize frame is dropped at the port with the MTU, and nobody is told', () => {
  withSites(new SitePair(UNLIMITED), (sites) => {
    const [a, b] = [sites.station('a', 'a'), sites.station('b', 'b', { options: { mtuBytes: 600 } })];
    b.send(helloFromB());
    sites.settle(1);
    a.received();
    a.send(fromA('x'.repeat(800)));
    const { bridges } = sites.settle(2);
    assert.is(bridges.b.drops.oversize, 1);
    assert.equal(b.received(), []);
    assert.equal(a.received(), []);
  });
});

test('the time line takes the link down, and what is sent then is lost and counted', () => {
  const set = { link: 'down' } as const;
  const timeline = [{ entries: [{ atNs: 0, direction: 'a-b' as const, set }], repeatNs: null }];
  withSites(new SitePair(UNLIMITED, { timeline }), (sites) => {
    const [a, b] = [sites.station('a', 'a'), sites.station('b', 'b')];
    a.send(fromA());
    const { fiber } = sites.settle(1);
    assert.is(fiber.aToB.dropped['link-down'].frames, 1);
    assert.equal(b.received(), []);
    b.send(helloFromB());
    sites.settle(2);
    assert.is(a.received().length, 1, 'the other way is up');
  });
});

test('an address at two ports too often is frozen, and the operator is told', () => {
  const bridge = { duplicateMac: { moves: 3, windowNs: 60e9 } };
  withSites(new SitePair(UNLIMITED, { bridge }), (sites) => {
    const [one, two] = [sites.station('one', 'a'), sites.station('two', 'a')];
    for (let i = 0; i < 4; i++) {
      one.send(fromA('one', 2 * i));
      sites.settle(2 * i + 1);
      two.send(fromA('two', 2 * i + 1));
      sites.settle(2 * i + 2);
    }
    const told = sites.unasked.filter((r) => r.type === 'mac-duplicate');
    assert.is(told.length, 1);
    assert.is(told[0]!.found.site, 'a');
    assert.is(told[0]!.found.mac, '02:00:00:00:00:01');
    assert.ok(sites.snapshot().bridges.a.drops['mac-duplicate'] > 0);
  });
});

test('bad port options are refused and leave no port behind', () => {
  withSites(new SitePair(UNLIMITED), (sites) => {
    assert.throws(() => sites.station('bad', 'a', { options: { mtuBytes: 1 } }), /L2_PORT_OPTIONS/);
    assert.is(sites.snapshot().ports.length, 0);
  });
});

function request(targetIp: number) {
  return { operation: ARP_REQUEST, senderMac: A, senderIp: IP_A, targetMac: 0, targetIp };
}

test.run();
