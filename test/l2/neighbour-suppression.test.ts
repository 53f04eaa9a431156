import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { CSUM_VALID, type Frame, frameOf, NO_OFFLOAD, NS_PER_S } from '../../src/core/index.js';
import {
  type ArpPacket,
  arpFrame,
  BROADCAST_MAC,
  type BridgeOptions,
  decodeNeighbour,
  describeFrame,
  gratuitousArpReply,
  gratuitousArpRequest,
  linkLocalFromMac,
  neighbourSolicitation,
  parseIpv4,
  rarpAnnouncement,
  retagged,
  solicitedAdvertisement,
  tagsOf,
  tciOf,
  unsolicitedAdvertisement,
} from '../../src/l2/index.js';
import { NeighbourSuppression } from '../../src/l2/neighbour-suppression.js';
import { suite } from '../suite.js';
import { hex } from './oracle.js';
import { frameBytes, Site } from './site.js';

const test = suite('l2/neighbour-suppression');

const HERE = 0x525400000001;
const NEAR = 0x525400000002;
const FAR = 0x525400000003;
const ip = (last: number): number => parseIpv4(`10.0.0.${last}`);

function site(options: BridgeOptions = {}): Site {
  return new Site(
    { ...options, stretch: { suppressNeighbours: true, ...options.stretch } },
    { stretch: { role: 'stretch' }, here: {}, near: {} },
  );
}

function arp(operation: number, senderMac: number, senderIp: number, targetIp: number, dst = BROADCAST_MAC) {
  const packet: ArpPacket = { operation, senderMac, senderIp, targetMac: 0, targetIp };
  return arpFrame(dst, senderMac, packet);
}
const request = (senderMac: number, senderIp: number, targetIp: number): Uint8Array =>
  arp(1, senderMac, senderIp, targetIp);

test('what was heard across the stretch is answered here, golden', () => {
  const s = site();
  s.give(0, 'stretch', request(FAR, ip(3), ip(1)));
  const outcome = s.sent(1, 'here', request(HERE, ip(1), ip(3)));
  assert.ok(typeof outcome !== 'string');
  assert.equal(
    outcome.map((o) => [o.port, o.reply]),
    [
      ['near', false],
      ['here', true],
    ],
  );
  assert.equal(
    outcome[1]!.bytes,
    hex(`
      52 54 00 00 00 01  52 54 00 00 00 03  08 06    # to the asker, as if from the host itself
      00 01 08 00 06 04  00 02                       # reply
      52 54 00 00 00 03  0a 00 00 03                 # the address asked for is at this MAC
      52 54 00 00 00 01  0a 00 00 01                 # the asker
      00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
    `),
  );
  const c = s.bridge.counters();
  assert.equal([c.suppressed, c.flooded, c.framesOut], [1, 1, 4]);
  assert.equal([c.ports[1]!.suppressed, c.ports[1]!.framesOut, c.ports[1]!.bytesOut], [1, 2, 120]);
  assert.is(c.ports[0]!.framesOut, 0, 'the question did not cross');
});

test('a reply teaches as a request does, on its way as unicast', () => {
  const s = site();
  assert.is(s.give(0, 'here', request(HERE, ip(1), ip(3))), 'stretch near', 'not known yet');
  assert.is(s.give(1, 'stretch', arp(2, FAR, ip(3), ip(1), HERE)), 'here');
  assert.is(s.give(2, 'near', request(NEAR, ip(2), ip(3))), 'here near!');
});

test('never for a host on the asker’s own side, and never for one the MAC table does not place', () => {
  const s = site({ agingNs: 10 * NS_PER_S });
  s.give(0, 'near', request(NEAR, ip(2), ip(9)));
  assert.is(s.give(1, 'here', request(HERE, ip(1), ip(2))), 'stretch near');
  s.give(2, 'stretch', request(FAR, ip(3), ip(9)));
  assert.is(
    s.give(12 * NS_PER_S, 'here', request(HERE, ip(1), ip(3))),
    'stretch near',
    'its MAC has aged out',
  );
});

test('a question that has crossed is not answered on behalf of a local host, nor of one behind the asker', () => {
  const s = site();
  s.give(0, 'near', request(NEAR, ip(2), ip(9)));
  assert.is(s.give(1, 'stretch', request(FAR, ip(3), ip(2))), 'here near');
  s.give(2, 'stretch', request(0x525400000004, ip(4), ip(9)));
  assert.is(s.give(3, 'stretch', request(FAR, ip(3), ip(4))), 'here near');
});

