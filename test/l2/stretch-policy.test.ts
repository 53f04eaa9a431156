import * as assert from 'uvu/assert';
import { bytesOf, type Frame, frameOf, GSO_TCPV4 } from '../../src/core/index.js';
import {
  arpFrame,
  BROADCAST_MAC,
  type BridgeOptions,
  DROP_HINTS,
  type PortOptions,
  parseIpv4,
  retagged,
  type StretchOptions,
  udpFrame,
  writeEthernet,
} from '../../src/l2/index.js';
import { suite } from '../suite.js';
import { hex } from './oracle.js';
import { frameBytes, Site } from './site.js';

const test = suite('l2/stretch-policy');

const A = 0x525400000001;
const B = 0x525400000002;
const C = 0x525400000003;
const STP = 0x0180c2000000;
const PVST = 0x01000ccccccd;
const PAUSE = 0x0180c2000001;

function site(stretch: StretchOptions = {}, rest: BridgeOptions = {}): Site {
  return new Site({ ...rest, stretch }, { stretch: { role: 'stretch' }, p1: {}, p2: {} });
}

test('an unknown destination is flooded over the stretch by default', () => {
  assert.is(site().give(0, 'p1', frameBytes(A, B)), 'stretch p2');
});

test('dropped toward the stretch, an unknown destination still reaches the local ports, and is counted', () => {
  const s = site({ unknownUnicast: 'drop' });
  assert.is(s.give(0, 'p1', frameBytes(A, B)), 'p2');
  assert.is(s.give(0, 'stretch', frameBytes(A, B)), 'p1 p2', 'what has crossed is delivered');
  assert.is(s.give(0, 'p1', frameBytes(A, BROADCAST_MAC)), 'stretch p2', 'broadcast crosses');
  assert.is(s.give(0, 'p1', frameBytes(A, 0x01005e000001)), 'stretch p2', 'multicast crosses');
  const { ports, withheld, flooded } = s.bridge.counters();
  assert.is(ports[0]!.withheld['stretch-unknown-unicast'], 1);
  assert.is(withheld['stretch-unknown-unicast'], 1);
  assert.is(flooded, 4);
  s.give(0, 'stretch', frameBytes(B, BROADCAST_MAC));
  assert.is(s.give(0, 'p1', frameBytes(A, B)), 'stretch', 'known across it: forwarded');
});

test('with nobody else to flood to, the frame itself is dropped for that reason', () => {
  const s = new Site({ stretch: { unknownUnicast: 'drop' } }, { stretch: { role: 'stretch' }, p1: {} });
  assert.is(s.give(0, 'p1', frameBytes(A, B)), 'drop stretch-unknown-unicast');
});

test('link-local frames stay on their link, wherever they come from', () => {
  const s = site();
  assert.is(s.give(0, 'p1', frameBytes(A, STP)), 'drop link-local');
  assert.is(s.give(0, 'stretch', frameBytes(A, STP)), 'drop link-local');
});

test('local ports may have them, the stretch not', () => {
  const s = site({}, { linkLocal: 'pass' });
  assert.is(s.give(0, 'p1', frameBytes(A, STP)), 'p2');
  assert.is(s.give(0, 'stretch', frameBytes(A, STP)), 'drop stretch-bpdu');
  assert.is(s.bridge.counters().ports[0]!.withheld['stretch-bpdu'], 1);
});

test('the stretch may pass them, to one tunnel end each: not among local ports', () => {
  const s = site({ bpdu: 'pass' });
  assert.is(s.give(0, 'p1', frameBytes(A, STP)), 'stretch');
  assert.is(s.give(0, 'stretch', frameBytes(A, STP)), 'p1 p2');
  assert.is(s.bridge.counters().ports[2]!.withheld['link-local'], 1);
});

test('PAUSE never passes', () => {
  const s = site({ bpdu: 'pass' }, { linkLocal: 'pass' });
  assert.is(s.give(0, 'p1', frameBytes(A, PAUSE)), 'drop link-local');
  assert.is(s.give(0, 'p1', frameBytes(A, STP)), 'stretch p2');
});

