import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { Rng } from '../../../src/core/index.js';
import {
  decodeVxlan,
  flowHash,
  parseIpv4,
  udpFrame,
  unsolicitedAdvertisement,
  vxlanSourcePort,
  vxlanVniAt,
  writeVxlan,
} from '../../../src/l2/index.js';
import { suite } from '../../suite.js';
import { hex } from '../oracle.js';

const test = suite('l2/wire/vxlan');

const GOLDEN = hex(`
  08          # the I flag
  00 00 00    # reserved
  12 34 56    # VNI
  00          # reserved
`);

test('a golden header', () => {
  const b = new Uint8Array(10).fill(0xff);
  writeVxlan(b, 1, 0x123456);
  assert.equal(b, Uint8Array.of(0xff, ...GOLDEN, 0xff));
  assert.equal(decodeVxlan(b, 1, 9), { ok: true, value: { vni: 0x123456, payloadAt: 9 } });
  assert.is(vxlanVniAt(b, 1, 9), 0x123456);
});

test('each way a header can be wrong', () => {
  assert.equal(decodeVxlan(GOLDEN, 0, 7), { ok: false, code: 'truncated', at: 7 });
  assert.is(vxlanVniAt(GOLDEN, 0, 7), -1);
  const flagless = GOLDEN.slice();
  flagless[0] = 0xf7;
  assert.equal(decodeVxlan(flagless, 0, 8), { ok: false, code: 'flags', at: 0 });
  assert.is(vxlanVniAt(flagless, 0, 8), -1);
});

test('reserved bits are not read', () => {
  const b = hex('ff aa bb cc 00 00 01 dd');
  assert.equal(decodeVxlan(b, 0, 8), { ok: true, value: { vni: 1, payloadAt: 8 } });
});

test('every VNI comes back', () => {
  fc.assert(
    fc.property(fc.nat(0xff_ffff), (vni) => {
      const b = new Uint8Array(8);
      writeVxlan(b, 0, vni);
      return vxlanVniAt(b, 0, 8) === vni;
    }),
  );
});

const link = {
  srcMac: 0x525400000001,
  dstMac: 0x525400000002,
  srcIp: parseIpv4('10.0.0.1'),
  dstIp: parseIpv4('10.0.0.2'),
  ipId: 1,
};
const portOf = (b: Uint8Array): number => vxlanSourcePort(b, 0, b.length);

test('packets of one flow have one source port, whatever they carry', () => {
  const first = portOf(udpFrame(link, 1000, 2000, new Uint8Array(0)));
  for (const bytes of [1, 100, 1400]) {
    const frame = udpFrame({ ...link, ipId: bytes }, 1000, 2000, new Uint8Array(bytes).fill(7));
    assert.is(portOf(frame), first);
  }
});

test('flows are spread over 49152..65535, by ports alone, by addresses alone', () => {
  const ports = new Set<number>();
  const addresses = new Set<number>();
  for (let i = 0; i < 4000; i++) {
    ports.add(portOf(udpFrame(link, 1024 + i, 2000, new Uint8Array(8))));
    addresses.add(portOf(udpFrame({ ...link, srcIp: link.srcIp + i }, 1, 2, new Uint8Array(8))));
  }
  for (const seen of [ports, addresses]) {
    assert.ok(Math.min(...seen) >= 49152 && Math.max(...seen) <= 65535);
    // 4000 draws of 16384 hit 3550 different ones on average.
    assert.ok(seen.size > 3400, `${seen.size} ports for 4000 flows`);
  }
});

test('all fragments of a datagram go one way', () => {
  const first = udpFrame(link, 1000, 2000, new Uint8Array(64));
  first[20] = 0x20; // more fragments
  const later = first.slice();
  later.set([0x00, 0x08], 20); // the second piece: other bytes where the ports were
  later.set([0xde, 0xad, 0xbe, 0xef], 34);
  assert.is(portOf(later), portOf(first));
});

test('IPv6 flows and frames that are no IP have their entropy too', () => {
  const ip = Uint8Array.from({ length: 16 }, (_, i) => i);
  const advertised = (mac: number): number => flowHash(unsolicitedAdvertisement(mac, ip), 0, 86);
  assert.is.not(advertised(2), advertised(4));
  const udp = (port: number): Uint8Array =>
    hex(`02 00 00 00 00 01 02 00 00 00 00 02 86 dd 60 00 00 00 00 08 11 40
         fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 01 fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 02
         ${port.toString(16).padStart(4, '0')} 00 35 00 08 00 00`);
  assert.is.not(portOf(udp(1024)), portOf(udp(1025)));
  const plain = new Uint8Array(60);
  const other = plain.slice();
  other[5] = 1;
  assert.is.not(portOf(plain), portOf(other));
});

test('any bytes have a port, and no byte beyond the end is read', () => {
  const rng = new Rng('vxlan');
  for (let i = 0; i < 2000; i++) {
    const b = new Uint8Array(rng.below(90));
    rng.fill(b);
    if (b.length > 14 && i % 2 === 0) b.set([0x08, 0x00, 0x45], 12);
    const port = portOf(b);
    assert.ok(port >= 49152 && port <= 65535);
    const longer = new Uint8Array(b.length + 8).fill(0xff);
    longer.set(b);
    assert.is(vxlanSourcePort(longer, 0, b.length), port);
  }
});

test.run();