test('probes, announcements and questions to one host always pass', () => {
  const s = site();
  s.give(0, 'stretch', request(FAR, ip(3), ip(9)));
  assert.is(s.give(1, 'here', request(HERE, 0, ip(3))), 'stretch near', 'is this address free?');
  assert.is(s.give(2, 'here', gratuitousArpRequest(FAR, ip(3))), 'stretch near', 'it moved here');
  s.give(3, 'stretch', gratuitousArpRequest(FAR, ip(3)));
  assert.is(s.give(4, 'here', arp(1, HERE, ip(1), ip(3), FAR)), 'stretch', 'are you still there?');
  assert.is(s.give(5, 'here', arp(3, HERE, ip(1), ip(3))), 'stretch near', 'not a question of ARP');
  assert.is(s.bridge.counters().suppressed, 0);
});

test('a guest that moved is answered for at its new place from its announcement on', () => {
  const s = site();
  s.give(0, 'stretch', request(FAR, ip(3), ip(9)));
  assert.is(s.give(1, 'here', request(HERE, ip(1), ip(3))), 'near here!');
  s.give(2, 'near', rarpAnnouncement(FAR)); // the MAC is here now; RARP names no address
  assert.is(s.give(3, 'here', request(HERE, ip(1), ip(3))), 'stretch near', 'it can answer itself');
  s.give(4, 'stretch', rarpAnnouncement(FAR));
  assert.is(s.give(5, 'here', request(HERE, ip(1), ip(3))), 'near here!', 'and back');
});

test('an address that changed its MAC is answered with the new one, from either kind of announcement', () => {
  for (const announce of [gratuitousArpRequest, gratuitousArpReply]) {
    const s = site();
    s.give(0, 'stretch', request(FAR, ip(3), ip(9)));
    s.give(1, 'stretch', announce(0x525400000033, ip(3)));
    const outcome = s.sent(2, 'here', request(HERE, ip(1), ip(3)));
    assert.ok(typeof outcome !== 'string');
    assert.match(describeFrame(outcome[1]!.bytes), /10\.0\.0\.3 is-at 52:54:00:00:00:33/);
    assert.is(s.bridge.counters().neighbours!.changed, 1);
  }
});

test('who speaks for another is not believed, and throws doubt on what was', () => {
  const s = site();
  s.give(0, 'stretch', request(FAR, ip(3), ip(9)));
  const forged = request(FAR, ip(3), ip(9));
  forged[11] = 0x77; // the frame comes from another MAC than the packet says
  s.give(1, 'stretch', forged);
  assert.is(s.give(2, 'here', request(HERE, ip(1), ip(3))), 'stretch near');
  assert.is(s.bridge.counters().neighbours!.withdrawn, 1);
});

test('entries age, and an answer is as old as what was heard, not as the last answer', () => {
  const s = site({ stretch: { suppressNeighbours: { agingNs: 100 } } });
  s.give(0, 'stretch', request(FAR, ip(3), ip(9)));
  assert.is(s.give(100, 'here', request(HERE, ip(1), ip(3))), 'near here!');
  assert.is(s.give(101, 'here', request(HERE, ip(1), ip(3))), 'stretch near');
  assert.is(s.bridge.counters().neighbours!.aged, 1);
});

test('a full table forgets what was heard longest ago', () => {
  const s = site({ stretch: { suppressNeighbours: { capacity: 3 } } });
  for (const [atNs, last] of [3, 4, 5, 3].entries()) s.give(atNs, 'stretch', request(FAR, ip(last), ip(9)));
  assert.is(s.give(4, 'here', request(HERE, ip(1), ip(3))), 'near here!', 'renewed');
  assert.is(s.give(5, 'here', request(HERE, ip(1), ip(4))), 'stretch near', 'made way for the asker');
  const { size, learned, evicted } = s.bridge.counters().neighbours!;
  assert.equal([size, learned, evicted], [3, 4, 1]);
});

test('a flood of addresses is bounded', () => {
  const table = new NeighbourSuppression({ capacity: 10, agingNs: 100 });
  for (let n = 0; n < 1000; n++) table.hear(n, 0, frameOf(request(FAR, ip(0) + n, ip(9))), false);
  table.hear(2000, 0, frameOf(request(FAR, ip(7), ip(9))), false);
  assert.equal(table.counters(), {
    size: 10,
    learned: 1001,
    changed: 0,
    aged: 1,
    evicted: 990,
    withdrawn: 0,
  });
});

