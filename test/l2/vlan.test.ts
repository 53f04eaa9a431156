import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { type Frame, GSO_TCPV4 } from '../../src/core/index.js';
import { BROADCAST_MAC, type PortOptions, tagsOf, tciOf, writeEthernet } from '../../src/l2/index.js';
import { suite } from '../suite.js';
import { ModelBridge, type ModelPort } from './oracle.js';
import { frameBytes, Site } from './site.js';

const test = suite('l2/vlan');

const A = 0x525400000001;
const B = 0x525400000002;
const access = (vid: number): PortOptions => ({ vlan: { mode: 'access', vid } });

/** Two VLANs on access ports, a stretch, a trunk that carries 10 only and is native in 1. */
function campus() {
  return new Site(
    { vlanAware: true },
    {
      stretch: { role: 'stretch' },
      red1: { options: access(10) },
      red2: { options: access(10) },
      blue: { options: access(20) },
      trunk: { options: { vlan: { mode: 'trunk', allowed: [1, 10], native: 1 } } },
      plain: {},
    },
  );
}

/** Port and tags of each copy that left, `red2 -` untagged, `stretch 10/3` VLAN 10 with priority 3. */
function tagged(site: Site, from: string, bytes: Uint8Array): string[] | string {
  const outcome = site.sent(0, from, bytes);
  if (typeof outcome === 'string') return outcome;
  return outcome.map(({ port, bytes: b }) => {
    const tags = tagsOf(b, 0, b.length).map((t) => `${t.vid}/${t.pcp}`);
    return `${port} ${tags.join('+') || '-'}`;
  });
}

test('a frame stays in its VLAN: untagged to access ports, tagged to trunks', () => {
  const site = campus();
  assert.equal(tagged(site, 'red1', frameBytes(A, BROADCAST_MAC)), ['stretch 10/0', 'red2 -', 'trunk 10/0']);
  assert.equal(tagged(site, 'blue', frameBytes(A, BROADCAST_MAC)), ['stretch 20/0']);
  assert.equal(
    tagged(site, 'plain', frameBytes(A, BROADCAST_MAC)),
    ['stretch 1/0', 'trunk -'],
    'VLAN 1 by default',
  );
  assert.equal(tagged(site, 'trunk', frameBytes(A, BROADCAST_MAC)), ['stretch 1/0', 'plain -']);
});

test('the priority goes along, from a tag and from a priority tag', () => {
  const site = campus();
  assert.equal(tagged(site, 'stretch', frameBytes(A, BROADCAST_MAC, 64, tciOf(10, 5))), [
    'red1 -',
    'red2 -',
    'trunk 10/5',
  ]);
  assert.equal(tagged(site, 'red1', frameBytes(A, BROADCAST_MAC, 64, tciOf(0, 6))), [
    'stretch 10/6',
    'red2 -',
    'trunk 10/6',
  ]);
});

test('ingress filtering, each kind counted', () => {
  const site = campus();
  assert.is(tagged(site, 'red1', frameBytes(A, B, 64, tciOf(20))), 'vlan-ingress', 'another VLAN');
  assert.is(
    tagged(site, 'red1', frameBytes(A, B, 64, tciOf(10))),
    'vlan-ingress',
    'access ports take no VLAN tags',
  );
  assert.is(tagged(site, 'trunk', frameBytes(A, B, 64, tciOf(20))), 'vlan-ingress', 'not allowed');
  assert.is(tagged(site, 'stretch', frameBytes(A, B)), 'vlan-untagged', 'no native VLAN');
  assert.is(tagged(site, 'stretch', frameBytes(A, B, 64, tciOf(0, 3))), 'vlan-untagged');
  assert.is(tagged(site, 'stretch', frameBytes(A, B, 64, tciOf(4095))), 'bad-tag');
  assert.is(tagged(site, 'trunk', frameBytes(A, B, 18, tciOf(10)).subarray(0, 17)), 'bad-tag');
  const { drops, macs } = site.bridge.counters();
  assert.equal([drops['vlan-ingress'], drops['vlan-untagged'], drops['bad-tag']], [3, 2, 2]);
  assert.is(macs.learned, 0, 'what is not admitted teaches nothing');
});

test('the same address in two VLANs is two hosts', () => {
  const site = campus();
  site.give(0, 'red1', frameBytes(A, BROADCAST_MAC));
  site.give(0, 'blue', frameBytes(A, BROADCAST_MAC));
  assert.equal(tagged(site, 'stretch', frameBytes(B, A, 64, tciOf(10))), ['red1 -']);
  assert.equal(tagged(site, 'stretch', frameBytes(B, A, 64, tciOf(20))), ['blue -']);
  assert.is(site.bridge.counters().macs.moved, 0);
});

test('double tags do not hop into another VLAN by a native one', () => {
  const site = campus();
  const double = frameBytes(A, BROADCAST_MAC, 68, tciOf(1));
  double.set([0x81, 0x00, 0x00, 0x14], 16); // behind VLAN 1: VLAN 20
  assert.equal(tagged(site, 'stretch', double), ['plain 20/0'], 'an access port shows what was inside');
  assert.is(site.bridge.counters().ports[4]!.withheld['vlan-hopping'], 1);
  site.give(0, 'trunk', frameBytes(B, BROADCAST_MAC));
  double.set([0x52, 0x54, 0, 0, 0, 2]);
  assert.is(site.give(0, 'stretch', double), 'drop vlan-hopping');
});

