/** Hostile bytes into everything that reads bytes: nothing throws, nothing is lost from the account. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { type Frame, frameOf, GSO_ECN, Rng } from '../../src/core/index.js';
import {
  announcementFrames,
  Bridge,
  type BridgeAction,
  completeChecksum,
  cutAround,
  decodeArp,
  decodeEthernet,
  decodeIcmp,
  decodeIpv4,
  decodeIpv6,
  decodeNeighbour,
  decodeRarp,
  decodeTcp,
  decodeUdp,
  decodeVxlan,
  describeFrame,
  EndStation,
  echoCodec,
  flowHash,
  isFirstHopHelloAt,
  linkLocalFromMac,
  neighbourSolicitation,
  packetsOf,
  parseIpv4,
  retag,
  retagged,
  type StationAction,
  tagsOf,
  toWirePackets,
  udpFrame,
} from '../../src/l2/index.js';
import { suite } from '../suite.js';
import { assertCloses } from './site.js';

const test = suite('l2/fuzz');

const US = { mac: 0x525400000001, ip: parseIpv4('10.0.0.1') };
const link = { srcMac: 0x525400000002, dstMac: US.mac, srcIp: parseIpv4('10.0.0.2'), dstIp: US.ip, ipId: 1 };
const text = new TextEncoder().encode('some payload that is long enough');

/** Good frames, a few of whose bytes are replaced and whose end may be cut: they get deeper than noise does. */
const anyMutant: fc.Arbitrary<Uint8Array> = fc
  .record({
    seed: fc.constantFrom(
      udpFrame(link, 1, 2, text),
      echoCodec.encode(link, { kind: 'echo-request', id: 1, seq: 2, payload: text }),
    ),
    at: fc.array(fc.nat(75), { maxLength: 4 }),
    values: fc.uint8Array({ minLength: 4, maxLength: 4 }),
    length: fc.nat(80),
  })
  .map(({ seed, at, values, length }) => {
    const b = seed.slice();
    at.forEach((a, i) => {
      if (a < b.length) b[a] = values[i]!;
    });
    return b.subarray(0, Math.max(length, b.length - 40));
  });
const anyBytes = fc.oneof(fc.uint8Array({ maxLength: 120 }), anyMutant);

test('no decoder throws; each says where it stopped, inside the buffer', () => {
  const decoders = [
    decodeEthernet,
    decodeArp,
    decodeRarp,
    decodeIpv4,
    decodeIpv6,
    decodeNeighbour,
    decodeIcmp,
    decodeTcp,
    decodeVxlan,
    decodeNeighbour,
    (b: Uint8Array, at: number, end: number) => decodeUdp(b, at, end, 1, 2),
  ];
  fc.assert(
    fc.property(anyBytes, fc.nat(130), (b, at) => {
      const start = Math.min(at, b.length);
      for (const decode of decoders) {
        const result = decode(b, start, b.length);
        if (!result.ok) assert.ok(result.at >= 0 && result.at <= b.length);
        else if ('payloadAt' in result.value) assert.ok(result.value.payloadAt <= b.length);
        if (result.ok && 'payloadEnd' in result.value) {
          assert.ok(result.value.payloadAt <= result.value.payloadEnd && result.value.payloadEnd <= b.length);
        }
      }
      assert.type(describeFrame(b), 'string');
      echoCodec.decode(b);
      tagsOf(b, start, b.length);
      flowHash(b, start, b.length);
      isFirstHopHelloAt(b, start, b.length, 0x0800);
      isFirstHopHelloAt(b, start, b.length, 0x86dd);
    }),
    { numRuns: 2000 },
  );
});

test('a station under random frames stays silent or answers, and its sums close', () => {
  const station = new EndStation(US);
  let frames = 0;
  fc.assert(
    fc.property(anyBytes, fc.nat(1_000_000), (b, step) => {
      const out: StationAction[] = [];
      station.step(frames * 1_000_000 + step, { type: 'frame-received', bytes: b }, out);
      frames++;
      const c = station.counters();
      const drops = Object.values(c.drops).reduce((x, y) => x + y, 0);
      assert.is(c.framesIn, frames);
      assert.is(c.framesIn, c.arp + c.echoRequests + c.echoReplies + c.unreachable + c.udp + drops);
      assert.ok(out.length <= 1);
    }),
    { numRuns: 2000 },
  );
  assert.ok(station.counters().udp > 0 && station.counters().echoRequests > 0, 'some frames got through');
});

test('segmentation of anything, with any offload state, neither throws nor makes bytes up', () => {
  const anyOffload = fc.record({
    flags: fc.nat(3),
    gsoType: fc.constantFrom(0, 1, 3, 4, 5, 1 | GSO_ECN, 5 | GSO_ECN, 77),
    hdrLen: fc.nat(0xffff),
    gsoSize: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 40 }), fc.nat(0xffff)),
    csumStart: fc.nat(200),
    csumOffset: fc.nat(20),
  });
  fc.assert(
    fc.property(anyBytes, fc.nat(20), anyOffload, fc.array(fc.nat(10)), (b, headroom, offload, hits) => {
      const start = Math.min(headroom, b.length);
      const frame: Frame = { data: b, start, length: b.length - start, offload };
      const before = b.slice();
      const packets = packetsOf(frame);
      assert.ok(packets >= 1 && packets <= Math.max(1, frame.length));
      const wire = toWirePackets(frame);
      assert.is(wire.length, packets);
      for (const packet of wire) assert.ok(packet.length <= frame.length);
      completeChecksum(frame);
      const lost = hits.sort((x, y) => x - y);
      const survivors = cutAround(frame, lost).reduce((n, piece) => n + packetsOf(piece), 0);
      assert.is(survivors, packets - new Set(lost.filter((hit) => hit < packets)).size);
      assert.equal(b, before, 'the input is not written to');
    }),
    { numRuns: 2000 },
  );
});