test('PVST+ is a BPDU at the stretch and an ordinary multicast elsewhere', () => {
  const s = site();
  assert.is(s.give(0, 'p1', frameBytes(A, PVST)), 'p2');
  assert.is(s.give(0, 'stretch', frameBytes(A, PVST)), 'drop stretch-bpdu');
  assert.is(s.give(0, 'p1', frameBytes(A, B)), 'stretch p2', 'and the next frame is none');
  assert.is(site({ bpdu: 'pass' }).give(0, 'p1', frameBytes(A, PVST)), 'stretch p2');
});

const VRRP_MAC = 0x00005e000101;
const HSRP_HELLO = (() => {
  const link = {
    srcMac: A,
    dstMac: 0x01005e000002,
    srcIp: parseIpv4('10.0.0.2'),
    dstIp: 0xe0000002,
    ipId: 1,
  };
  return udpFrame(link, 1985, 1985, new Uint8Array(20));
})();
const arpOf = (senderMac: number): Uint8Array =>
  arpFrame(BROADCAST_MAC, A, {
    operation: 2,
    senderMac,
    senderIp: parseIpv4('10.0.0.254'),
    targetMac: A,
    targetIp: parseIpv4('10.0.0.254'),
  });

test('each site keeps its own gateway: hellos, shared MACs and answers for them do not cross, either way', () => {
  const s = site({ firstHop: 'filter' });
  for (const [what, frame] of [
    ['a hello', HSRP_HELLO],
    ['a frame from a shared MAC', frameBytes(VRRP_MAC, BROADCAST_MAC)],
    ['ARP for a shared MAC', arpOf(VRRP_MAC)],
    ['the same, tagged', bytesOf(retagged(frameOf(HSRP_HELLO), 10))],
  ] as const) {
    assert.is(s.give(0, 'p1', frame), 'p2', what);
    assert.is(s.give(0, 'stretch', frame), 'drop stretch-first-hop', what);
  }
  assert.is(s.give(0, 'p1', arpOf(A)), 'stretch p2', 'other ARP crosses');
  assert.is(s.bridge.counters().ports[0]!.withheld['stretch-first-hop'], 4);
  s.give(0, 'stretch', frameBytes(B, BROADCAST_MAC));
  assert.is(s.give(0, 'p1', frameBytes(VRRP_MAC, B)), 'drop stretch-first-hop', 'unicast neither');
});

test('a shared MAC that comes over the stretch is not learned: the local gateway keeps its traffic', () => {
  const s = site({ firstHop: 'filter' });
  s.give(0, 'p1', frameBytes(VRRP_MAC, BROADCAST_MAC));
  s.give(1, 'stretch', frameBytes(VRRP_MAC, BROADCAST_MAC));
  assert.is(s.give(2, 'p2', frameBytes(A, VRRP_MAC)), 'p1');
  assert.is(s.bridge.counters().macs.moved, 0);
});

test('by default gateways see each other', () => {
  assert.is(site().give(0, 'p1', HSRP_HELLO), 'stretch p2');
});

function ports(options: Readonly<Record<string, PortOptions>>, stretchPort: PortOptions = {}): Site {
  const given = Object.entries(options).map(([name, o]) => [name, { options: o }]);
  return new Site(
    { stretch: { port: stretchPort } },
    { stretch: { role: 'stretch' }, ...Object.fromEntries(given) },
  );
}

test('isolated ports reach the others, and not one another', () => {
  const s = ports({ i1: { isolated: true }, i2: { isolated: true }, open: {} });
  assert.is(s.give(0, 'i1', frameBytes(A, BROADCAST_MAC)), 'stretch open');
  assert.is(s.give(0, 'i2', frameBytes(B, BROADCAST_MAC)), 'stretch open');
  assert.is(s.give(0, 'i1', frameBytes(A, B)), 'drop isolated');
  assert.is(s.give(0, 'open', frameBytes(C, A)), 'i1');
  assert.is(s.give(0, 'open', frameBytes(C, BROADCAST_MAC)), 'stretch i1 i2');
  const { ports: p, drops } = s.bridge.counters();
  assert.equal([p[1]!.withheld.isolated, p[2]!.withheld.isolated, drops.isolated], [1, 1, 1]);
});