test('the table itself has no answer for an announcement, nor takes a MAC of zeros', () => {
  const table = new NeighbourSuppression();
  table.hear(0, 0, frameOf(request(FAR, ip(3), ip(9))), false);
  assert.is(table.hear(0, 0, frameOf(gratuitousArpRequest(FAR, ip(3))), false), null);
  assert.is(table.hear(0, 0, frameOf(arp(2, HERE, ip(1), ip(3))), false), null, 'nor for a reply');
  assert.is(table.hear(0, 0, frameOf(request(HERE, ip(1), ip(3))), false)?.mac, FAR);
  table.hear(0, 0, frameOf(request(0, ip(5), ip(9))), false);
  assert.is(table.hear(0, 0, frameOf(request(HERE, ip(1), ip(5))), false), null);
});

test('a VLAN is a neighbourhood of its own, and the answer wears the asker’s tag', () => {
  const trunk = { vlan: { mode: 'trunk' } } as const;
  const s = new Site(
    { vlanAware: true, stretch: { suppressNeighbours: true } },
    {
      stretch: { role: 'stretch' },
      here: { options: { vlan: { mode: 'access', vid: 10 } } },
      near: { options: trunk },
    },
  );
  const tagged = (b: Uint8Array, tci: number): Uint8Array => retagged(frameOf(b), tci).data;
  s.give(0, 'stretch', tagged(request(FAR, ip(3), ip(9)), tciOf(10)));
  const access = s.sent(1, 'here', request(HERE, ip(1), ip(3)));
  assert.ok(typeof access !== 'string' && access[1]!.reply);
  assert.equal(tagsOf(access[1]!.bytes, 0, 60), []);
  const viaTrunk = s.sent(2, 'near', tagged(request(NEAR, ip(2), ip(3)), tciOf(10, 4)));
  assert.ok(typeof viaTrunk !== 'string' && viaTrunk[1]!.reply);
  assert.equal(
    tagsOf(viaTrunk[1]!.bytes, 0, 64).map((t) => [t.vid, t.pcp]),
    [[10, 4]],
  );
  assert.is(s.give(3, 'near', tagged(request(NEAR, ip(2), ip(3)), tciOf(20))), 'stretch', 'another VLAN');
});

test('without VLANs what is behind a tag is not looked at', () => {
  const s = site();
  s.give(0, 'stretch', retagged(frameOf(request(FAR, ip(3), ip(9))), 10).data);
  assert.is(s.bridge.counters().neighbours!.learned, 0);
  assert.is(s.give(1, 'here', request(HERE, ip(1), ip(3))), 'stretch near');
});

test('an isolated asker gets no answer for a host it could not reach', () => {
  const isolated = { isolated: true };
  const s = new Site(
    { stretch: { suppressNeighbours: true, port: isolated } },
    { stretch: { role: 'stretch' }, here: { options: isolated }, near: {} },
  );
  s.give(0, 'stretch', request(FAR, ip(3), ip(9)));
  assert.is(s.give(1, 'here', request(HERE, ip(1), ip(3))), 'near');
});

test('off by default', () => {
  const s = new Site({}, { stretch: { role: 'stretch' }, here: {} });
  s.give(0, 'stretch', request(FAR, ip(3), ip(9)));
  assert.is(s.give(1, 'here', request(HERE, ip(1), ip(3))), 'stretch');
  assert.is(s.bridge.counters().neighbours, null);
});

const v6 = linkLocalFromMac;
const ask = (mac: number, target: number): Uint8Array => neighbourSolicitation(mac, v6(mac), v6(target));

test('neighbour discovery: an advertisement teaches, a solicitation is answered, router or not', () => {
  for (const isRouter of [true, false]) {
    const s = site();
    s.give(0, 'here', frameBytes(HERE, BROADCAST_MAC));
    s.give(0, 'stretch', solicitedAdvertisement(FAR, v6(FAR), isRouter, HERE, v6(HERE)));
    const outcome = s.sent(1, 'here', ask(HERE, FAR));
    assert.ok(typeof outcome !== 'string');
    assert.equal(
      outcome.map((o) => [o.port, o.reply]),
      [
        ['near', false],
        ['here', true],
      ],
    );
    assert.equal(outcome[1]!.bytes, solicitedAdvertisement(FAR, v6(FAR), isRouter, HERE, v6(HERE)));
    const nd = decodeNeighbour(outcome[1]!.bytes, 14, outcome[1]!.bytes.length);
    assert.ok(nd.ok && nd.value.kind === 'advertisement' && nd.value.isRouter === isRouter);
  }
});

test('a solicitation teaches no new entry, since it does not say whether its sender is a router', () => {
  const s = site();
  s.give(0, 'stretch', ask(FAR, NEAR));
  assert.is(s.give(1, 'here', ask(HERE, FAR)), 'stretch near');
});