/** Frames that every rule of a bridge has something to say about, bent and cut. */
const anyRelevant: fc.Arbitrary<Uint8Array> = fc
  .record({
    seed: fc.constantFrom(
      ...announcementFrames({ mac: US.mac, ip: US.ip, ipv6: linkLocalFromMac(US.mac) }),
      neighbourSolicitation(link.srcMac, linkLocalFromMac(link.srcMac), linkLocalFromMac(US.mac)),
      udpFrame({ ...link, dstMac: 0x01005e000002, dstIp: 0xe0000002 }, 1985, 1985, text),
      udpFrame(link, 1, 2, text),
    ),
    tag: fc.constantFrom('keep' as const, 1, 10, 0x6000, 0xffff),
    edits: fc.array(fc.tuple(fc.nat(90), fc.nat(255)), { maxLength: 3 }),
    cutAt: fc.oneof(fc.constant(1000), fc.nat(90)),
  })
  .map(({ seed, tag, edits, cutAt }) => {
    const b = retagged(frameOf(seed), tag).data.slice();
    for (const [at, value] of edits) if (at < b.length) b[at] = value;
    return b.subarray(0, cutAt);
  });

test('a bridge with every rule on takes any bytes with any offload state, and its sums close', () => {
  const anyOffload = fc.oneof(
    fc.constant({ flags: 0, gsoType: 0, hdrLen: 0, gsoSize: 0, csumStart: 0, csumOffset: 0 }),
    fc.record({
      flags: fc.nat(3),
      gsoType: fc.constantFrom(0, 1, 3, 4, 5, 1 | GSO_ECN, 77),
      hdrLen: fc.nat(0xffff),
      gsoSize: fc.nat(2000),
      csumStart: fc.nat(0xffff),
      csumOffset: fc.nat(0xffff),
    }),
  );
  for (const vlanAware of [true, false]) {
    const bridge = new Bridge({
      vlanAware,
      linkLocal: 'pass',
      duplicateMac: { holdNs: 1000 },
      capacity: 50,
      stretch: {
        unknownUnicast: 'drop',
        firstHop: 'filter',
        suppressNeighbours: { capacity: 8, agingNs: 10_000 },
        port: { mtuBytes: 1500 },
      },
    });
    const vlan = { mode: 'trunk', allowed: [1, 10], native: 1 } as const;
    const storm = { broadcast: { ratePps: 1e6 }, unknownUnicast: { rateBps: 1e9 } };
    const options = [
      undefined,
      { isolated: true, storm },
      { isolated: true, mtuBytes: 68 },
      vlanAware ? { vlan } : {},
    ];
    options.forEach((o, port) => {
      const role = port === 0 ? 'stretch' : 'client';
      const given = o === undefined ? {} : { options: o };
      bridge.step(0, { type: 'port-added', port, name: `p${port}`, role, ...given }, []);
    });
    let now = 0;
    const outcomes = new Set<string>();
    fc.assert(
      fc.property(fc.oneof(anyBytes, anyRelevant), anyOffload, fc.nat(4), (b, offload, port) => {
        const before = b.slice();
        const frame: Frame = { data: b, start: 0, length: b.length, offload };
        const out: BridgeAction[] = [];
        now += 100;
        bridge.step(now, { type: 'frame-received', port, frame }, out);
        for (const action of out) {
          outcomes.add(action.type === 'drop' ? action.reason : action.type);
          if (action.type !== 'forward') continue;
          const into = { data: new Uint8Array(b.length + 8), start: 4, length: 0, offload: { ...offload } };
          retag(frame, action.tag, into);
          toWirePackets(into);
        }
        assert.equal(b, before, 'the input is not written to');
        assertCloses(bridge.counters());
      }),
      { numRuns: 3000 },
    );
    for (const expected of ['forward', 'oversize', 'isolated', 'stretch-first-hop', 'runt', 'unknown-port']) {
      assert.ok(outcomes.has(expected), `${expected} was met: ${[...outcomes]}`);
    }
  }
});

test('a MAC flood fills the table and no more: every frame is forwarded all the same', () => {
  const bridge = new Bridge({ capacity: 100 });
  for (const port of [0, 1])
    bridge.step(0, { type: 'port-added', port, name: `p${port}`, role: 'client' }, []);
  const rng = new Rng('flood');
  for (let i = 0; i < 20_000; i++) {
    const b = new Uint8Array(60);
    rng.fill(b.subarray(0, 12));
    b[6]! &= 0xfe;
    bridge.step(i, { type: 'frame-received', port: i & 1, frame: frameOf(b) }, []);
  }
  const c = bridge.counters();
  assert.is(c.macs.size, 100);
  assert.is(c.macs.learned + c.macs.refused + c.macs.moved, 20_000);
  assert.is(c.framesIn, c.forwarded + c.flooded + Object.values(c.drops).reduce((x, y) => x + y, 0));
});

test.run();