test('alone among isolated ports, a frame is dropped for that', () => {
  const s = new Site({}, { i1: { options: { isolated: true } }, i2: { options: { isolated: true } } });
  assert.is(s.give(0, 'i1', frameBytes(A, BROADCAST_MAC)), 'drop isolated');
});

test('a frame longer than a port’s MTU goes neither in nor out there, with 14 bytes of header allowed and 4 of tag', () => {
  const s = ports({ small: { mtuBytes: 1500 }, big: {}, other: {} });
  const give = (from: string, length: number, tci?: number): string =>
    s.give(0, from, frameBytes(from === 'small' ? A : B, BROADCAST_MAC, length, tci));
  assert.is(give('small', 1514), 'stretch big other');
  assert.is(give('small', 1515), 'drop oversize');
  assert.is(give('small', 1518, 10), 'stretch big other');
  assert.is(give('small', 1519, 10), 'drop oversize');
  assert.is(give('big', 1514), 'stretch small other');
  assert.is(give('big', 1515), 'stretch other');
  assert.is(s.give(0, 'big', frameBytes(B, A, 1515)), 'drop oversize');
  assert.is(s.bridge.counters().ports[1]!.withheld.oversize, 1);
  assert.match(DROP_HINTS.oversize, /lower the MTU of the sender/);
});

test('the stretch has an MTU of its own, from the bridge’s options', () => {
  const s = ports({ p1: {}, p2: {} }, { mtuBytes: 1500 });
  assert.is(s.give(0, 'p1', frameBytes(A, BROADCAST_MAC, 9014)), 'p2');
  assert.is(s.bridge.counters().ports[0]!.withheld.oversize, 1);
});

test('a second tag counts, a service tag is allowed for', () => {
  const s = ports({ small: { mtuBytes: 1500 }, p2: {} });
  const two = frameBytes(A, BROADCAST_MAC, 1522, 10);
  two.set([0x81, 0x00, 0x00, 0x14], 16);
  assert.is(s.give(0, 'small', two), 'drop oversize');
  const service = frameBytes(A, BROADCAST_MAC, 1518);
  service.set([0x88, 0xa8, 0x00, 0x0a], 12);
  assert.is(s.give(0, 'small', service), 'stretch p2');
});

/** A TSO frame of 20 packets whose payloads are `gsoSize`; headers are 54 bytes. */
function superFrame(gsoSize: number, etherType = 0x0800): Frame {
  const data = new Uint8Array(54 + 20 * gsoSize);
  writeEthernet(data, 0, BROADCAST_MAC, A, etherType);
  data.set(hex('45 00'), 14);
  data[23] = 6;
  data[46] = 0x50;
  const offload = { flags: 1, gsoType: GSO_TCPV4, hdrLen: 54, gsoSize, csumStart: 34, csumOffset: 16 };
  return { data, start: 0, length: data.length, offload };
}

test('a super-frame is judged by the packets it stands for; one that cannot be cut by its length', () => {
  const s = ports({ small: { mtuBytes: 1500 }, p2: {} });
  assert.is(s.give(0, 'small', superFrame(1460)), 'stretch p2');
  assert.is(s.give(0, 'small', retagged(superFrame(1460), 10)), 'stretch p2');
  assert.is(s.give(0, 'small', superFrame(1461)), 'drop oversize');
  assert.is(
    s.give(0, 'small', superFrame(1460, 0x88b5)),
    'drop oversize',
    'no TCP, whatever its header says',
  );
});

test('a limit that goes with its port goes altogether', () => {
  const s = ports({ small: { mtuBytes: 1500 }, p2: {}, p3: {} });
  s.give(0, 'p2', frameBytes(A, BROADCAST_MAC, 9014));
  s.event(1, { type: 'port-removed', port: 1 });
  assert.is(s.give(2, 'p2', frameBytes(A, BROADCAST_MAC, 9014)), 'stretch p3');
  assert.is(s.give(2, 'stretch', frameBytes(B, A, 9014)), 'p2');
});

test.run();