test('duplicate address detection passes', () => {
  const s = site();
  s.give(0, 'stretch', unsolicitedAdvertisement(FAR, v6(FAR)));
  assert.is(s.give(1, 'here', ask(HERE, FAR)), 'near here!');
  const probe = hex(`
    33 33 ff 00 00 03  52 54 00 00 00 01  86 dd
    60 00 00 00  00 18  3a  ff
    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00     # from nobody yet
    ff 02 00 00 00 00 00 00 00 00 00 01 ff 00 00 03
    87 00  2c cd  00 00 00 00
    fe 80 00 00 00 00 00 00 50 54 00 ff fe 00 00 03
  `);
  assert.ok(decodeNeighbour(probe, 14, probe.length).ok);
  assert.is(s.give(2, 'here', probe), 'stretch near');
});

/** The advertisement with other flags, its checksum left to the receiver's trust. */
function flagged(flags: number, mac: number, target: number): Frame {
  const b = unsolicitedAdvertisement(mac, v6(target));
  b[58] = flags;
  return { ...frameOf(b), offload: { ...NO_OFFLOAD, flags: CSUM_VALID } };
}

test('an advertisement that does not override teaches nothing, and throws doubt on another MAC', () => {
  const s = site();
  s.give(0, 'stretch', flagged(0x00, FAR, FAR));
  assert.is(s.give(1, 'here', ask(HERE, FAR)), 'stretch near', 'anycast, perhaps');
  s.give(2, 'stretch', unsolicitedAdvertisement(FAR, v6(FAR)));
  s.give(3, 'stretch', flagged(0x00, FAR, FAR));
  assert.is(s.give(4, 'here', ask(HERE, FAR)), 'near here!', 'the same MAC is no doubt');
  s.give(5, 'stretch', flagged(0x00, 0x525400000044, FAR));
  assert.is(s.give(6, 'here', ask(HERE, FAR)), 'stretch near');
});

test('a solicitation from another MAC than known withdraws what was known of its sender', () => {
  const s = site();
  s.give(0, 'stretch', unsolicitedAdvertisement(FAR, v6(FAR)));
  s.give(1, 'stretch', neighbourSolicitation(0x525400000044, v6(FAR), v6(NEAR)));
  assert.is(s.give(2, 'here', ask(HERE, FAR)), 'stretch near');
});

test('a message with a wrong checksum teaches nothing', () => {
  const s = site();
  const b = unsolicitedAdvertisement(FAR, v6(FAR));
  b[57]! ^= 1;
  s.give(0, 'stretch', b);
  assert.is(s.bridge.counters().neighbours!.learned, 0);
});

test('whatever is heard: never an answer that no announcement backs, and the table’s sums close', () => {
  const macs = [HERE, NEAR, FAR, 0x525400000004];
  const anyStep = fc.record({
    port: fc.constantFrom('stretch', 'here', 'near'),
    mac: fc.constantFrom(...macs),
    sender: fc.integer({ min: 1, max: 4 }),
    target: fc.integer({ min: 1, max: 4 }),
    kind: fc.constantFrom('request', 'request', 'reply', 'rarp', 'garp'),
    gapNs: fc.nat(50),
  });
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 80 }), (steps) => {
      const s = site({ stretch: { suppressNeighbours: { agingNs: 300, capacity: 3 } } });
      const said = new Map<number, { mac: number; atNs: number }>();
      const where = new Map<number, string>();
      let now = 0;
      for (const { port, mac, sender, target, kind, gapNs } of steps) {
        now += gapNs;
        const frames = {
          request: request(mac, ip(sender), ip(target)),
          reply: arp(2, mac, ip(sender), ip(target)),
          rarp: rarpAnnouncement(mac),
          garp: gratuitousArpRequest(mac, ip(sender)),
        };
        const outcome = s.sent(now, port, frames[kind]);
        where.set(mac, port);
        if (kind !== 'rarp') said.set(sender, { mac, atNs: now });
        assert.ok(typeof outcome !== 'string');
        for (const { bytes } of outcome.filter((o) => o.reply)) {
          const owner = said.get(target)!;
          assert.is(kind, 'request');
          assert.is(where.get(owner.mac), 'stretch');
          assert.is.not(port, 'stretch');
          assert.ok(now - owner.atNs <= 300 && sender !== target);
          assert.equal(
            bytes,
            arpFrame(mac, owner.mac, {
              operation: 2,
              senderMac: owner.mac,
              senderIp: ip(target),
              targetMac: mac,
              targetIp: ip(sender),
            }),
          );
        }
        const n = s.bridge.counters().neighbours!;
        assert.is(n.size, n.learned - n.aged - n.evicted - n.withdrawn);
      }
    }),
    { numRuns: 200 },
  );
});

test.run();