test('a service tag is payload to customer VLANs', () => {
  const site = campus();
  const b = frameBytes(A, BROADCAST_MAC);
  b.set([0x88, 0xa8, 0x00, 0x14], 12);
  const outcome = site.sent(0, 'red1', b);
  assert.ok(typeof outcome !== 'string');
  assert.equal(
    tagsOf(outcome[0]!.bytes, 0, 68).map((t) => [t.tpid, t.vid]),
    [
      [0x8100, 10],
      [0x88a8, 20],
    ],
  );
});

test('a VLAN with one port has nowhere to flood to', () => {
  const site = new Site({ vlanAware: true }, { red: { options: access(10) }, blue: { options: access(20) } });
  assert.is(site.give(0, 'red', frameBytes(A, B)), 'drop no-port');
});

test('bytes are counted as they leave, tags included', () => {
  const site = campus();
  site.give(0, 'red1', frameBytes(A, BROADCAST_MAC, 100));
  const bytesOut = site.bridge.counters().ports.map((p) => p.bytesOut);
  assert.equal(bytesOut, [104, 0, 100, 0, 104, 0]);
});

test('a super-frame is tagged as one', () => {
  const site = campus();
  const data = new Uint8Array(4000);
  writeEthernet(data, 0, BROADCAST_MAC, A, 0x0800);
  data.set([0x45], 14);
  data.set([6], 23);
  data[46] = 0x50;
  const offload = { flags: 1, gsoType: GSO_TCPV4, hdrLen: 54, gsoSize: 1448, csumStart: 34, csumOffset: 16 };
  const frame: Frame = { data, start: 0, length: 4000, offload };
  const outcome = site.sent(0, 'red1', frame);
  assert.ok(typeof outcome !== 'string' && outcome[0]!.bytes.length === 4004);
});

test('without VLANs a tag is payload, and passes as it is', () => {
  const site = new Site({}, { stretch: { role: 'stretch' }, p1: {}, p2: {} });
  const b = frameBytes(A, BROADCAST_MAC, 64, tciOf(4095));
  const outcome = site.sent(0, 'p1', b);
  assert.ok(typeof outcome !== 'string');
  assert.equal(
    outcome.map((o) => o.bytes),
    [b, b],
  );
});

const anyModelPort: fc.Arbitrary<ModelPort> = fc.oneof(
  fc.constantFrom(1, 2, 3).map((vid) => ({ trunk: false, allowed: [vid], untagged: vid })),
  fc
    .tuple(fc.subarray([1, 2, 3], { minLength: 1 }), fc.boolean())
    .map(([allowed, native]) => ({ trunk: true, allowed, untagged: native ? allowed[0]! : null })),
);

test('agrees with a model in plain words on every copy and every byte', () => {
  const macs = [2, 4, 6, BROADCAST_MAC, 0x0180c2000002, 0x01005e000001];
  const anyTci = fc.oneof(
    fc.constant(undefined),
    fc
      .tuple(fc.constantFrom(0, 1, 2, 3, 4, 4095), fc.nat(7), fc.boolean())
      .map(([v, p, d]) => (v === 4095 ? 0xffff : tciOf(v, p, d))),
  );
  const anyGiven = fc.record({
    from: fc.nat(3),
    src: fc.constantFrom(...macs.slice(0, 3), BROADCAST_MAC),
    dst: fc.constantFrom(...macs),
    tci: anyTci,
    double: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(anyModelPort, { minLength: 4, maxLength: 4 }),
      fc.array(anyGiven, { minLength: 1, maxLength: 40 }),
      (ports, given) => {
        const model = new ModelBridge(ports);
        const site = new Site(
          { vlanAware: true },
          Object.fromEntries(
            ports.map((p, i) => {
              const trunk = { mode: 'trunk', allowed: p.allowed, native: p.untagged } as const;
              const vlan = p.trunk ? trunk : ({ mode: 'access', vid: p.allowed[0]! } as const);
              return [`p${i}`, { options: { vlan } }];
            }),
          ),
        );
        given.forEach(({ from, src, dst, tci, double }, i) => {
          const b = frameBytes(src, dst, 72, tci);
          if (double) b.set([0x81, 0x00, 0x00, 0x02], tci === undefined ? 12 : 16);
          const outcome = site.sent(i, `p${from}`, b);
          const expected = model.give(from, b);
          if (expected === null) {
            assert.type(outcome, 'string', `frame ${i} from p${from}`);
            return;
          }
          assert.ok(typeof outcome !== 'string', `frame ${i} from p${from}: ${outcome}`);
          const got = outcome.map((o) => [Number(o.port.slice(1)), Buffer.from(o.bytes).toString('hex')]);
          assert.equal(got, [...expected]);
        });
      },
    ),
    { numRuns: 300 },
  );
});

test.run();
